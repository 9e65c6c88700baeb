//! What of a record that nobody takes may stand in a log line or a header.

use crate::outcome::bounded;

/// A record's type as it may stand in a log line or a header.
pub(crate) fn shown_type(r#type: Option<&str>) -> String {
    // Of a type that is no text the payload's own JSON would be shown.
    let text = r#type.map(|text| if text.starts_with(['{', '[']) { "no text" } else { text });
    text.map_or_else(|| "none".to_owned(), |text| bounded(&text))
}
