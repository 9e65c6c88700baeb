//! Partitions whose log is not what it was. librdkafka reads no more of them, and the control thread has it
//! go on elsewhere.
//!
//! Their leaders are asked all at once, and polls go on between two rounds of questions: leaders that do not
//! answer hold up a rebalance for one wait, however many partitions they lead.

use std::collections::BTreeMap;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::broken::Broken;
use super::broken_log::{Break, GoesOn, Log};
use super::commit_gate::Positioned;
use super::lane::Lane;
use super::shared::{ReadError, Shared};
use crate::record::Assignment;
use crate::transport::{Asked, Begin, End, Fault, GroupEvents, Member, Partition, ReadPosition, Which};

/// Leaders have so long to say where their logs begin and end.
const ANSWER: Duration = Duration::from_secs(5);
/// Those that did not say it are asked again after this.
const AGAIN: Duration = Duration::from_millis(200);
const UNREAD: &str = "the partition's offsets cannot be read";

/// The partitions that are to go on elsewhere; the control thread's.
#[derive(Debug, Default)]
pub(super) struct Resets {
    open: BTreeMap<(String, i32), Reset>,
    due: Option<Instant>,
}

#[derive(Debug)]
struct Reset {
    error: ReadError,
    /// That it cannot be done was said.
    said: bool,
}

impl Reset {
    fn place(&self) -> (&str, i32) {
        (&self.error.topic, self.error.partition)
    }

    fn own_place(&self) -> (String, i32) {
        (self.error.topic.clone(), self.error.partition)
    }
}

impl Resets {
    /// Whether all go on.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// A log is not what it was.
    pub(super) fn met(&mut self, error: ReadError) {
        let reset = Reset { error, said: false };
        self.open.insert(reset.own_place(), reset);
    }

    /// Has those go on whose leaders tell where.
    pub(super) fn go_on(&mut self, group: &Shared, client: &dyn Member, broken: &mut Broken) {
        self.open.retain(|_, reset| reset.error.assignment.is_current());
        if self.open.is_empty() || self.due.is_some_and(|due| group.clock().now() < due) {
            return;
        }
        let places: Vec<_> = self.open.values().map(Reset::place).collect();
        let logs = logs(client, &places, ANSWER, || group.take_in());
        // Meanwhile a rebalance may have come. It ends assignments, and what is said of a partition then is
        // not of its next lane.
        if client.serve() {
            self.due = Some(group.clock().now() + AGAIN);
            return;
        }
        let mut going_on = Vec::new();
        for (mut reset, log) in std::mem::take(&mut self.open).into_values().zip(logs) {
            let (topic, partition) = reset.place();
            let lane = group.committer.lane(topic, partition).filter(|_| reset.error.assignment.is_current());
            let Some(lane) = lane else { continue };
            if broken.doubts(group, topic, partition, log.as_ref().ok()) {
                continue;
            }
            match log {
                Ok(log) => {
                    group.restart(&lane, log, &reset.error);
                    going_on.push(reset);
                }
                Err(error) => {
                    let (topic, partition) = reset.place();
                    match reset.said {
                        false => tracing::warn!(
                            group = group.name,
                            topic,
                            partition,
                            error,
                            "{UNREAD}; asking until they can"
                        ),
                        true => tracing::debug!(group = group.name, topic, partition, error, "{UNREAD}"),
                    }
                    reset.said = true;
                    self.open.insert(reset.own_place(), reset);
                }
            }
        }
        if !going_on.is_empty()
            && let Err(error) = group.read_on(client, &going_on.iter().map(Reset::place).collect::<Vec<_>>())
        {
            tracing::error!(group = group.name, error, "cannot go on there; trying again");
            self.open.extend(going_on.into_iter().map(|reset| (reset.own_place(), reset)));
        }
        self.due = (!self.open.is_empty()).then(|| group.clock().now() + AGAIN);
    }
}

