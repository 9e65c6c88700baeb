//! The events that one attempt returns, as they are encoded.

use std::borrow::Cow;

use uuid::{Builder, Uuid};
use xxhash_rust::xxh3::xxh3_128;

use crate::codec::{EncodeError, Encoder, LatePayload};
use crate::context::Context;
use crate::publish::{IdPlace, Parts};
use crate::record::Record;
use crate::transport::Outgoing;

/// A returned event, and its payload where that could not be written yet.
pub(crate) type Encoded = (Outgoing, Option<LatePayload>);

/// Events that are returned, in their order.
#[doc(hidden)]
#[derive(Debug)]
pub struct Returning<'c> {
    ctx: &'c Context,
    pub(super) events: Vec<Encoded>,
    ids: Option<Ids>,
}

impl<'c> Returning<'c> {
    pub(super) fn new(ctx: &'c Context) -> Self {
        Self { ctx, events: Vec::new(), ids: None }
    }

    /// The topic that an event's attribute names.
    pub(super) fn own_topic(&self, written: &'static str) -> Result<Cow<'static, str>, EncodeError> {
        let topic = self.ctx.producer().settings().attribute_topic(written);
        topic.map_err(|error| EncodeError::new(error.to_string()))
    }

    pub(super) fn encoder(&self) -> Encoder<'c> {
        Encoder::new(self.ctx.client_id())
    }

    /// An event that was just encoded, with what differs from its own. Its id is that of its place, unless
    /// one is given; events of a batch keep their fresh ones, since no later run has to have the same batch.
    pub(super) fn push(
        &mut self,
        (mut event, late): Encoded,
        parts: Option<&Parts>,
    ) -> Result<(), EncodeError> {
        let place = IdPlace::of_event(&event);
        if !self.ctx.is_of_a_batch() && !parts.is_some_and(Parts::has_id) {
            let ids = self.ids.get_or_insert_with(|| Ids::of(self.ctx));
            let mut text = Uuid::encode_buffer();
            let id = ids.at(self.events.len()).hyphenated().encode_lower(&mut text);
            place.write(id, &mut event);
        }
        if let Some(parts) = parts {
            let put = parts.clone().put_into(&mut event, place);
            put.map_err(|error| EncodeError::new(error.to_string()))?;
        }
        self.events.push((event, late));
        Ok(())
    }
}

/// The ids of what is returned for one record: the same in every run for it, by whatever version of Narad, so
/// that readers who drop ids that they have seen drop what a second run writes.
#[derive(Debug)]
struct Ids(Vec<u8>);

impl Ids {
    fn of(ctx: &Context) -> Self {
        // Whoever has records is connected; where brokers tell no id (before Kafka 0.10.1), they never do.
        let cluster = ctx.producer().cluster_id().unwrap_or_default();
        Self::of_record(cluster, ctx.group(), ctx.handler(), ctx.record())
    }

    /// What it is made of, each part told from the next: a change of this changes every id.
    fn of_record(cluster: &str, group: &str, handler: &str, record: &Record) -> Self {
        let mut seed = Vec::with_capacity(192);
        let mut add = |part: Option<&[u8]>| {
            // One more than its length, so that none differs from an empty one.
            let length = part.map_or(0, |part| part.len() as u64 + 1);
            seed.extend_from_slice(&length.to_le_bytes());
            seed.extend_from_slice(part.unwrap_or_default());
        };
        add(Some(cluster.as_bytes()));
        add(Some(group.as_bytes()));
        add(Some(handler.as_bytes()));
        add(Some(record.topic().as_bytes()));
        add(Some(&record.partition().to_le_bytes()));
        add(Some(&record.offset().to_le_bytes()));
        add(record.timestamp().map(i64::to_le_bytes).as_ref().map(|time| &time[..]));
        add(record.key());
        add(record.payload().map(|payload| xxh3_128(payload).to_le_bytes()).as_ref().map(|hash| &hash[..]));
        Self(seed)
    }

    /// Of the event at this place, from 0.
    fn at(&mut self, place: usize) -> Uuid {
        let length = self.0.len();
        self.0.extend_from_slice(&(place as u64).to_le_bytes());
        let hash = xxh3_128(&self.0);
        self.0.truncate(length);
        Builder::from_custom_bytes(hash.to_be_bytes()).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Assignment, Source};
    use crate::transport::{Message, OwnedMessage};

    fn record(topic: &str, partition: i32, message: OwnedMessage) -> Record {
        let source = Source::bare(topic.into(), partition, Assignment::new(Default::default()));
        Record::new(source, Message::Owned(message))
    }

    fn message() -> OwnedMessage {
        OwnedMessage {
            offset: 7,
            timestamp: Some(1_795_428_000_123),
            key: Some(b"user-1".to_vec()),
            payload: Some(b"{}".to_vec()),
            ..OwnedMessage::default()
        }
    }

    /// Written down: ids of another version have to be the same.
    #[test]
    fn the_ids_of_a_record_are_the_same_for_ever() {
        let mut ids = Ids::of_record("cluster", "group", "handler", &record("orders", 3, message()));
        let written: Vec<String> = (0..3).map(|place| ids.at(place).to_string()).collect();
        assert_eq!(
            written,
            [
                "bc01cf64-fbed-8846-a043-1d2964b73505",
                "804910d3-b72a-89d3-91c1-de5740fcd0e7",
                "0c4a9522-dac8-8939-b125-08eb76bb1732"
            ]
        );
        assert_eq!(ids.at(0).get_version(), Some(uuid::Version::Custom));
    }

    #[test]
    fn whatever_differs_of_a_record_gives_another_id() {
        let first =
            |cluster, group, handler, record: Record| Ids::of_record(cluster, group, handler, &record).at(0);
        let of = |message: OwnedMessage| first("c", "g", "h", record("orders", 3, message));
        let ids = [
            of(message()),
            first("d", "g", "h", record("orders", 3, message())),
            first("c", "gh", "", record("orders", 3, message())),
            first("c", "", "gh", record("orders", 3, message())),
            first("c", "g", "h", record("order", 3, message())),
            first("c", "g", "h", record("orders", 4, message())),
            of(OwnedMessage { offset: 8, ..message() }),
            of(OwnedMessage { timestamp: None, ..message() }),
            of(OwnedMessage { timestamp: Some(1), ..message() }),
            of(OwnedMessage { key: None, ..message() }),
            of(OwnedMessage { key: Some(Vec::new()), ..message() }),
            of(OwnedMessage { payload: None, ..message() }),
            of(OwnedMessage { payload: Some(Vec::new()), ..message() }),
        ];
        let different: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len(), "{ids:?}");
    }
}
