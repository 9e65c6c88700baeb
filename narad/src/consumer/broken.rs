//! Batches that cannot be read: a wrong checksum, a compression that does not unpack, a format of the future.
//!
//! A bit that flipped on the way is right when the batch is read again; one on the broker's disk is not.
//! Nobody can tell them apart but by reading again, which is done until it works: the lane reads nothing
//! behind the batch, so nothing is skipped, and health and the log name it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::broken_log::Log;
use super::lane::Lane;
use super::shared::Shared;
use crate::transport::{Member, Unread};

/// A batch is read again after this, twice as long each time.
const AGAIN: Duration = Duration::from_millis(100);
const AGAIN_AT_MOST: Duration = Duration::from_secs(10);
/// One that stays broken is said again after this.
const SAY_AGAIN: Duration = Duration::from_secs(60);
/// So long what librdkafka made of a broken batch may come late.
const LATE: Duration = Duration::from_secs(10);

/// The partitions of a group that stand before a broken batch; the control thread's.
#[derive(Debug, Default)]
pub(super) struct Broken(BTreeMap<(String, i32), Standing>);

#[derive(Debug)]
struct Standing {
    wait: Duration,
    /// When it is to be read again; `None` while that is under way.
    due: Option<Instant>,
    said: Instant,
    /// When it was seen to be read on.
    went_on: Option<Instant>,
}

impl Broken {
    /// Whether nothing is to be read again.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A partition met a batch that cannot be read.
    pub(super) fn met(&mut self, group: &Shared, topic: &str, partition: i32, unread: &Unread) {
        let Some(lane) = group.committer.lane(topic, partition) else { return };
        let now = group.clock().now();
        let offset = unread.offset.max(lane.reading().at.next);
        group.stats.standing().stalls(topic, partition, offset, &unread.reason);
        let place = (topic.to_owned(), partition);
        let known = self.0.get(&place);
        let wait = known.map_or(AGAIN, |standing| (standing.wait * 2).min(AGAIN_AT_MOST));
        let mut said = known.map(|standing| standing.said);
        if said.is_none_or(|said| now.duration_since(said) >= SAY_AGAIN) {
            tracing::error!(
                group = group.name,
                topic,
                partition,
                offset,
                error = unread.reason,
                "a batch cannot be read: the partition stands still there, nothing is skipped, and it is \
                 read again until it can be. Where the batch \
                 is broken on the brokers' disks it stays so until the group is moved past it (docs/operations.md, \"A broken batch\")"
            );
            said = Some(now);
        }
        self.0.insert(
            place,
            Standing { wait, due: Some(now + wait), said: said.unwrap_or(now), went_on: None },
        );
    }

    /// Where the partition met a broken batch: whether its offset is in the log, whatever librdkafka made of
    /// that batch, or may be, where no leader says what is. It is read again then.
    pub(super) fn doubts(&mut self, group: &Shared, topic: &str, partition: i32, log: Option<&Log>) -> bool {
        let Some(standing) = self.0.get_mut(&(topic.to_owned(), partition)) else { return false };
        let Some(lane) = group.committer.lane(topic, partition) else { return false };
        let Some(offset) = lane.broken() else { return false };
        match log {
            // It is gone indeed, as where the retention deleted the batch.
            Some(log) if !(log.low..=log.high).contains(&offset) => {
                lane.is_mended();
                lane.goes_on();
                false
            }
            _ => {
                standing.due = Some(group.clock().now() + standing.wait);
                true
            }
        }
    }

    /// Reads again what is due.
    pub(super) fn read_again(&mut self, group: &Shared, client: &dyn Member) {
        let now = group.clock().now();
        for ((topic, partition), standing) in &mut self.0 {
            if standing.due.is_none_or(|due| now < due) {
                continue;
            }
            standing.due = None;
            // A lane of a later assignment has met nothing yet.
            let Some(lane) = group.committer.lane(topic, *partition) else { continue };
            if lane.broken().is_none() {
                continue;
            }
            match read_anew(group, client, &lane) {
                Ok(()) => lane.goes_on(),
                Err(error) => {
                    tracing::debug!(
                        group = group.name,
                        topic,
                        partition,
                        error,
                        "a broken batch cannot be read again yet"
                    );
                    standing.due = Some(now + standing.wait);
                }
            }
        }
    }

    /// Looks which partitions went on, or are not this process's any more.
    pub(super) fn look(&mut self, group: &Shared) {
        let went_on = group.stats.standing().flows(|topic, partition, offset| {
            let lane = group.committer.lane(topic, partition);
            lane.is_none_or(|lane| lane.broken().is_none() && lane.reading().at.next > offset)
        });
        let now = group.clock().now();
        for (topic, partition) in went_on {
            if group.committer.lane(&topic, partition).is_some() {
                tracing::info!(group = group.name, topic, partition, "the partition is read on");
            }
            if let Some(standing) = self.0.get_mut(&(topic, partition)) {
                standing.went_on = Some(now);
            }
        }
        self.0.retain(|(topic, partition), standing| {
            let lane = group.committer.lane(topic, *partition);
            let ended =
                lane.is_none() || standing.went_on.is_some_and(|went_on| now.duration_since(went_on) > LATE);
            if let Some(lane) = lane.filter(|_| ended) {
                lane.is_mended();
            }
            !ended
        });
    }
}

/// Has a partition read from its broken batch on.
fn read_anew(group: &Shared, client: &dyn Member, lane: &Arc<Lane>) -> Result<(), String> {
    let source = lane.source();
    let (topic, partition) = (&*source.topic, source.partition);
    let mut reading = lane.reading();
    let is_read = client.seek_read(topic, partition, reading.is_moved())?;
    drop(reading);
    if is_read {
        return Ok(());
    }
    // librdkafka made of the batch an offset that is out of range, and has stopped to read.
    if client.serve() {
        return Err("a rebalance is under way".to_owned());
    }
    if !group.committer.lane(topic, partition).is_some_and(|now| Arc::ptr_eq(&now, lane)) {
        return Ok(());
    }
    group.read_on(client, &[(topic, partition)])
}
