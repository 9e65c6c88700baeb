//! Headers of a flat body's metadata.

pub(crate) const ID: &str = "narad-id";
pub(super) const TYPE: &str = "narad-type";
pub(super) const VERSION: &str = "narad-version";
pub(super) const SOURCE: &str = "narad-source";
/// What producers other than Narad may write.
pub(super) const FOREIGN_TYPE: &str = "type";
