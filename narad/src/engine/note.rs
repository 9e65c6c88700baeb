//! The note in a commit's metadata: what is finished beyond the committed offset, and where a group with
//! `start = "latest"` began.
//!
//! Under key order what is finished of a key is always a prefix of its records, so the map says: all below a
//! height is finished, except these keys from these offsets on. Without order it says: except these offsets.
//! Where more is unfinished than fits, the height comes down until it does: then more is repeated, never
//! less. Two keys with one hash may repeat a record, never skip one.
//!
//! Commits are copied, by tools and by mirrors of clusters, and processes change their options. So the note
//! says what its map was made for: the order, the committed offset itself, and group, topic, partition and
//! cluster. Where one of them is another, the map is ignored and what it says is repeated. Where a group
//! began holds wherever the group and the topic have these names.
//!
//! The text is `narad1.` and base64 of: 1, the number of partitions at the group's beginning (0 where it did
//! not begin at the end), 0, and the rest in groups of eight bytes and a zero. The format before this one had
//! a kind, that number, a height, and pairs of eight bytes and a number: a process that knows only that one
//! reads the number of partitions and an empty map. Its own maps are bound to nothing, and ignored here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::xxh3_64;

use super::next_offset::NextOffset;
use crate::handler::Ordering;
use crate::transport::Position;

/// Kafka's default for `offset.metadata.max.bytes`.
const MAX_METADATA: usize = 4096;
const PREFIX: &str = "narad1.";
/// What the format before had for a map of keys; the other one was 2.
const FORMER_KEYS: u8 = 1;
const FORMER_OFFSETS: u8 = 2;
const VERSION: u8 = 2;
const NO_MAP: u8 = 0;
const KEYS: u8 = 1;
const OFFSETS: u8 = 2;
/// Eight bytes of the rest go into a group, with a zero behind them.
const GROUP: usize = 8;
/// Version, hash of the owner, kind, seal.
const HEAD: usize = 1 + 8 + 1 + 8;
/// Offset, height and count, before the unfinished.
const BEFORE: usize = 9 + 9 + 3;

/// What is known of a partition beside its committed offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Note {
    began: i64,
    map: Map,
}

/// What is finished beyond a committed offset: everything below a height, except these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Map {
    #[default]
    Nothing,
    /// By the hash of the key: from which offset on.
    Keys {
        high: i64,
        from: BTreeMap<u64, i64>,
    },
    Offsets {
        high: i64,
        offsets: BTreeSet<i64>,
    },
}

impl Note {
    pub(crate) fn new(map: Map) -> Self {
        Self { began: 0, map }
    }

    /// How many partitions the topic had when the group began at its end; 0 where it did not.
    pub(crate) fn began(&self) -> i64 {
        self.began
    }

    pub(crate) fn with_began(mut self, partitions: i64) -> Self {
        self.began = partitions;
        self
    }

    pub(crate) fn map(&self) -> &Map {
        &self.map
    }

    /// What it says of offsets from here on is of another log, and forgotten.
    pub(crate) fn end_at(&mut self, end: NextOffset) {
        match &mut self.map {
            Map::Nothing => {}
            Map::Keys { high, from } => {
                *high = end.0.min(*high);
                from.retain(|_, offset| *offset < end.0);
            }
            Map::Offsets { high, offsets } => {
                *high = end.0.min(*high);
                offsets.split_off(&end.0);
            }
        }
    }
}

impl Map {
    /// Of keys whose first unfinished offset this is, its height brought down until the text fits.
    pub(crate) fn of_keys(
        next: NextOffset,
        high: NextOffset,
        unfinished: impl IntoIterator<Item = (u64, i64)>,
    ) -> Self {
        let mut keys: Vec<_> = unfinished.into_iter().map(|(key, offset)| (offset, key)).collect();
        keys.sort_unstable();
        let (mut high, mut room, mut from) = (high.0, room(), BTreeMap::new());
        for (offset, key) in keys {
            let Some(left) = room.checked_sub(8 + varint_len(offset - next.0)) else {
                high = high.min(offset);
                break;
            };
            room = left;
            from.insert(key, offset);
        }
        Self::Keys { high, from }
    }

    /// Of unfinished offsets, its height brought down until the text fits.
    pub(crate) fn of_offsets(
        next: NextOffset,
        high: NextOffset,
        unfinished: impl IntoIterator<Item = i64>,
    ) -> Self {
        let unfinished: BTreeSet<i64> = unfinished.into_iter().collect();
        let (mut high, mut room, mut last, mut offsets) = (high.0, room(), next.0, BTreeSet::new());
        for offset in unfinished {
            let Some(left) = room.checked_sub(varint_len(offset - last)) else {
                high = high.min(offset);
                break;
            };
            room = left;
            offsets.insert(offset);
            last = offset;
        }
        Self::Offsets { high, offsets }
    }

