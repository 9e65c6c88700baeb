//! What clients are for.

/// For what a client is made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ClientKind<'a> {
    /// A consumer of this group that expects to read so many partitions, and one of so many groups of the
    /// process.
    Consumer {
        group: &'a str,
        partitions: usize,
        groups: usize,
    },
    Producer,
    Admin,
}
