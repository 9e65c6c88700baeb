//! The way of a group's commits to its coordinator: in requests that are not too large, each partition judged
//! by itself, one request at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::commit_gate::{Coordinator, Place, Settled};
use crate::clock::Clock;
use crate::engine::without_map;
use crate::transport::{Class, CommitError, Fault, Member, Position, Sent, Verdict};

/// The coordinator writes a request as one batch into its topic of offsets, which takes 1 MB of them by
/// default.
const REQUEST: usize = 256 << 10;
/// What a partition takes of it beside its topic's name and its note.
const PARTITION: usize = 100;
/// So long the coordinator has to say that it knows no such partition until that is believed: one that has
/// only begun does not know all of them.
const SURE: Duration = Duration::from_secs(2);
/// A partition that the coordinator does not know is then asked for again after so long, unless it goes on.
const GONE: Duration = Duration::from_secs(30);
/// An answer that lies there already is found within this.
const MOMENT: Duration = Duration::from_millis(50);

/// What is known of the coordinator, and what it has not answered.
#[derive(Default)]
pub(super) struct Channel {
    state: Mutex<State>,
    /// Partitions that the coordinator does not know; looked at by those who wait for no commit.
    gone: Mutex<BTreeMap<Place, Gone>>,
}

struct State {
    /// The commit that was not answered in time. While it is on its way no other is sent: whatever its answer
    /// is, the later one decides.
    unanswered: Option<Box<dyn Sent>>,
    /// When a commit was answered last.
    heard: Option<Instant>,
    /// A request has at most so many bytes.
    request: usize,
    /// A note of so many bytes was refused.
    note: usize,
    note_said: bool,
}

/// A partition that the coordinator does not know: each time that it was asked to commit it, since then.
struct Gone {
    since: Instant,
    /// What was to be committed the last time, and when that was.
    position: Position,
    asked: Instant,
}

impl Gone {
    fn is_sure(&self) -> bool {
        self.asked.duration_since(self.since) >= SURE
    }
}

impl Default for State {
    fn default() -> Self {
        Self { unanswered: None, heard: None, request: REQUEST, note: usize::MAX, note_said: false }
    }
}

impl Channel {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gone(&self) -> MutexGuard<'_, BTreeMap<Place, Gone>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out the commit that has no answer yet.
    pub(super) fn take_unanswered(&self) -> Option<Box<dyn Sent>> {
        let sent = self.lock().unanswered.take();
        // Its answer may have come when nobody waited for it any more.
        sent.and_then(|sent| sent.answer(MOMENT).err())
    }

    pub(super) fn heard(&self) -> Option<Instant> {
        self.lock().heard
    }

    /// Whether the coordinator knows no such partition, for all that it said.
    fn is_gone(&self, place: &Place) -> bool {
        self.gone().get(place).is_some_and(Gone::is_sure)
    }

    /// Whether the coordinator knew no such partition when it was asked to commit this: there is nothing to
    /// be committed of it.
    pub(super) fn was_gone(&self, place: &Place, position: &Position) -> bool {
        self.gone().get(place).is_some_and(|gone| gone.is_sure() && gone.position == *position)
    }
}

/// How far a commit is: its requests, one of which is on its way at a time.
#[derive(Default)]
pub(super) struct Sending {
    /// What was told of each partition.
    told: BTreeMap<Place, Position>,
    /// What is to be sent.
    requests: VecDeque<Vec<(Place, Position)>>,
    on_way: Option<OnWay>,
    failure: Option<CommitError>,
    /// Something was sent.
    pub(super) any: bool,
}

/// A request that was sent.
struct OnWay {
    answer: Answer,
    /// How many partitions it has, and how many bytes; zero of an earlier commit's.
    count: usize,
    bytes: usize,
}

/// The verdicts of an answer, and the size of what was sent.
type Answered = (Vec<Verdict>, usize, usize);

enum Answer {
    Awaited(Box<dyn Sent>),
    Came(Vec<Verdict>),
}

