//! What is finished beyond the committed offset, as it travels in the commit's metadata.
//!
//! Under key order what is finished of a key is always a prefix of its records, so the map says: all below a height is finished, except these
//! keys from these offsets on. Where more keys are unfinished than fit, the height comes down until they do: then more is repeated, never less.
//! Two keys with one hash may repeat a record, never skip one.
//!
//! The text is `narad1.` and base64 of: a kind, the number of partitions at the group's beginning (where it began at the end), the height, and
//! the unfinished, as variable-length integers, offsets relative to the committed one. What does not parse is somebody else's, and ignored.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use std::collections::{BTreeSet, HashMap};

use super::offsets::NextOffset;

/// Kafka's default for `offset.metadata.max.bytes`.
const MAX_METADATA: usize = 4096;
const PREFIX: &str = "narad1.";
const KEYS: u8 = 1;
const OFFSETS: u8 = 2;

/// What is finished beyond the committed offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resume {
    next: i64,
    high: i64,
    began: i64,
    keys: HashMap<u64, i64>,
    offsets: BTreeSet<i64>,
}

/// What is not finished below a height.
#[derive(Debug)]
pub(crate) enum Unfinished {
    /// First unfinished offset and hash of each key.
    Keys(Vec<(i64, u64)>),
    Offsets(Vec<i64>),
}

impl Resume {
    /// The map over `[next, high)`, its height brought down until the text fits.
    pub(crate) fn new(next: NextOffset, high: NextOffset, unfinished: Unfinished) -> Self {
        let budget = (MAX_METADATA - PREFIX.len()) / 4 * 3 - 1 - varint_len(i32::MAX.into()) - varint_len(high.0 - next.0);
        let mut map = Self { next: next.0, high: high.0, ..Self::default() };
        match unfinished {
            Unfinished::Keys(mut keys) => {
                keys.sort_unstable();
                let mut used = 0;
                for (offset, key) in keys {
                    used += 8 + varint_len(offset - next.0);
                    if used > budget {
                        map.high = map.high.min(offset);
                        break;
                    }
                    map.keys.insert(key, offset);
                }
            }
            Unfinished::Offsets(mut offsets) => {
                offsets.sort_unstable();
                let (mut used, mut last) = (0, next.0);
                for offset in offsets {
                    used += varint_len(offset - last);
                    if used > budget {
                        map.high = map.high.min(offset);
                        break;
                    }
                    map.offsets.insert(offset);
                    last = offset;
                }
            }
        }
        map
    }

    /// Whether the record at this offset is finished.
    pub(crate) fn finished(&self, offset: i64, key: u64) -> bool {
        offset < self.high && !self.offsets.contains(&offset) && self.keys.get(&key).is_none_or(|from| offset < *from)
    }

    /// What it says of offsets from here on is of another log, and forgotten.
    pub(crate) fn end_at(&mut self, end: NextOffset) {
        self.high = self.high.min(end.0);
        self.keys.retain(|_, offset| *offset < end.0);
        self.offsets.split_off(&end.0);
    }

    /// One past the last offset of which it knows.
    pub(crate) fn high(&self) -> NextOffset {
        NextOffset(self.high)
    }

    /// The unfinished keys, and from which offset on.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (u64, i64)> {
        self.keys.iter().map(|(key, offset)| (*key, *offset))
    }

    /// The unfinished offsets.
    pub(crate) fn offsets(&self) -> impl Iterator<Item = i64> {
        self.offsets.iter().copied()
    }

    /// How many partitions the topic had when the group began at its end; 0 where it did not.
    pub(crate) fn began(&self) -> i64 {
        self.began
    }

    pub(crate) fn with_began(mut self, partitions: i64) -> Self {
        self.began = partitions;
        self
    }

    /// The text for the commit; empty where there is nothing to say.
    pub(crate) fn encode(&self) -> String {
        // An unfinished record stands at the committed offset itself; where no height lies above it, nothing is finished beyond.
        let nothing_beyond = self.high <= self.next + 1;
        if nothing_beyond && self.began == 0 {
            return String::new();
        }
        let mut bytes = vec![if self.offsets.is_empty() { KEYS } else { OFFSETS }];
        write_varint(&mut bytes, self.began);
        if nothing_beyond {
            write_varint(&mut bytes, 0);
            return format!("{PREFIX}{}", BASE64.encode(bytes));
        }
        write_varint(&mut bytes, self.high - self.next);
        for (key, offset) in &self.keys {
            bytes.extend_from_slice(&key.to_le_bytes());
            write_varint(&mut bytes, offset - self.next);
        }
        let mut last = self.next;
        for offset in &self.offsets {
            write_varint(&mut bytes, offset - last);
            last = *offset;
        }
        format!("{PREFIX}{}", BASE64.encode(bytes))
    }

    /// What a commit's metadata says, for the offset that it was committed with; empty where it is not ours or broken.
    pub(crate) fn decode(metadata: &str, next: NextOffset) -> Self {
        Self::parse(metadata, next).unwrap_or_default()
    }

    fn parse(metadata: &str, next: NextOffset) -> Option<Self> {
        let bytes = BASE64.decode(metadata.strip_prefix(PREFIX)?).ok()?;
        let (kind, mut rest) = bytes.split_first()?;
        let began = read_varint(&mut rest)?;
        let mut map = Self { next: next.0, high: next.0.checked_add(read_varint(&mut rest)?)?, began, ..Self::default() };
        match *kind {
            KEYS => {
                while !rest.is_empty() {
                    let (key, tail) = rest.split_first_chunk::<8>()?;
                    rest = tail;
                    map.keys.insert(u64::from_le_bytes(*key), next.0.checked_add(read_varint(&mut rest)?)?);
                }
            }
            OFFSETS => {
                let mut last = next.0;
                while !rest.is_empty() {
                    last = last.checked_add(read_varint(&mut rest)?)?;
                    map.offsets.insert(last);
                }
            }
            _ => return None,
        }
        Some(map)
    }
}

fn varint_len(value: i64) -> usize {
    (64 - (value.max(1) as u64).leading_zeros() as usize).div_ceil(7)
}

fn write_varint(bytes: &mut Vec<u8>, value: i64) {
    let mut value = value.max(0) as u64;
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn read_varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return i64::try_from(value).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_hundred_and_fifty_keys_fit_however_far_ahead_the_others_are() {
        let keys = (0..250u64).map(|key| (1_000 + key as i64 * 100, key.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
        let map = Resume::new(NextOffset(1_000), NextOffset(50_000_000), Unfinished::Keys(keys));
        let text = map.encode();
        assert!(text.len() <= MAX_METADATA, "{}", text.len());
        assert!(text.is_ascii());
        assert_eq!(Resume::decode(&text, NextOffset(1_000)), map);
        assert_eq!(map.high(), NextOffset(50_000_000));
    }

    #[test]
    fn with_more_keys_than_fit_the_height_comes_down() {
        let keys = (0..2_000u64).map(|key| (key as i64 * 10, key.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
        let map = Resume::new(NextOffset(0), NextOffset(1_000_000), Unfinished::Keys(keys));
        assert!(map.encode().len() <= MAX_METADATA);
        assert!(map.high() < NextOffset(20_000));
        assert!(!map.finished(19_990, 1_999u64.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    }

    proptest! {
        #[test]
        fn foreign_and_broken_metadata_is_ignored(text in "(narad1\\.)?[A-Za-z0-9_-]{0,40}", next in 0i64..1000) {
            let map = Resume::decode(&text, NextOffset(next));
            prop_assert!(map.high() == NextOffset(0) || map.high() >= NextOffset(next));
        }
    }
}
