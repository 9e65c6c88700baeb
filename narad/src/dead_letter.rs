//! Dead letters: what is written, and where.

use crate::consumer::DeadLetter;
use crate::outcome::Cause;
use crate::producer::Outgoing;
use crate::record::Record;

/// All headers of Narad's on a dead letter begin with this.
const PREFIX: &str = "narad-dlq-";

/// So often a record may go from a dead-letter topic through a handler and back: a loop of replays has to end.
const MAX_HOPS: u32 = 16;

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
    let group: String = group.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' }).collect();
    format!("{topic}.{group}.dlq")
}

/// Whether a topic holds dead letters: by its name, or because the handler's go there.
pub(crate) fn is_dead_letter(topic: &str, dead_letter: &DeadLetter) -> bool {
    topic.ends_with(".dlq") || matches!(dead_letter, DeadLetter::Topic(name) if name == topic)
}

/// The dead letter of a record: key, value and headers as they came, and Narad's headers. `None` where it has made too many rounds.
pub(crate) fn build(topic: &str, failed: &Failed<'_>) -> Option<Outgoing> {
    let record = failed.record;
    // On a source topic these headers are anybody's, and not believed.
    let replayed = record.topic() == topic;
    let hops = 1 + if replayed { inbound(record, "hops").and_then(|hops| hops.parse().ok()).unwrap_or(0) } else { 0 };
    if hops > MAX_HOPS {
        return None;
    }
    let origin = |name: &str, own: String| if replayed { inbound(record, name).unwrap_or(own) } else { own };
    let mut headers: Vec<(Vec<u8>, Option<Vec<u8>>)> = record
        .headers()
        .filter(|(name, _)| !name.starts_with(PREFIX.as_bytes()))
        .map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)))
        .collect();
    let mut add = |name: &str, value: String| headers.push((format!("{PREFIX}{name}").into_bytes(), Some(value.into_bytes())));
    add("topic", origin("topic", record.topic().to_owned()));
    add("partition", origin("partition", record.partition().to_string()));
    add("offset", origin("offset", record.offset().to_string()));
    add("timestamp", origin("timestamp", record.timestamp().map(|timestamp| timestamp.to_string()).unwrap_or_default()));
    add("group", failed.group.to_owned());
    add("handler", failed.handler.to_owned());
    add("attempts", failed.attempts.to_string());
    add("error-class", failed.cause.class.to_owned());
    add("error", failed.cause.text.clone());
    add("hops", hops.to_string());
    Some(Outgoing {
        topic: topic.to_owned(),
        partition: None,
        key: record.key().map(<[u8]>::to_vec),
        payload: record.payload().map(<[u8]>::to_vec),
        headers,
    })
}

/// One of Narad's headers on a record that was read from a dead-letter topic.
fn inbound(record: &Record, name: &str) -> Option<String> {
    let value = record.header(&format!("{PREFIX}{name}"))?;
    // Longer than any topic name: not one of ours.
    (value.len() <= 249).then(|| String::from_utf8(value.to_vec()).ok()).flatten()
}
