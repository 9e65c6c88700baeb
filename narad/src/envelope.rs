//! What travels with an event: owned as [`Envelope`], borrowed as [`Meta`].

use std::borrow::Cow;

/// An event with its metadata, as a handler's parameter. The six fields are those of the format on the wire
/// and do not change: a program may build an `Envelope`, and take one apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<T> {
    /// The event.
    pub data: T,
    /// The event's id; Narad writes a UUIDv7.
    pub id: Option<String>,
    /// The event's type.
    pub r#type: Option<String>,
    /// The version of the event's schema.
    pub version: Option<String>,
    /// When it was made; Narad writes RFC 3339 in UTC with milliseconds.
    pub timestamp: Option<String>,
    /// Who made it; Narad writes the client id.
    pub source: Option<String>,
}

/// The metadata of a record's event, borrowed from the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta<'r> {
    /// The event's id; Narad writes a UUIDv7.
    pub id: Option<Cow<'r, str>>,
    /// The event's type.
    pub r#type: Option<Cow<'r, str>>,
    /// The version of the event's schema.
    pub version: Option<Cow<'r, str>>,
    /// When it was made; Narad writes RFC 3339 in UTC with milliseconds.
    pub timestamp: Option<Cow<'r, str>>,
    /// Who made it; Narad writes the client id.
    pub source: Option<Cow<'r, str>>,
}

impl Meta<'_> {
    /// Puts an event into its envelope.
    pub(crate) fn envelope<T>(self, data: T) -> Envelope<T> {
        let Envelope { data: (), id, r#type, version, timestamp, source } = self.empty_envelope();
        Envelope { data, id, r#type, version, timestamp, source }
    }

    /// Apart, so that it is compiled once and not for each event.
    fn empty_envelope(self) -> Envelope<()> {
        let owned = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
        Envelope {
            data: (),
            id: owned(self.id),
            r#type: owned(self.r#type),
            version: owned(self.version),
            timestamp: owned(self.timestamp),
            source: owned(self.source),
        }
    }
}
