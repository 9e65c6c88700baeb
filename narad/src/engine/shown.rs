//! What of a record that nobody takes may stand in a log line or a header.

use crate::outcome::bounded;
use crate::record::Record;

/// A record's type as it may stand in a log line or a header.
pub(crate) fn shown_type(r#type: Option<&str>) -> String {
    // Of a type that is no text the payload's own JSON would be shown.
    let text = r#type.map(|text| if text.starts_with(['{', '[']) { "no text" } else { text });
    text.map_or_else(|| "none".to_owned(), |text| bounded(&text))
}

/// So many names of headers are shown of a record, and so many characters of each.
const MOST_NAMES: usize = 16;
const MOST_OF_A_NAME: usize = 64;

/// The names of a record's headers, each once, as they may stand in a log line: bounded, and without what
/// could forge another line. Their values are nobody's to see.
pub(crate) fn shown_headers(record: &Record) -> String {
    let mut names: Vec<&[u8]> = Vec::new();
    for (name, _) in record.headers() {
        if names.len() <= MOST_NAMES && !names.contains(&name) {
            names.push(name);
        }
    }
    let mut shown: Vec<String> = names.iter().take(MOST_NAMES).map(|name| shown_name(name)).collect();
    if names.len() > MOST_NAMES {
        shown.push("…".to_owned());
    }
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}

fn shown_name(name: &[u8]) -> String {
    // A character has at most four bytes, so no more of a long name is looked at.
    let text = String::from_utf8_lossy(&name[..name.len().min(4 * MOST_OF_A_NAME + 4)]);
    let mut shown: String = text.chars().take(MOST_OF_A_NAME).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST_OF_A_NAME).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Assignment, Source};
    use crate::transport::{Message, OwnedMessage};

    fn shown(names: &[&[u8]]) -> String {
        let headers = names.iter().map(|name| (name.to_vec(), Some(b"secret".to_vec()))).collect();
        let source = Source::bare("t".into(), 0, Assignment::new(Default::default()));
        let message = OwnedMessage { headers, ..OwnedMessage::default() };
        shown_headers(&Record::new(source, Message::Owned(message)))
    }

    #[test]
    fn headers_are_shown_by_their_names_each_once() {
        assert_eq!(shown(&[]), "none");
        assert_eq!(shown(&[b"eventType", b"id", b"eventType"]), "eventType, id");
    }

    #[test]
    fn whatever_names_headers_have_they_are_one_line_that_is_bounded() {
        let odd: &[&[u8]] = &[b"a\nERROR forged", b"\x1b[2J", b"\xff", "\u{202e}".as_bytes(), b"", b"it's"];
        assert_eq!(shown(odd), "a\\nERROR forged, \\u{1b}[2J, \u{fffd}, \\u{202e}, , it\\'s");
        let many: Vec<Vec<u8>> = (0..10_000).map(|n| format!("header-{n}").into_bytes()).collect();
        let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
        assert!(shown(&many).ends_with("header-15, …"), "{}", shown(&many));
        assert!(shown(&many[..16]).ends_with("header-15"));
        for long in ["x".repeat(100_000), "\u{10ffff}".repeat(1_000), "é".repeat(1_000)] {
            let shown = shown(&[long.as_bytes()]);
            assert!(shown.ends_with('…') && shown.len() < 1_000, "{} bytes", shown.len());
        }
    }
}
