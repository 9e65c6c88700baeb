//! A handler.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// A handler of a group, as [`Narad::handlers`](crate::Narad::handlers) shows it: what became of the records
/// that it was given since the start. Its `Display` is for a terminal:
///
/// ```text
/// billing/charge: 3 in flight; attempts: 120 ok, 4 err, 0 panic, 1 timeout
///   orders: 117 done, 1 skipped, 1 dead-lettered (1 Declined); of the group unhandled: …
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HandlerView {
    /// Its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// Its counts by topic: for each topic that it names, and for each topic of its pattern that has been
    /// assigned to this process.
    pub topics: Vec<TopicView>,
    /// Attempts that came to an end, by their results. A batch is one attempt.
    pub attempts: Attempts,
    /// Records that the handler has not finished: they are in an attempt, wait for the next one, or wait
    /// until their dead letter or a returned event is acknowledged.
    pub in_flight: usize,
}

/// The counts of a handler on one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TopicView {
    /// The topic.
    pub topic: String,
    /// The records that the handler has settled.
    #[serde(flatten)]
    pub settled: Settled,
    /// Those of them that are in a dead letter, by the class of their error: the name of its type, without
    /// its path. At most 50 classes, then `other`.
    pub dead_letters: BTreeMap<String, u64>,
    /// What no handler of the group took of the topic.
    pub unhandled: Unhandled,
}

/// Records by how they were settled: each counts once for each handler that it was given to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Settled {
    /// Handled.
    pub done: u64,
    /// Dropped by a rule: [`Outcome::skip`](crate::Outcome::skip), `dead_letter = skip`, or a record that has
    /// gone in too many rounds between a dead-letter topic and its replay.
    pub skipped: u64,
    /// Written to a dead-letter topic, and acknowledged.
    pub dead_lettered: u64,
}

/// Records of a topic that no handler of the group took, by the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Unhandled {
    /// Well-formed, of a type that no handler takes: skipped, and the log names each type once; with
    /// `unknown = "dead_letter"` to the group's dead letter.
    pub unknown_type: u64,
    /// Null values that no handler takes: to the group's dead letter; with `tombstone = "skip"` skipped.
    pub tombstone: u64,
    /// Not a JSON object, and no handler takes it as it is: to the group's dead letter.
    pub malformed: u64,
}

/// Attempts by their results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Attempts {
    /// The handler said that it is done.
    pub ok: u64,
    /// The handler returned an error or another outcome than done, for a batch at least of one record; or the
    /// record does not fit its parameters.
    pub err: u64,
    /// The handler panicked.
    pub panic: u64,
    /// The handler had no result within its `timeout`.
    pub timeout: u64,
}

impl HandlerView {
    /// What it has settled, over all of its topics.
    pub fn settled(&self) -> Settled {
        self.topics.iter().fold(Settled::default(), |all, topic| Settled {
            done: all.done + topic.settled.done,
            skipped: all.skipped + topic.settled.skipped,
            dead_lettered: all.dead_lettered + topic.settled.dead_lettered,
        })
    }

    /// Its counts on one topic; `None` where it does not handle the topic.
    pub fn topic(&self, topic: &str) -> Option<&TopicView> {
        self.topics.iter().find(|view| view.topic == topic)
    }
}

impl fmt::Display for HandlerView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, name, topics, attempts, in_flight } = self;
        let Attempts { ok, err, panic, timeout } = attempts;
        write!(f, "{group}/{name}: {in_flight} in flight; attempts: {ok} ok, {err} err, ")?;
        write!(f, "{panic} panic, {timeout} timeout")?;
        for TopicView { topic, settled, dead_letters, unhandled } in topics {
            let Settled { done, skipped, dead_lettered } = settled;
            write!(f, "\n  {topic}: {done} done, {skipped} skipped, {dead_lettered} dead-lettered")?;
            let classes: Vec<_> = dead_letters.iter().map(|(class, n)| format!("{n} {class}")).collect();
            if !classes.is_empty() {
                write!(f, " ({})", classes.join(", "))?;
            }
            let Unhandled { unknown_type, tombstone, malformed } = unhandled;
            if unknown_type + tombstone + malformed > 0 {
                write!(f, "; of the group unhandled: {unknown_type} of an unknown type, ")?;
                write!(f, "{tombstone} tombstones, {malformed} malformed")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_is_told_with_a_line_for_each_topic() {
        let settled = Settled { done: 117, skipped: 1, dead_lettered: 2 };
        let unhandled = Unhandled { unknown_type: 9, ..Unhandled::default() };
        let dead_letters = BTreeMap::from([("Declined".to_owned(), 2)]);
        let topic = |topic: &str| TopicView {
            topic: topic.to_owned(),
            settled,
            dead_letters: dead_letters.clone(),
            unhandled,
        };
        let view = HandlerView {
            group: "billing".to_owned(),
            name: "charge".to_owned(),
            topics: vec![topic("orders"), TopicView { unhandled: Unhandled::default(), ..topic("refunds") }],
            attempts: Attempts { ok: 120, err: 4, panic: 0, timeout: 1 },
            in_flight: 3,
        };
        assert_eq!(view.settled().done, 234);
        assert_eq!(
            view.to_string(),
            "billing/charge: 3 in flight; attempts: 120 ok, 4 err, 0 panic, 1 timeout\n  \
             orders: 117 done, 1 skipped, 2 dead-lettered (2 Declined); of the group unhandled: 9 of an unknown type, 0 \
             tombstones, 0 malformed\n  refunds: 117 done, 1 skipped, 2 dead-lettered (2 Declined)"
        );
        let json = serde_json::to_string(view.topic("refunds").unwrap()).unwrap();
        assert_eq!(
            json,
            r#"{"topic":"refunds","done":117,"skipped":1,"deadLettered":2,"deadLetters":{"Declined":2},"unhandled":{"unknownType":0,"tombstone":0,"malformed":0}}"#
        );
    }
}
