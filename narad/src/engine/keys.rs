//! The hash of a record's key: which records wait for which, also across restarts.

use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64;

/// Records without a key keep the order of their partition among themselves: to the lane they are one key.
const NO_KEY: u64 = 0x6e61_7261_645f_6e6f;

/// The same in every build and on every machine, since commits carry it. Two keys that share a hash wait for
/// each other, which costs time and nothing else.
pub(crate) fn key_hash(key: Option<&[u8]>) -> u64 {
    key.map_or(NO_KEY, xxh3_64)
}

/// For sets of such hashes, which need no other one.
pub(crate) type Hashed = BuildHasherDefault<AsItIs>;

#[derive(Debug, Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