impl Sending {
    /// Waits for the answer to what is on its way.
    pub(super) fn wait(&mut self, at_most: Duration) {
        self.on_way = self.on_way.take().map(|on_way| OnWay {
            answer: match on_way.answer {
                Answer::Awaited(sent) => sent.answer(at_most).map_or_else(Answer::Awaited, Answer::Came),
                came @ Answer::Came(_) => came,
            },
            ..on_way
        });
    }
}

/// One commit's way, as it is in one of its steps.
pub(super) struct Way<'a> {
    pub(super) group: &'a str,
    pub(super) clock: &'a Clock,
    pub(super) channel: &'a Channel,
    pub(super) client: &'a Arc<dyn Member>,
    /// The time for an answer is over.
    pub(super) gives_up: bool,
    /// No other commit follows this one.
    pub(super) last: bool,
    pub(super) sending: &'a mut Sending,
}

impl Way<'_> {
    /// The answer to what is on its way, with the size of its request. Where it is given up, what is on its
    /// way is kept.
    fn answer(&mut self) -> Poll<Result<Answered, CommitError>> {
        // The answer that lies there counts, whatever has happened since.
        self.sending.wait(Duration::ZERO);
        match self.sending.on_way.take() {
            None => Poll::Ready(Ok((Vec::new(), 0, 0))),
            Some(OnWay { answer: Answer::Came(verdicts), count, bytes }) => {
                if verdicts
                    .iter()
                    .any(|(.., verdict)| verdict.map_or_else(|fault| fault.of_broker, |()| true))
                {
                    self.channel.lock().heard = Some(self.clock.now());
                }
                Poll::Ready(Ok((verdicts, count, bytes)))
            }
            Some(OnWay { answer: Answer::Awaited(sent), count, bytes }) => {
                let lost = self.client.is_assignment_lost();
                if lost || self.gives_up {
                    self.channel.lock().unanswered = Some(sent);
                    return Poll::Ready(Err(if lost { CommitError::Lost } else { CommitError::TimedOut }));
                }
                self.sending.on_way = Some(OnWay { answer: Answer::Awaited(sent), count, bytes });
                Poll::Pending
            }
        }
    }

    /// What became of each partition of a request; what of it is to be sent again is added to the requests.
    fn judge(&mut self, verdicts: Vec<Verdict>, count: usize, bytes: usize, settled: &mut Settled) {
        let mut state = self.channel.lock();
        let (mut again, mut gone) = (Vec::new(), Vec::new());
        for (place, position, verdict) in verdicts {
            let shorter = fitted(&position, position.metadata.len());
            let has_note = shorter.metadata.len() < position.metadata.len();
            match verdict {
                Ok(()) => {
                    self.channel.gone().remove(&place);
                    settled.extend(
                        self.sending
                            .told
                            .get_key_value(&place)
                            .map(|(place, position)| (place.clone(), position.clone())),
                    );
                }
                Err(Fault { class: Class::CommitTooLarge, .. }) if count > 1 => {
                    state.request = state.request.min(bytes / 2);
                    again.push((place, position));
                }
                Err(Fault { class: Class::NoteTooLarge | Class::CommitTooLarge, .. }) if has_note => {
                    self.note_refused(&mut state, &place, position.metadata.len());
                    again.push((place, shorter));
                }
                // Not its own error: there is nothing to be shortened.
                Err(Fault { class: Class::NoteTooLarge, .. }) if count > 1 => {
                    self.sending.requests.push_back(vec![(place, position)])
                }
                Err(fault @ Fault { class: Class::UnknownTopic, .. }) => {
                    let known = self.channel.is_gone(&place);
                    if !self.is_unknown(&place, &self.sending.told[&place]) {
                        failed(&mut self.sending.failure, fault);
                    } else if !known {
                        gone.push(place);
                    }
                }
                Err(fault) => failed(&mut self.sending.failure, fault),
            }
        }
        self.say_gone(&gone);
        split(again, state.request, &mut self.sending.requests);
    }

    /// Whether the partition is one that the coordinator does not know, and not worth another question.
    fn passes_over(&self, place: &Place, position: &Position) -> bool {
        let gone = self.channel.gone();
        gone.get(place).filter(|_| !self.last).is_some_and(|gone| {
            gone.is_sure() && gone.position == *position && self.clock.now().duration_since(gone.asked) < GONE
        })
    }

    /// The coordinator did not know a partition when this was to be committed of it: whether that is sure by
    /// now.
    fn is_unknown(&self, place: &Place, position: &Position) -> bool {
        let mut gone = self.channel.gone();
        let now = self.clock.now();
        let entry = gone.entry(place.clone()).or_insert_with(|| Gone {
            since: now,
            position: position.clone(),
            asked: now,
        });
        (entry.position, entry.asked) = (position.clone(), now);
        entry.is_sure()
    }

    /// A note was refused: shorter ones are sent from now on.
    fn note_refused(&self, state: &mut State, (topic, partition): &Place, bytes: usize) {
        state.note = state.note.min(bytes);
        if !std::mem::replace(&mut state.note_said, true) {
            tracing::warn!(
                group = self.group, partition = %format_args!("{topic}/{partition}"), bytes,
                "the broker takes no note of this size with a commit (offset.metadata.max.bytes, 4096 by \
                 default): committed without it. \
                 What is finished behind a record that waits is repeated after a restart"
            );
        }
    }

    /// Partitions that the coordinator does not know.
    fn say_gone(&self, gone: &[Place]) {
        if !gone.is_empty() {
            let names: Vec<_> =
                gone.iter().map(|(topic, partition)| format!("{topic}/{partition}")).collect();
            tracing::warn!(
                group = self.group,
                partitions = names.join(" "),
                "the coordinator knows no such partition: the topic was deleted, and nothing of it is \
                 committed"
            );
        }
    }
}