    /// Whether the record at this offset is finished.
    pub(crate) fn finished(&self, offset: i64, key: u64) -> bool {
        match self {
            Self::Nothing => false,
            Self::Keys { high, from } => offset < *high && from.get(&key).is_none_or(|from| offset < *from),
            Self::Offsets { high, offsets } => offset < *high && !offsets.contains(&offset),
        }
    }

    /// One past the last offset of which it knows.
    pub(crate) fn high(&self) -> i64 {
        match self {
            Self::Nothing => 0,
            Self::Keys { high, .. } | Self::Offsets { high, .. } => *high,
        }
    }
}

/// So many bytes the unfinished of a map may take.
fn room() -> usize {
    let bytes = (MAX_METADATA - PREFIX.len()) / 4 * 3 - 1 - varint_len(i32::MAX.into()) - 1;
    bytes / (GROUP + 1) * GROUP - HEAD - BEFORE
}

/// What the notes of a partition are made for: a note is written with it, and believed where it is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    ordering: Ordering,
    /// Hash of group and topic.
    owner: u64,
    /// Hash of group, topic, partition and cluster; `None` while the cluster is not known.
    place: Option<u64>,
}

impl Bound {
    /// With the cluster not known, no map is written or believed.
    pub(crate) fn new(
        group: &str,
        topic: &str,
        partition: i32,
        cluster: Option<&str>,
        ordering: Ordering,
    ) -> Self {
        let place = cluster.map(|cluster| {
            hash(&[group.as_bytes(), topic.as_bytes(), &partition.to_le_bytes(), cluster.as_bytes()])
        });
        Self { ordering, owner: owner(group, topic), place }
    }

    pub(crate) fn ordering(&self) -> Ordering {
        self.ordering
    }

    /// What a commit says; nothing beyond its offset where its map was not made for exactly this.
    pub(crate) fn read(&self, position: &Position) -> Note {
        let Some(text) = Text::parse(&position.metadata) else { return Note::default() };
        let map = text.sealed.as_ref().and_then(|sealed| self.open(sealed, position.next));
        Note { began: text.began_for(self.owner), map: map.unwrap_or_default() }
    }

    fn open(&self, sealed: &Sealed, next: i64) -> Option<Map> {
        let made_here = sealed.seal == seal(self.place?, sealed.kind, &sealed.body);
        let (made_at, map) = sealed.parse().filter(|_| made_here)?;
        let for_this_order = sealed.kind == expected(self.ordering);
        (made_at == next && for_this_order).then_some(map)
    }

    /// The metadata of a commit; empty where there is nothing to say.
    pub(crate) fn write(&self, next: NextOffset, note: Note) -> String {
        let says_more = note.map.high() > next.0 && kind(&note.map) == expected(self.ordering);
        let sealed = self.place.filter(|_| says_more).map(|place| Sealed::new(place, next.0, &note.map));
        Text { began: note.began, owner: Some(self.owner), sealed }.encode()
    }
}

/// How many partitions the topic had when this group began at its end, as a commit's metadata says; 0 where
/// it does not.
pub(crate) fn began(group: &str, topic: &str, metadata: &str) -> i64 {
    Text::parse(metadata).map_or(0, |text| text.began_for(owner(group, topic)))
}

/// The same position without what it says of records beyond it; where the group began stays.
pub(crate) fn without_map(position: &Position) -> Position {
    let text = Text::parse(&position.metadata).map(|text| Text { sealed: None, ..text }.encode());
    Position { metadata: text.unwrap_or_default(), ..position.clone() }
}

fn owner(group: &str, topic: &str) -> u64 {
    hash(&[group.as_bytes(), topic.as_bytes()])
}

/// The same in every build and on every machine, since commits carry it.
fn hash(parts: &[&[u8]]) -> u64 {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    xxh3_64(&bytes)
}

fn kind(map: &Map) -> u8 {
    match map {
        Map::Nothing => NO_MAP,
        Map::Keys { .. } => KEYS,
        Map::Offsets { .. } => OFFSETS,
    }
}

/// The kind of map that can be asked with this order. With the order of the partition there is none: one
/// record runs at a time.
fn expected(ordering: Ordering) -> u8 {
    match ordering {
        Ordering::Key => KEYS,
        Ordering::None => OFFSETS,
        Ordering::Partition => NO_MAP,
    }
}

/// With its place, and all that a map says: one bit of either changed, and it is not this map's.
fn seal(place: u64, kind: u8, body: &[u8]) -> u64 {
    hash(&[&place.to_le_bytes(), &[kind], body])
}

