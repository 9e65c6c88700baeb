//! The syntax of JSON: a payload's outer structure, values out of it, and bodies into bytes.

pub(super) mod decode;
pub(super) mod encode;
pub(super) mod filter;
pub(super) mod finite;
mod head;
pub(super) mod mend;
mod outline;
mod scan;

pub(crate) use head::Head;
pub(super) use outline::Key;
