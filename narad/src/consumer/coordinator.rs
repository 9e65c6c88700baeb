//! The way of a group's commits to its coordinator: in requests that are not too large, each partition judged by itself, one request at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::fence::{Coordinator, Place, Settled};
use super::note::without_map;
use crate::transport::{Client, CommitError, Position, QueueError, Sent, Verdict, commit};

/// The coordinator writes a request as one batch into its topic of offsets, which takes 1 MB of them by default.
const REQUEST: usize = 256 << 10;
/// What a partition takes of it beside its topic's name and its note.
const PARTITION: usize = 100;
/// A partition that the coordinator does not know is asked for again after so long, unless it goes on.
const GONE: Duration = Duration::from_secs(30);

/// What is known of the coordinator, and what it has not answered.
#[derive(Default)]
pub(super) struct Channel(Mutex<State>);

struct State {
    /// The commit that was not answered in time. While it is on its way no other is sent: whatever its answer is, the later one decides.
    unanswered: Option<Sent>,
    /// When a commit was answered last.
    heard: Option<Instant>,
    /// A request has at most so many bytes.
    request: usize,
    /// A note of so many bytes was refused.
    note: usize,
    note_said: bool,
    /// Partitions that the coordinator does not know, with what was to be committed of them.
    gone: BTreeMap<Place, (Position, Instant)>,
}

impl Default for State {
    fn default() -> Self {
        Self { unanswered: None, heard: None, request: REQUEST, note: usize::MAX, note_said: false, gone: BTreeMap::new() }
    }
}

impl Channel {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out the commit that has no answer yet.
    pub(super) fn take_unanswered(&self) -> Option<Sent> {
        self.lock().unanswered.take()
    }

    pub(super) fn heard(&self) -> Option<Instant> {
        self.lock().heard
    }

    /// Whether the coordinator knows no such partition: there is nothing to be committed of it.
    pub(super) fn is_gone(&self, place: &Place) -> bool {
        self.lock().gone.contains_key(place)
    }
}

/// One commit's way.
pub(super) struct Way<'a> {
    pub(super) group: &'a str,
    pub(super) channel: &'a Channel,
    pub(super) client: &'a Arc<Client>,
    pub(super) gives_up: &'a dyn Fn() -> bool,
    /// No other commit follows this one.
    pub(super) last: bool,
}

impl Way<'_> {
    /// Waits for an answer, or keeps what is on its way.
    fn answer(&self, state: &mut State, sent: Sent) -> Result<Vec<Verdict>, CommitError> {
        match sent.answer(&|| self.client.is_assignment_lost() || (self.gives_up)()) {
            Ok(verdicts) => {
                state.heard = Some(Instant::now());
                Ok(verdicts)
            }
            Err(sent) => {
                state.unanswered = Some(sent);
                Err(if self.client.is_assignment_lost() { CommitError::Lost } else { CommitError::TimedOut })
            }
        }
    }

    /// Whether the partition is one that the coordinator does not know, and not worth another question.
    fn passes_over(&self, state: &State, place: &Place, position: &Position) -> bool {
        let known = state.gone.get(place).filter(|_| !self.last);
        known.is_some_and(|(asked, when)| asked == position && when.elapsed() < GONE)
    }

    /// A note was refused: shorter ones are sent from now on.
    fn note_refused(&self, state: &mut State, (topic, partition): &Place, bytes: usize) {
        state.note = state.note.min(bytes);
        if !std::mem::replace(&mut state.note_said, true) {
            tracing::warn!(
                group = self.group, partition = %format_args!("{topic}/{partition}"), bytes,
                "the broker takes no note of this size with a commit (offset.metadata.max.bytes, 4096 by default): committed without it. \
                 What is finished behind a record that waits is repeated after a restart"
            );
        }
    }

    /// Partitions that the coordinator does not know.
    fn say_gone(&self, gone: &[Place]) {
        if !gone.is_empty() {
            let names: Vec<_> = gone.iter().map(|(topic, partition)| format!("{topic}/{partition}")).collect();
            tracing::warn!(
                group = self.group,
                partitions = names.join(" "),
                "the coordinator knows no such partition: the topic was deleted, and nothing of it is committed"
            );
        }
    }
}