impl Coordinator for Way<'_> {
    type Error = CommitError;

    fn settle(&mut self, settled: &mut Settled) -> Poll<Result<(), CommitError>> {
        if self.sending.on_way.is_none() {
            let unanswered = self.channel.lock().unanswered.take();
            self.sending.on_way =
                unanswered.map(|sent| OnWay { answer: Answer::Awaited(sent), count: 0, bytes: 0 });
        }
        self.answer().map_ok(|(verdicts, ..)| {
            // What was refused is sent again, as it is now.
            settled.extend(
                verdicts
                    .into_iter()
                    .filter(|(_, _, verdict)| verdict.is_ok())
                    .map(|(place, position, _)| (place, position)),
            );
        })
    }

    fn may_commit(&self) -> Result<(), CommitError> {
        if self.client.is_assignment_lost() { Err(CommitError::Lost) } else { Ok(()) }
    }

    fn begin(&mut self, changed: Vec<(Place, Position)>) {
        let told: BTreeMap<Place, Position> =
            changed.into_iter().filter(|(place, position)| !self.passes_over(place, position)).collect();
        let (note, request) = {
            let state = self.channel.lock();
            (state.note, state.request)
        };
        let fitting = told.iter().map(|(place, position)| (place.clone(), fitted(position, note)));
        self.sending.requests.clear();
        split(fitting.collect(), request, &mut self.sending.requests);
        self.sending.any |= !told.is_empty();
        self.sending.told = told;
    }

    fn sent(&mut self, settled: &mut Settled) -> Poll<Result<(), CommitError>> {
        loop {
            if self.sending.on_way.is_none() {
                let Some(positions) = self.sending.requests.pop_front() else {
                    return Poll::Ready(self.sending.failure.take().map_or(Ok(()), Err));
                };
                let (count, bytes) = (positions.len(), positions.iter().map(bytes).sum::<usize>());
                let sent = self.client.clone().commit(positions).map_err(CommitError::Refused)?;
                self.sending.on_way = Some(OnWay { answer: Answer::Awaited(sent), count, bytes });
            }
            let (verdicts, count, bytes) = match self.answer() {
                Poll::Ready(answer) => answer?,
                Poll::Pending => return Poll::Pending,
            };
            self.judge(verdicts, count, bytes, settled);
        }
    }
}

/// Of several failures one that passes is told, if there is one: that is worth another try, whatever the
/// others are.
fn failed(failure: &mut Option<CommitError>, fault: Fault) {
    *failure = Some(failure.filter(|before| before.passes()).unwrap_or(CommitError::Refused(fault)));
}

/// What of a position fits where notes have to be shorter than this. What says where the group began stays.
fn fitted(position: &Position, note: usize) -> Position {
    if position.metadata.len() < note { position.clone() } else { without_map(position) }
}

