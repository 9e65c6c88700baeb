//! What a record is given beside its event: what the builders of sends say.

use crate::codec::ID_HEADER;
use crate::error::{Error, Result, SendError, SendErrorKind};
use crate::event::EventKey;
use crate::transport::Outgoing;

/// What differs from what an event or a value would be sent with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    /// `Some(None)` is no key, whatever the event's own is.
    key: Option<Option<Vec<u8>>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    partition: Option<i32>,
    timestamp: Option<i64>,
    id: Option<String>,
}

impl Parts {
    pub(crate) fn key(&mut self, key: &impl EventKey) {
        self.key = Some(key.to_key().map(|key| key.into_owned()));
    }

    pub(crate) fn header(&mut self, name: String, value: &[u8]) {
        self.headers.push((name.into_bytes(), Some(value.to_vec())));
    }

    pub(crate) fn partition(&mut self, partition: i32) {
        self.partition = Some(partition);
    }

    pub(crate) fn timestamp(&mut self, milliseconds: i64) {
        self.timestamp = Some(milliseconds);
    }

    pub(crate) fn id(&mut self, id: String) {
        self.id = Some(id);
    }

    /// Puts them into a record; `place` is where that has its id.
    ///
    /// # Errors
    /// A timestamp that no record can have.
    pub(crate) fn put_into(self, outgoing: &mut Outgoing, place: IdPlace) -> Result<()> {
        if let Some(timestamp) = self.timestamp.filter(|timestamp| *timestamp < 1) {
            let text = format!(
                "topic {}: timestamp {timestamp}: a record's timestamp is in milliseconds since 1970, from 1 on",
                outgoing.topic
            );
            return Err(Error::Send(
                SendError::new(SendErrorKind::Other, text).of(&outgoing.topic.as_str().into()),
            ));
        }
        if let Some(id) = &self.id {
            place.write(id, outgoing);
        }
        if let Some(key) = self.key {
            outgoing.key = key;
        }
        outgoing.headers.extend(self.headers);
        outgoing.partition = self.partition.or(outgoing.partition);
        outgoing.timestamp = self.timestamp;
        Ok(())
    }
}

/// Where a record has its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdPlace {
    /// First in the body: an envelope.
    Body,
    /// In `narad-id`: a flat event, a value as it is, bytes.
    Header,
}

/// What stands before the id in an envelope.
const BEFORE: &[u8] = b"{\"id\":\"";

impl IdPlace {
    /// Of an event that was encoded, and not changed since.
    pub(crate) fn of_event(outgoing: &Outgoing) -> Self {
        match outgoing.headers.first() {
            Some((name, _)) if name == ID_HEADER.as_bytes() => Self::Header,
            _ => Self::Body,
        }
    }

    /// Writes another id over the one that is there.
    pub(crate) fn write(self, id: &str, outgoing: &mut Outgoing) {
        match (self, &mut outgoing.payload) {
            (Self::Body, Some(payload)) if payload.starts_with(BEFORE) => {
                // What is there is a UUID, in which nothing is escaped.
                let old = &payload[BEFORE.len()..];
                let end = BEFORE.len() + old.iter().position(|byte| *byte == b'"').unwrap_or(old.len());
                let quoted = serde_json::Value::from(id).to_string();
                payload.splice(BEFORE.len()..end, quoted[1..quoted.len() - 1].bytes());
            }
            (Self::Body, _) => {}
            (Self::Header, _) => {
                let value = Some(id.as_bytes().to_vec());
                match outgoing.headers.iter_mut().find(|(name, _)| name == ID_HEADER.as_bytes()) {
                    Some((_, old)) => *old = value,
                    None => outgoing.headers.push((ID_HEADER.as_bytes().to_vec(), value)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Outgoing {
        let payload = br#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","type":"A","data":{}}"#;
        Outgoing { payload: Some(payload.to_vec()), ..Outgoing::default() }
    }

    #[test]
    fn an_id_in_an_envelope_is_escaped() {
        for id in ["order-1", "", "with \"quotes\" \\ and\nlines", "ключ"] {
            let mut outgoing = envelope();
            IdPlace::of_event(&outgoing).write(id, &mut outgoing);
            let body: serde_json::Value = serde_json::from_slice(&outgoing.payload.unwrap()).unwrap();
            assert_eq!(body, serde_json::json!({"id": id, "type": "A", "data": {}}));
        }
    }

    #[test]
    fn an_id_in_a_header_is_there_once() {
        let mut outgoing = Outgoing::default();
        IdPlace::Header.write("1", &mut outgoing);
        assert_eq!(IdPlace::of_event(&outgoing), IdPlace::Header);
        IdPlace::Header.write("2", &mut outgoing);
        assert_eq!(outgoing.headers, [(b"narad-id".to_vec(), Some(b"2".to_vec()))]);
    }
}
