//! The syntax of JSON: a payload's outer structure, values out of it, and bodies into bytes.

pub(super) mod decode;
pub(super) mod encode;
pub(super) mod filter;
pub(super) mod finite;
mod head;
pub(super) mod mend;
mod scan;

pub(crate) use head::Head;
pub(super) use head::Key;

/// Levels of nesting that are read. It is serde_json's limit, kept also for what no type looks into.
const MAX_DEPTH: usize = 127;
