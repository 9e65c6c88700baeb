//! Dead letters: what is written, and where.

use crate::outcome::Cause;
use crate::record::Record;
use crate::transport::Outgoing;

/// All headers of Narad's on a dead letter begin with this.
const PREFIX: &str = "narad-dlq-";

/// So often a record may go from a dead-letter topic through a handler and back: a loop of replays has to
/// end.
const MAX_HOPS: u32 = 16;

/// Where a record goes that its handler gives up.
pub(crate) type DeadLetter = narad_syntax::options::DeadLetter<String>;

/// A record that is given up, and why.
pub(crate) struct Failed<'a> {
    pub(crate) record: &'a Record,
    pub(crate) group: &'a str,
    /// Empty for the group's own dead letter.
    pub(crate) handler: &'a str,
    pub(crate) attempts: u32,
    pub(crate) cause: &'a Cause,
}

/// The dead-letter topic of a group for a topic: what topics may not have in their names becomes `_`.
pub(crate) fn group_topic(topic: &str, group: &str) -> String {
    if topic.ends_with(".dlq") {
        // What was read from a dead-letter topic goes back to it.
        return topic.to_owned();
    }
    let group: String = group.chars().map(|c| if narad_syntax::topic::allows(c) { c } else { '_' }).collect();
    format!("{topic}.{group}.dlq")
}

/// Whether a topic holds dead letters: by its name, or because the handler's go there.
pub(crate) fn is_dead_letter(topic: &str, dead_letter: &DeadLetter) -> bool {
    topic.ends_with(".dlq") || matches!(dead_letter, DeadLetter::Topic(name) if name == topic)
}

/// The dead letter of a record: key, value and headers as they came, and Narad's headers. `None` where it has
/// made too many rounds.
pub(crate) fn build(topic: &str, failed: &Failed<'_>) -> Option<Outgoing> {
    let record = failed.record;
    // On a source topic these headers are anybody's, and not believed.
    let replayed = record.topic() == topic;
    let hops =
        if replayed { inbound(record, "hops").map_or(0, |hops| count(&hops)) } else { 0 }.saturating_add(1);
    if hops > MAX_HOPS {
        return None;
    }
    let origin = |name: &str, own: String| if replayed { inbound(record, name).unwrap_or(own) } else { own };
    let mut headers: Vec<(Vec<u8>, Option<Vec<u8>>)> = record
        .headers()
        .filter(|(name, _)| !name.starts_with(PREFIX.as_bytes()))
        .map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)))
        .collect();
    let mut add = |name: &str, value: String| {
        headers.push((format!("{PREFIX}{name}").into_bytes(), Some(value.into_bytes())))
    };
    add("topic", origin("topic", record.topic().to_owned()));
    add("partition", origin("partition", record.partition().to_string()));
    add("offset", origin("offset", record.offset().to_string()));
    add(
        "timestamp",
        origin("timestamp", record.timestamp().map(|timestamp| timestamp.to_string()).unwrap_or_default()),
    );
    add("group", failed.group.to_owned());
    add("handler", failed.handler.to_owned());
    add("attempts", failed.attempts.to_string());
    add("error-class", failed.cause.class.to_owned());
    add("error", failed.cause.text.clone());
    add("hops", hops.to_string());
    Some(Outgoing {
        topic: topic.to_owned(),
        key: record.key().map(<[u8]>::to_vec),
        payload: record.payload().map(<[u8]>::to_vec),
        headers,
        ..Outgoing::default()
    })
}

/// A number of rounds, as anybody may have written it: one that is too large to be told is too many, anything
/// else is none.
fn count(text: &str) -> u32 {
    text.parse().unwrap_or(if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        u32::MAX
    } else {
        0
    })
}

/// One of Narad's headers on a record that was read from a dead-letter topic.
fn inbound(record: &Record, name: &str) -> Option<String> {
    let value = record.header(&format!("{PREFIX}{name}"))?;
    // Longer than any topic name: not one of ours.
    (value.len() <= narad_syntax::topic::MAX_LENGTH).then(|| String::from_utf8(value.to_vec()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz;
    use crate::record::{Assignment, Source};
    use crate::transport::{Message, OwnedMessage};

    type Headers = Vec<(Vec<u8>, Option<Vec<u8>>)>;

    fn record(topic: &str, headers: Headers) -> Record {
        let source = Source::bare(topic.into(), 3, Assignment::new(Default::default()));
        Record::new(
            source,
            Message::Owned(OwnedMessage { headers, payload: Some(b"{".to_vec()), ..OwnedMessage::default() }),
        )
    }

    fn dead(record: &Record, topic: &str) -> Option<Outgoing> {
        let cause = Cause { text: "it failed".to_owned(), class: "shop::Broken" };
        build(topic, &Failed { record, group: "g", handler: "h", attempts: 5, cause: &cause })
    }

    /// The headers that are not Narad's, in their order, and how many are.
    fn parted(headers: &Headers) -> (Headers, usize) {
        let (own, others): (Headers, Headers) =
            headers.iter().cloned().partition(|(name, _)| name.starts_with(PREFIX.as_bytes()));
        (others, own.len())
    }

    #[test]
    fn whatever_stands_in_dead_letter_headers_the_rounds_end_and_other_headers_stay() {
        let names = ["hops", "topic", "partition", "offset", "timestamp", "group", "x", ""];
        fuzz::run(
            &[b"1", b"16", b"15", b"4294967296", b"-1", b"", b"orders", b"\xff\xfe", "\u{663}".as_bytes()],
            |value| {
                let of = |name: &str| (format!("{PREFIX}{name}").into_bytes(), Some(value.to_vec()));
                let mut headers: Headers =
                    vec![(value.to_vec(), None), ("trace".into(), Some(value.to_vec()))];
                headers
                    .extend(names.iter().filter(|name| name.len() != value.len() % 7).map(|name| of(name)));
                let (others, _) = parted(&headers);
                // On a source topic nobody is believed.
                let first =
                    dead(&record("orders", headers.clone()), "orders.g.dlq").expect("its first round");
                assert_eq!(parted(&first.headers), (others.clone(), 10));
                assert!(first.headers.contains(&(b"narad-dlq-hops".to_vec(), Some(b"1".to_vec()))));
                assert!(first.headers.contains(&(b"narad-dlq-topic".to_vec(), Some(b"orders".to_vec()))));
                // From the dead-letter topic back to it: an end comes, whoever wrote the number.
                let mut replayed = record("orders.g.dlq", headers);
                let mut rounds = 0;
                while let Some(again) = dead(&replayed, "orders.g.dlq") {
                    assert_eq!(parted(&again.headers), (others.clone(), 10));
                    replayed = record("orders.g.dlq", again.headers);
                    rounds += 1;
                    assert!(rounds <= MAX_HOPS);
                }
            },
        );
    }

    #[test]
    fn no_number_of_rounds_breaks_or_escapes_the_guard() {
        for (text, rounds) in [
            ("0", 0),
            ("15", 15),
            ("0016", 16),
            ("4294967295", u32::MAX),
            ("4294967296", u32::MAX),
            ("99999999999999999999999", u32::MAX),
        ] {
            assert_eq!(count(text), rounds, "{text}");
        }
        for text in ["", "-1", "1.5", "many", " 3", "\u{0663}", "-99999999999999999999"] {
            assert_eq!(count(text), 0, "{text}");
        }
    }
}
