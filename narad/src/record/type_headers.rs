//! The headers that other writers put a record's type into.

use std::sync::Arc;

/// The headers that a record's type is read from where its body and Narad's own header have none, in their
/// order: `NARAD_TYPE_HEADERS`.
#[derive(Clone, Debug)]
pub(crate) struct TypeHeaders(Arc<[String]>);

impl TypeHeaders {
    /// What plain producers write, and CloudEvents in binary mode.
    pub(crate) const DEFAULT: [&'static str; 2] = ["type", "ce_type"];

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl From<&[String]> for TypeHeaders {
    fn from(names: &[String]) -> Self {
        Self(names.into())
    }
}

#[cfg(test)]
impl Default for TypeHeaders {
    fn default() -> Self {
        Self(Self::DEFAULT.map(str::to_owned).into())
    }
}
