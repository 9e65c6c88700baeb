//! What is committed.

/// The next offset to be read, as it is committed: one past the last that is finished. A type of its own
/// against the classic off-by-one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NextOffset(pub(crate) i64);

impl NextOffset {
    pub(crate) fn after(offset: i64) -> Self {
        Self(offset + 1)
    }
}