/// How much of a request a partition takes.
fn bytes(((topic, _), position): &(Place, Position)) -> usize {
    PARTITION + topic.len() + position.metadata.len()
}

/// Adds requests that have at most so many bytes each, but one partition at least.
fn split(positions: Vec<(Place, Position)>, most: usize, requests: &mut VecDeque<Vec<(Place, Position)>>) {
    let (mut request, mut taken) = (Vec::new(), 0);
    for partition in positions {
        let size = bytes(&partition);
        if taken + size > most && !request.is_empty() {
            requests.push_back(std::mem::take(&mut request));
            taken = 0;
        }
        taken += size;
        request.push(partition);
    }
    if !request.is_empty() {
        requests.push_back(request);
    }
}

impl CommitError {
    /// Whether the same commit may be taken in a moment.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::TimedOut => true,
            Self::Lost => false,
            Self::Refused(fault) => matches!(
                fault.class,
                Class::Rebalancing
                    | Class::OldGeneration
                    // A heartbeat has made the member's epoch a later one while the commit was on its way
                    // (KIP-848).
                    | Class::StaleEpoch
                    | Class::Passing
                    // Handed on only until that is sure.
                    | Class::UnknownTopic
                    // What the coordinator says where its own log does not take the commit for the moment.
                    | Class::Unknown
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Bound, Map, NextOffset, Note, began};
    use crate::handler::Ordering;
    use crate::transport::{embedded, idle_member};

    fn positions(count: i32, note: usize) -> Vec<(Place, Position)> {
        (0..count)
            .map(|number| {
                (("topic".to_owned(), number), Position { next: 1, metadata: "n".repeat(note), epoch: -1 })
            })
            .collect()
    }

    #[test]
    fn a_commit_whose_answer_is_there_is_no_longer_on_its_way() {
        const PATIENCE: Duration = Duration::from_secs(60);
        embedded::create_topic("answered").unwrap();
        let client = idle_member("answered");
        client.committed(&[("answered", 0)], PATIENCE).expect("the coordinator is there");
        let channel = Channel::default();
        let position = Position { next: 7, metadata: String::new(), epoch: -1 };
        channel.lock().unanswered = client.clone().commit(vec![(("answered".to_owned(), 0), position)]).ok();
        // A coordinator answers one after the other.
        client.committed(&[("answered", 0)], PATIENCE).expect("the coordinator is there");
        assert!(channel.take_unanswered().is_none(), "its answer lies in its queue");
        client.close(PATIENCE);
    }

    #[test]
    fn a_thousand_partitions_with_full_notes_go_in_requests_that_a_broker_takes() {
        let mut requests = VecDeque::new();
        split(positions(1_000, 4_096), REQUEST, &mut requests);
        assert!(requests.iter().all(|request| request.iter().map(bytes).sum::<usize>() <= REQUEST));
        assert_eq!(requests.iter().map(Vec::len).sum::<usize>(), 1_000);
        assert!((16..=20).contains(&requests.len()), "{}", requests.len());
    }

    #[test]
    fn a_partition_that_is_larger_than_a_request_has_one_of_its_own() {
        let mut requests = VecDeque::new();
        split(positions(3, 4_096), 10, &mut requests);
        assert_eq!(requests.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
    }

    #[test]
    fn where_a_group_began_stays_when_its_note_does_not_fit() {
        let bound = Bound::new("group", "topic", 0, Some("cluster"), Ordering::Key);
        let map = Map::of_keys(NextOffset(0), NextOffset(1_000), (0..100u64).map(|key| (key, key as i64)));
        let full = Position {
            next: 0,
            metadata: bound.write(NextOffset(0), Note::new(map).with_began(7)),
            epoch: 3,
        };
        assert_eq!(fitted(&full, usize::MAX), full);
        let short = fitted(&full, full.metadata.len());
        assert!(short.metadata.len() < 40 && short.epoch == 3, "{}", short.metadata);
        assert_eq!(began("group", "topic", &short.metadata), 7);
        assert_eq!(fitted(&short, 0), short, "it gets no shorter");
    }
}
