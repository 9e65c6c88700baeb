//! What is fetched of a partition ahead of its lane.
//!
//! librdkafka bounds that by the number of records and by the bytes of their values; of keys and headers it
//! counts nothing. Where so many records would take far more than they count for, or there are far more
//! partitions than its limits were made for, the partition is heavy, and it is fetched in helpings: what
//! comes is taken out of librdkafka's queue as soon as it is there, and counted. When that is enough, the
//! partition is paused, and when half of it is used, it is read on behind what was taken. A pause throws away
//! what is in the queue, but there is hardly anything left in it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::share::{Limits, Share};
use crate::clock::Clock;
use crate::transport::{Message, NoRecord, PartitionQueue, ReadPosition};

/// A record with less than this beside its value is an ordinary one: what librdkafka does not count is 44 MiB
/// of a group then.
const HEAVY: usize = 512;
/// An average rises by half of what a record is above it, and falls by so much less: what takes memory counts
/// at once.
const RISES: isize = 2;
const FALLS: isize = 8;
/// So many are taken out of the queue at once.
const AT_ONCE: usize = 256;
/// And at first, before their size is known, so many.
const FIRST: usize = 16;
/// Of a partition that is not read, records are taken to be looked at: at most such a part of its bytes,
/// since librdkafka fetches as many anew.
const SAMPLED: usize = 16;
/// A partition of which nothing comes is read anew after this: two threads that move it at once can leave
/// librdkafka throwing away whatever it fetches. Where the log has no more, that is one request.
const SILENT: Duration = Duration::from_secs(10);
/// Twice as long each time without a record, up to this: what is read anew throws away the answer that is on
/// its way, which takes long where the line is thin or the broker throttles.
const SILENT_AT_MOST: Duration = Duration::from_secs(300);

/// How a partition is fetched. It begins freely, and becomes heavy when its records turn out to be so, or
/// when there are more partitions than librdkafka's limits were made for; beside these it begins so.
///
/// ```text
/// Freely  → Helping   it is heavy, and there is room for more of its records
/// Freely  → Paused    it is, and enough of them were in the queue
/// Helping → Paused    enough was taken; or nothing may be read behind a broken batch
/// Paused  → Helping   half of it is used
/// Helping, Paused → Freely   it is light again
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fetching {
    /// By librdkafka's own limits.
    Freely,
    /// What comes is taken at once. Since when nothing has come.
    Helping(Instant),
    /// Nothing is fetched.
    Paused,
}

/// A queue that can be told not to be filled.
pub(super) trait Fetched {
    type Record: Weighed;
    /// See [`PartitionQueue::read`].
    fn read(&mut self, most: usize, each: impl FnMut(Result<Self::Record, NoRecord>)) -> bool;
    /// Fetches no more, and throws away what is in the queue.
    fn pause(&self);
    /// Fetches from there on, and throws away what is in the queue.
    fn go_on(&self, at: ReadPosition);
}

/// A record that waits to be read.
pub(super) trait Weighed {
    /// Behind it.
    fn behind(&self) -> ReadPosition;
    /// What librdkafka counts of it.
    fn counted(&self) -> usize;
    /// What it does not count. Costs to parse the headers.
    fn uncounted(&self) -> usize;
}

/// A queue, and what was taken out of it.
pub(super) struct Ahead<Q: Fetched = PartitionQueue> {
    // Dropped before the queue, which keeps their client.
    taken: VecDeque<Result<Q::Record, NoRecord>>,
    /// What librdkafka counted of it.
    counted: usize,
    fetching: Fetching,
    /// After so long without anything it is read anew.
    silent: Duration,
    /// What a record takes that librdkafka does not count: a running average.
    uncounted: usize,
    /// What one takes in all, as those did that were taken last; `None` where none was.
    size: Option<usize>,
    share: Share,
    clock: Clock,
    queue: Q,
}