/// Asks the leaders for their logs, in the order of the partitions. Each with questions of its own, all of
/// them on their way at once: a partition without a leader would keep the others waiting. `meanwhile` is
/// called again and again.
fn logs(
    client: &dyn Member,
    places: &[(&str, i32)],
    patience: Duration,
    meanwhile: impl Fn(),
) -> Vec<Result<Log, String>> {
    let ask =
        |place| [Which::Lowest, Which::Next].map(|which| client.ask(slice::from_ref(place), which, patience));
    let asked: Vec<_> = places.iter().map(ask).collect();
    let log = |lowest: End, next: End| Log { low: lowest.offset, high: next.offset, epoch: next.epoch };
    let answer =
        |asked: Box<dyn Asked + '_>| asked.answers_while(&meanwhile).pop().unwrap_or(Err(Fault::timed_out()));
    let logs = asked.into_iter().map(|asked| {
        let [lowest, next] = asked.map(answer);
        Ok(log(lowest?, next?))
    });
    logs.map(|log: Result<_, Fault>| log.map_err(|error| error.to_string())).collect()
}

impl Shared {
    /// Has a lane go on where its log, which is not what it was, lets it.
    fn restart(&self, lane: &Arc<Lane>, log: Log, error: &ReadError) {
        let GoesOn { at, because } = Break::of(&error.unread).goes_on(log, lane.reading().at.next);
        let (next, at_offset) = (lane.position().next, at.0);
        tracing::warn!(
            group = self.name,
            topic = error.topic,
            partition = error.partition,
            committed = next,
            lowest = log.low,
            next = log.high,
            at = at_offset,
            reason = error.unread.reason,
            "{because}"
        );
        lane.restart(at);
    }

    /// Has librdkafka read partitions again, where their lanes say, and the others of the assignment where
    /// theirs say. Called when what waits to be polled was served, see [`Member::serve`].
    pub(super) fn read_on(&self, client: &dyn Member, places: &[(&str, i32)]) -> Result<(), String> {
        let lanes = self.committer.lanes();
        let mut held: Vec<_> = lanes.iter().map(|lane| (lane.source(), lane.reading())).collect();
        let all: Vec<_> = held
            .iter_mut()
            .map(|(source, inside)| (&*source.topic, source.partition, inside.is_moved()))
            .collect();
        let begun = held.iter().map(|(_, inside)| inside.is_begun());
        let result = client.read_from(places, &all);
        if client.has_waiting() {
            // A rebalance that began just before this was answered by it, so that librdkafka goes on with the
            // others: where it takes the application to be.
            all.iter()
                .zip(begun)
                .filter(|(_, is_begun)| *is_begun)
                .for_each(|((topic, partition, at), _)| client.seek(topic, *partition, *at));
        }
        result
    }

    /// Gives a partition whose lane broke off another one, which begins where the other one was finished.
    pub(super) fn reopen(&self, client: &Arc<dyn Member>, broken: &Arc<Lane>) {
        let source = broken.source();
        let is_there = || {
            self.committer
                .lane(&source.topic, source.partition)
                .is_some_and(|lane| Arc::ptr_eq(&lane, broken))
        };
        if client.serve() || !is_there() {
            // At the next tick, or let go meanwhile.
            return;
        }
        let (Some(plan), position) = (self.plan(&source.topic), broken.position()) else { return };
        // What was fetched before is thrown away, and what is fetched from now on waits for the new lane.
        // Without a position there is no offset to name: who joins anew begins as the first time.
        let at = ReadPosition { next: position.next, epoch: position.epoch };
        broken.reading().at = at;
        if position.next < 0 || self.read_on(&**client, &[(&*source.topic, source.partition)]).is_err() {
            return self.rejoin.store(true, Relaxed);
        }
        let partition =
            Partition { topic: source.topic.to_string(), partition: source.partition, begin: Begin::At(at) };
        let assignment = Assignment::new(source.assignment.membership.clone());
        let lane = self.open(client, &partition, plan, broken.bound(), Some(position), assignment);
        self.add(lane, None);
        self.began();
    }
}
