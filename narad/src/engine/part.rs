//! A batch whose records have different fates comes apart: what is done is done, what is tried again stays
//! together, and each record that is given up goes its own way.
//!
//! Pure, so that order and completeness are tested against every mixture.

use std::collections::HashSet;

use crate::handler::Reply;
use crate::outcome::{Outcome, OutcomeKind};

/// Records of a batch, by their places in it, that have the same before them.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) places: Vec<usize>,
    pub(crate) next: Next,
}

/// What a part of a batch has before it.
#[derive(Debug)]
pub(crate) enum Next {
    /// Nothing: it is handled.
    Finished,
    /// What this reply says of all of it.
    Retried(Reply),
    /// An earlier record of its key comes first: it is handed over again, as if for the first time.
    HeldBack,
}

/// Takes a batch apart by what its handler said of each record. `again` tells whether an outcome leads to a
/// further attempt.
pub(crate) fn parts(keys: &[u64], reply: Reply, again: impl Fn(&Outcome) -> bool) -> Vec<Part> {
    let (mut finished, mut held_back, mut retried) = (Vec::new(), Vec::new(), Vec::<Part>::new());
    let mut each = reply.each.unwrap_or_default();
    let mut waited_for = HashSet::new();
    for (place, key) in keys.iter().enumerate() {
        let outcome = each.take(place);
        let halts = outcome.as_ref().is_some_and(|outcome| outcome.kind() == OutcomeKind::Halt);
        if waited_for.contains(key) && !halts {
            held_back.push(place);
            continue;
        }
        let Some(outcome) = outcome else {
            finished.push(place);
            continue;
        };
        if again(&outcome) {
            waited_for.insert(*key);
            let alike = |part: &&mut Part| matches!(&part.next, Next::Retried(reply) if reply.outcome.has_the_fate_of(&outcome));
            if let Some(part) = retried.iter_mut().find(alike) {
                part.places.push(place);
                continue;
            }
        }
        retried.push(Part { places: vec![place], next: Next::Retried(Reply::new(outcome)) });
    }
    let mut parts = retried;
    for (places, next) in [(finished, Next::Finished), (held_back, Next::HeldBack)] {
        if !places.is_empty() {
            parts.push(Part { places, next });
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::batch::BatchOutcome;

    /// What a handler said of a record: done, tried again, tried a last time, dead letter, skip.
    fn outcome(said: u8) -> Outcome {
        match said {
            0 => Outcome::done(),
            1 => Outcome::retry("again"),
            2 => Outcome::retry_after("last", std::time::Duration::ZERO),
            3 => Outcome::dead_letter("dead"),
            _ => Outcome::skip("skipped"),
        }
    }

    proptest! {
        #[test]
        fn every_record_has_one_way_and_none_overtakes_a_record_of_its_key_that_is_tried_again(
            records in prop::collection::vec((0u64..4, 0u8..5), 1..40)
        ) {
            let keys: Vec<u64> = records.iter().map(|(key, _)| *key).collect();
            let each: BatchOutcome = records.iter().map(|(_, said)| outcome(*said)).collect();
            let reply = Reply { each: Some(Box::new(each)), ..Reply::new(Outcome::done()) };
            let parts = parts(&keys, reply, |outcome| outcome.kind() == OutcomeKind::Retry);
            let mut ways: Vec<Option<&str>> = vec![None; records.len()];
            for part in &parts {
                prop_assert!(part.places.is_sorted());
                for place in &part.places {
                    let way = match &part.next {
                        Next::Finished => "finished",
                        Next::HeldBack => "held back",
                        Next::Retried(reply) => match reply.outcome.kind() {
                            OutcomeKind::Retry => "again",
                            _ => { prop_assert_eq!(part.places.len(), 1, "each is given up by itself"); "given up" }
                        },
                    };
                    prop_assert!(ways[*place].replace(way).is_none(), "one way for each");
                }
            }
            // The naive model: behind the first of a key that is tried again, everything of that key waits.
            let mut waits = [false; 4];
            for ((key, said), way) in records.iter().zip(ways) {
                let expected = match said {
                    _ if waits[*key as usize] => "held back",
                    0 => "finished",
                    1 => "again",
                    _ => "given up",
                };
                waits[*key as usize] |= expected == "again";
                prop_assert_eq!(way, Some(expected));
            }
        }
    }
}
