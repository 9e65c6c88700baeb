//! What the codec has to know of an event's type before it sees a value.

/// How the type of an event looks on the wire.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The types that it takes: one, or those of a closed set.
    pub types: &'static [&'static str],
    /// The version of an event of one type.
    pub version: &'static str,
    /// The topic, where the event names one: known without asking for [`TopicEvent`](crate::TopicEvent).
    pub topic: Option<&'static str>,
    /// The shapes behind `types` in the same order, for a closed set; empty for an event of one type.
    pub variants: &'static [Shape],
    /// A closed set that takes all the rest.
    pub other: bool,
    /// Where its metadata stands as it is written.
    pub format: Format,
    /// The bytes of an event of one type; a closed set has those of its variants.
    pub encoding: Encoding,
    /// What is known of its fields, by which an envelope is told from a flat body.
    pub fields: Fields,
    /// It names a key, which `ordering = "key"` wants.
    pub keyed: bool,
    /// Where it is declared, and what people read of it.
    pub about: &'static About,
}

/// Where a type or a function is declared, and what people read of it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct About {
    pub name: &'static str,
    /// The key of an event, as its attribute has it.
    pub key: Option<&'static str>,
    /// Its doc comment, as written.
    pub docs: &'static str,
    pub file: &'static str,
    pub line: u32,
}

impl About {
    /// Of what is not declared.
    pub(crate) const NOTHING: Self = Self { name: "", key: None, docs: "", file: "", line: 0 };
}

/// The layout of an event that is written: where its metadata stands. How the bytes say it is its
/// [`Encoding`].
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Envelope,
    Flat,
}

/// How the bytes of a payload say what an event holds.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Json,
    #[cfg(test)]
    Frames,
}

impl Encoding {
    /// What people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            #[cfg(test)]
            Self::Frames => "frames",
        }
    }
}

/// What is known of an event's fields.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fields {
    /// An object with fields of these names on the wire (aliases included).
    Named(&'static [&'static str]),
    /// The same, with others that are not known: an enum with a tag, whose variants hold other types.
    Partly(&'static [&'static str]),
    /// An object whose fields are not known: `flatten`, `serde = manual`.
    Open,
    /// A newtype, tuple, unit or enum: any `data` makes an envelope.
    Value,
}

#[cfg(test)]
impl Shape {
    /// Of an event of one type, without topic and key.
    pub(crate) const fn of_tests(types: &'static [&'static str], format: Format, fields: Fields) -> Self {
        Self { types, version: "1.0", other: false, format, fields, ..Self::UNKNOWN }
    }
}

impl Shape {
    /// What is assumed where no event is asked for: the strict rule tells an envelope.
    pub(crate) const UNKNOWN: Self = Self {
        types: &[],
        version: "",
        topic: None,
        variants: &[],
        other: true,
        format: Format::Envelope,
        encoding: Encoding::Json,
        fields: Fields::Open,
        keyed: false,
        about: &About::NOTHING,
    };

    /// Whether the event itself has a field of this name on the wire.
    pub(crate) fn has_field(&self, name: &str) -> bool {
        matches!(self.fields, Fields::Named(names) | Fields::Partly(names) if names.contains(&name))
    }

    /// Whether the body's `type`, where there is one, is the event's type whatever else the record says.
    pub(crate) fn has_type_in_body(&self) -> bool {
        match self.variants {
            [] => !self.may_have_own_type(),
            variants => !self.has_field("type") && !variants.iter().any(Self::may_have_own_type),
        }
    }

    /// Whether the body's `type` may be a field of the event's: then its own type may stand in a header.
    pub(crate) fn may_have_own_type(&self) -> bool {
        self.has_field("type") || !matches!(self.fields, Fields::Named(_))
    }
}