impl Coordinator for Way<'_> {
    type Error = CommitError;

    fn settle(&mut self, settled: &mut Settled) -> Result<(), CommitError> {
        let mut state = self.channel.lock();
        let Some(sent) = state.unanswered.take() else { return Ok(()) };
        let verdicts = self.answer(&mut state, sent)?;
        // What was refused is sent again, as it is now.
        settled.extend(verdicts.into_iter().filter(|(_, _, verdict)| verdict.is_ok()).map(|(place, position, _)| (place, position)));
        Ok(())
    }

    fn may_commit(&self) -> Result<(), CommitError> {
        if self.client.is_assignment_lost() { Err(CommitError::Lost) } else { Ok(()) }
    }

    fn send(&mut self, changed: Vec<(Place, Position)>, settled: &mut Settled) -> Result<(), CommitError> {
        let mut state = self.channel.lock();
        let state = &mut *state;
        let told: BTreeMap<Place, Position> =
            changed.into_iter().filter(|(place, position)| !self.passes_over(state, place, position)).collect();
        let mut failure = None;
        let mut requests = VecDeque::new();
        let fitting = told.iter().map(|(place, position)| (place.clone(), fitted(position, state.note)));
        split(fitting.collect(), state.request, &mut requests);
        while let Some(positions) = requests.pop_front() {
            let (count, bytes) = (positions.len(), positions.iter().map(bytes).sum::<usize>());
            let sent = commit(self.client, positions).map_err(CommitError::Refused)?;
            let (mut again, mut gone) = (Vec::new(), Vec::new());
            for (place, position, verdict) in self.answer(state, sent)? {
                let shorter = fitted(&position, position.metadata.len());
                let has_note = shorter.metadata.len() < position.metadata.len();
                match verdict {
                    Ok(()) => {
                        state.gone.remove(&place);
                        settled.extend(told.get_key_value(&place).map(|(place, position)| (place.clone(), position.clone())));
                    }
                    Err(QueueError::InvalidCommitOffsetSize) if count > 1 => {
                        state.request = state.request.min(bytes / 2);
                        again.push((place, position));
                    }
                    Err(QueueError::OffsetMetadataTooLarge | QueueError::InvalidCommitOffsetSize) if has_note => {
                        self.note_refused(state, &place, position.metadata.len());
                        again.push((place, shorter));
                    }
                    // Not its own error: there is nothing to be shortened.
                    Err(QueueError::OffsetMetadataTooLarge) if count > 1 => requests.push_back(vec![(place, position)]),
                    Err(QueueError::UnknownTopicOrPartition) => {
                        if state.gone.insert(place.clone(), (told[&place].clone(), Instant::now())).is_none() {
                            gone.push(place);
                        }
                    }
                    Err(code) => {
                        let error = CommitError::Refused(code);
                        // One that passes is worth another try, whatever the others are.
                        failure = Some(failure.filter(|before: &CommitError| before.passes()).unwrap_or(error));
                    }
                }
            }
            self.say_gone(&gone);
            split(again, state.request, &mut requests);
        }
        failure.map_or(Ok(()), Err)
    }
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
            Self::Refused(code) => matches!(
                code,
                QueueError::RebalanceInProgress
                    | QueueError::IllegalGeneration
                    // A heartbeat has made the member's epoch a later one while the commit was on its way (KIP-848).
                    | QueueError::StaleMemberEpoch
                    | QueueError::NotCoordinator
                    | QueueError::CoordinatorLoadInProgress
                    | QueueError::CoordinatorNotAvailable
                    | QueueError::RequestTimedOut
                    | QueueError::OperationTimedOut
                    | QueueError::BrokerTransportFailure
                    | QueueError::WaitingForCoordinator
                    // What the coordinator says where its own log does not take the commit for the moment.
                    | QueueError::Unknown
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::note::{Bound, Map, Note, began};
    use crate::consumer::offsets::NextOffset;
    use crate::handler::Ordering;

    fn positions(count: i32, note: usize) -> Vec<(Place, Position)> {
        (0..count).map(|number| (("topic".to_owned(), number), Position { next: 1, metadata: "n".repeat(note), epoch: -1 })).collect()
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
        let full = Position { next: 0, metadata: bound.write(NextOffset(0), Note::new(map).with_began(7)), epoch: 3 };
        assert_eq!(fitted(&full, usize::MAX), full);
        let short = fitted(&full, full.metadata.len());
        assert!(short.metadata.len() < 40 && short.epoch == 3, "{}", short.metadata);
        assert_eq!(began("group", "topic", &short.metadata), 7);
        assert_eq!(fitted(&short, 0), short, "it gets no shorter");
    }
}