impl<Q: Fetched> Ahead<Q> {
    pub(super) fn new(queue: Q, limits: &Limits, clock: &Clock) -> Self {
        let share = limits.share();
        let fetching = if share.is_exceeded() { Fetching::Helping(clock.now()) } else { Fetching::Freely };
        Self {
            taken: VecDeque::new(),
            counted: 0,
            fetching,
            silent: SILENT,
            uncounted: 0,
            size: None,
            share,
            clock: clock.clone(),
            queue,
        }
    }

    /// Whether what comes is to be [taken](Self::take_in) at once.
    pub(super) fn is_heavy(&self) -> bool {
        self.fetching != Fetching::Freely
    }

    /// Why it would be, for the log.
    pub(super) fn why_heavy(&self) -> &'static str {
        if self.share.is_exceeded() {
            "records of more partitions than were expected"
        } else {
            "records that are large beside their values"
        }
    }

    /// Whether something was taken out of the queue that the lane has not read, be it an end of the log.
    pub(super) fn has_taken(&self) -> bool {
        !self.taken.is_empty()
    }

    /// Where the queue is read on, where the lane has not read all records that were taken out of it.
    pub(super) fn reads_on(&self) -> Option<ReadPosition> {
        self.taken.iter().rev().find_map(|entry| entry.as_ref().ok()).map(Weighed::behind)
    }

    /// Reads what is there, up to `most` records, without waiting; `true` where there may be more.
    pub(super) fn read(&mut self, most: usize, mut each: impl FnMut(Result<Q::Record, NoRecord>)) -> bool {
        if !self.is_heavy() && self.taken.is_empty() {
            return self.queue.read(most, each);
        }
        self.take_in();
        for entry in self.taken.drain(..most.min(self.taken.len())) {
            self.counted -= entry.as_ref().map_or(0, Weighed::counted);
            each(entry);
        }
        !self.taken.is_empty() || !self.is_heavy()
    }

    /// Looks at a record that was read: what it takes that librdkafka does not count.
    pub(super) fn weigh(&mut self, uncounted: usize) {
        if self.is_heavy() {
            // It was looked at when it was taken.
            return;
        }
        self.average(uncounted);
        self.look();
    }

    /// Takes one of the records that wait, and looks at it: for a partition that its lane does not read.
    pub(super) fn sample(&mut self) {
        let is_enough =
            self.counted >= self.share.bytes() / SAMPLED || self.taken.len() >= self.share.records();
        if self.is_heavy() {
            return;
        }
        if !is_enough {
            self.take(1);
        }
        // Also where enough were looked at: the partition's share may have become less.
        self.look();
    }

    /// Looks whether it has become heavy.
    fn look(&mut self) {
        let are_heavy = self.uncounted > HEAVY && self.would_take() > 2 * self.share.bytes();
        if are_heavy || self.share.is_exceeded() {
            self.fetching = Fetching::Helping(self.clock.now());
            self.take_in();
        }
    }

    fn average(&mut self, uncounted: usize) {
        let more = uncounted as isize - self.uncounted as isize;
        self.uncounted = self.uncounted.saturating_add_signed(more / if more > 0 { RISES } else { FALLS });
    }

    /// Fetches on where it is time to. The lane, and with it what was taken, is read on at this place.
    pub(super) fn fetch_on(&mut self, at: ReadPosition, now: Instant) {
        let are_light = self.uncounted <= HEAVY / 2 || self.would_take() <= self.share.bytes();
        if self.is_heavy() && are_light && !self.share.is_exceeded() {
            if std::mem::replace(&mut self.fetching, Fetching::Freely) == Fetching::Paused {
                self.queue.go_on(at);
            }
            return;
        }
        let is_due = match self.fetching {
            Fetching::Freely => false,
            Fetching::Helping(since) => {
                self.taken.is_empty() && now.saturating_duration_since(since) >= self.silent
            }
            Fetching::Paused => {
                self.takes() <= self.share.bytes() / 2 && self.taken.len() <= self.share.records() / 2
            }
        };
        if is_due {
            self.silent = match self.fetching {
                Fetching::Helping(_) => (self.silent * 2).min(SILENT_AT_MOST),
                _ => SILENT,
            };
            self.fetching = Fetching::Helping(now);
            self.queue.go_on(at);
        }
    }

    /// Takes out of the queue what there is, until it is enough. Only of a heavy partition: it is to be done
    /// soon, since nothing else bounds what is fetched of it.
    ///
    /// Nothing is fetched of one that is paused. Where something comes all the same, the pause was lost:
    /// librdkafka drops one that a move of its own threads overtakes, and tells nobody. What came is thrown
    /// away with the pause that is made up for: it is fetched again where the partition goes on.
    pub(super) fn take_in(&mut self) {
        while self.is_heavy() {
            let room = self.share.bytes().saturating_sub(self.takes());
            let is_enough = room == 0 || self.taken.len() >= self.share.records();
            if is_enough && let Fetching::Helping(_) = self.fetching {
                self.queue.pause();
                self.fetching = Fetching::Paused;
            }
            // Of one that is paused no records come. But librdkafka leaves marks of each move in the queue,
            // and says nothing of what comes while one is there.
            let most = if is_enough { AT_ONCE } else { self.size.map_or(FIRST, |size| room / size.max(1)) };
            if !self.take(most.clamp(1, AT_ONCE)) {
                return;
            }
        }
    }

    /// Takes up to `most` out of the queue; `true` where there may be more.
    fn take(&mut self, most: usize) -> bool {
        let before = self.taken.len();
        let (taken, counted) = (&mut self.taken, &mut self.counted);
        let (is_paused, mut is_fetched) = (self.fetching == Fetching::Paused, false);
        let more = self.queue.read(most, |entry| match entry {
            Ok(_) | Err(NoRecord::End(_)) if is_paused => is_fetched = true,
            Ok(record) => {
                *counted += record.counted();
                taken.push_back(Ok(record));
            }
            Err(error) => taken.push_back(Err(error)),
        });
        if is_fetched {
            self.queue.pause();
        }
        if self.taken.len() > before
            && let Fetching::Helping(since) = &mut self.fetching
        {
            *since = self.clock.now();
        }
        // One of them stands for all.
        if let Some(last) = self.taken.range(before..).rev().find_map(|entry| entry.as_ref().ok()) {
            let (counted, uncounted) = (last.counted(), last.uncounted());
            self.size = Some((counted + uncounted).max(self.size.unwrap_or(0) / 2));
            self.silent = SILENT;
            self.average(uncounted);
        }
        more
    }

    /// The partition was moved by somebody else: what comes of it is waited for anew.
    pub(super) fn moved(&mut self) {
        self.silent = SILENT;
        if let Fetching::Helping(since) = &mut self.fetching {
            *since = self.clock.now();
        }
    }

    /// Throws away what was taken: the partition is read on elsewhere. A heavy one is not fetched until the
    /// lane reads again.
    pub(super) fn clear(&mut self) {
        self.taken.clear();
        self.counted = 0;
        if let Fetching::Helping(_) = self.fetching {
            self.queue.pause();
            self.fetching = Fetching::Paused;
        }
    }

    /// What the records would take, besides what is counted, that librdkafka may fetch ahead.
    fn would_take(&self) -> usize {
        self.share.told_records().saturating_mul(self.uncounted)
    }

    /// What was taken takes.
    fn takes(&self) -> usize {
        self.counted + self.taken.len() * self.uncounted
    }
}

impl Fetched for PartitionQueue {
    type Record = Message;

    fn read(&mut self, most: usize, each: impl FnMut(Result<Message, NoRecord>)) -> bool {
        self.read(most, each)
    }

    fn pause(&self) {
        self.pause();
    }

    fn go_on(&self, at: ReadPosition) {
        self.go_on(at);
    }
}

impl Weighed for Message {
    fn behind(&self) -> ReadPosition {
        ReadPosition { next: self.offset() + 1, epoch: self.leader_epoch() }
    }

    fn counted(&self) -> usize {
        self.payload().map_or(0, <[u8]>::len)
    }

    fn uncounted(&self) -> usize {
        self.uncounted()
    }
}

#[cfg(test)]
#[path = "ahead_tests.rs"]
mod tests;