/// What stands in a text, whoever it is for.
struct Text {
    began: i64,
    /// `None` in a text of the format before.
    owner: Option<u64>,
    sealed: Option<Sealed>,
}

/// A map that is not looked into yet.
struct Sealed {
    kind: u8,
    seal: u64,
    body: Vec<u8>,
}

impl Text {
    /// Where the group began; a text of the format before does not say which group.
    fn began_for(&self, owner: u64) -> i64 {
        if self.owner.is_none_or(|it| it == owner) { self.began } else { 0 }
    }

    fn encode(&self) -> String {
        let (Some(owner), true) = (self.owner, self.began != 0 || self.sealed.is_some()) else {
            return String::new();
        };
        let mut rest = vec![VERSION];
        rest.extend_from_slice(&owner.to_le_bytes());
        match &self.sealed {
            None => rest.push(NO_MAP),
            Some(sealed) => {
                rest.push(sealed.kind);
                rest.extend_from_slice(&sealed.seal.to_le_bytes());
                rest.extend_from_slice(&sealed.body);
            }
        }
        let mut bytes = vec![FORMER_KEYS];
        write_varint(&mut bytes, self.began);
        write_varint(&mut bytes, 0);
        for group in rest.chunks(GROUP) {
            bytes.extend_from_slice(group);
            bytes.resize(bytes.len() + GROUP - group.len() + 1, 0);
        }
        format!("{PREFIX}{}", BASE64.encode(bytes))
    }

    /// `None` where the text is somebody else's or broken.
    fn parse(metadata: &str) -> Option<Self> {
        let bytes = BASE64.decode(metadata.strip_prefix(PREFIX)?).ok()?;
        let (kind, mut bytes) = bytes.split_first()?;
        let (began, height) = (read_varint(&mut bytes)?, read_varint(&mut bytes)?);
        if *kind != FORMER_KEYS || height != 0 || bytes.is_empty() {
            return matches!(*kind, FORMER_KEYS | FORMER_OFFSETS).then_some(Self {
                began,
                owner: None,
                sealed: None,
            });
        }
        let mut rest = Vec::with_capacity(bytes.len());
        for group in bytes.chunks(GROUP + 1) {
            let (eight, [0]) = group.split_at_checked(GROUP)? else { return None };
            rest.extend_from_slice(eight);
        }
        let mut rest = rest.as_slice();
        let [VERSION] = take(&mut rest)? else { return None };
        let owner = u64::from_le_bytes(take(&mut rest)?);
        let [kind] = take(&mut rest)?;
        let sealed = match kind {
            NO_MAP => rest.iter().all(|byte| *byte == 0).then_some(None)?,
            kind => Some(Sealed { kind, seal: u64::from_le_bytes(take(&mut rest)?), body: rest.to_vec() }),
        };
        Some(Self { began, owner: Some(owner), sealed })
    }
}

impl Sealed {
    fn new(place: u64, next: i64, map: &Map) -> Self {
        let mut body = Vec::new();
        write_varint(&mut body, next);
        write_varint(&mut body, map.high() - next);
        match map {
            Map::Nothing => {}
            Map::Keys { from, .. } => {
                write_varint(&mut body, from.len() as i64);
                for (key, offset) in from {
                    body.extend_from_slice(&key.to_le_bytes());
                    write_varint(&mut body, offset - next);
                }
            }
            Map::Offsets { offsets, .. } => {
                write_varint(&mut body, offsets.len() as i64);
                let mut last = next;
                for offset in offsets {
                    write_varint(&mut body, offset - last);
                    last = *offset;
                }
            }
        }
        body.resize((HEAD + body.len()).next_multiple_of(GROUP) - HEAD, 0);
        let kind = kind(map);
        Self { kind, seal: seal(place, kind, &body), body }
    }

    /// The committed offset that it was made for, and the map.
    fn parse(&self) -> Option<(i64, Map)> {
        let mut rest = self.body.as_slice();
        let next = read_varint(&mut rest)?;
        let high = next.checked_add(read_varint(&mut rest)?)?;
        let count = read_varint(&mut rest)?;
        let map = match self.kind {
            KEYS => {
                let mut from = BTreeMap::new();
                for _ in 0..count {
                    let key = u64::from_le_bytes(take(&mut rest)?);
                    from.insert(key, next.checked_add(read_varint(&mut rest)?)?);
                }
                Map::Keys { high, from }
            }
            OFFSETS => {
                let (mut last, mut offsets) = (next, BTreeSet::new());
                for _ in 0..count {
                    last = last.checked_add(read_varint(&mut rest)?)?;
                    offsets.insert(last);
                }
                Map::Offsets { high, offsets }
            }
            _ => return None,
        };
        Some((next, map))
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
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
mod tests;
