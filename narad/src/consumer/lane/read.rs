//! From the partition's queue into its lane.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::{Arc, MutexGuard};

use super::ahead::Ahead;
use super::inlet::{Inside, Mail};
use super::parts::Lane;
use super::state::{MOST_HELD_BYTES, State};
use crate::consumer::life::Phase;
use crate::engine::{NextOffset, Partition};
use crate::record::Record;
use crate::transport::{Message, NoRecord, PartitionQueue};

/// How many records a lane holds at most, besides those that run. With more, the partition is not read.
const MOST_HELD: usize = 4096;

impl Lane {
    /// Gives the lane the queue of its partition.
    pub(crate) fn attach(self: &Arc<Self>, queue: PartitionQueue) {
        let mut inside = self.inlet.open();
        // Where it was let go by now, the queue is given back at once.
        if self.phase() != Phase::Closed {
            inside.queue = Some(Ahead::new(queue, &self.limits, self.stats.clock()));
        }
        self.tell_heavy(inside);
        // It may have filled before it was here, and librdkafka tells of an empty queue only.
        self.filled();
    }

    /// Reads the partition's queue where there is room; `true` where something may have come.
    pub(super) fn read(&self, state: &mut State) -> bool {
        let bytes = state.bytes();
        let partition = &mut state.partition;
        if partition.held().records() >= MOST_HELD + self.plan.options.concurrency as usize
            || bytes >= MOST_HELD_BYTES
            || !state.reservation.has_room(bytes)
        {
            // What finishes makes the lane ready again, and so does the tick of the control thread.
            self.stirs();
            return false;
        }
        // Held over both: what the control thread leaves comes before all that is read after it was left.
        let mut inside = self.inlet.open();
        self.take_mail(&mut inside, partition);
        let Inside { queue, at, behind, .. } = &mut *inside;
        let before = partition.unread();
        // Taken before the read: what comes meanwhile sets it again. librdkafka tells only of an empty queue
        // that fills, so what may be left in the queue is remembered here.
        if !self.stands.load(Acquire)
            && self.filled.swap(false, AcqRel)
            && let Some(queue) = queue
        {
            // Where handlers wait, what cannot start soon is better left in the queue.
            let is_idle = partition.is_idle();
            let most =
                partition.helping(if is_idle { 256 } else { state.permits.available_permits().max(16) });
            let (vacated, source) = (&mut state.vacated, &self.source);
            let mut stands = false;
            let more = queue.read(most, |message| match message {
                // Behind a broken batch: read anew with it.
                _ if stands => {}
                Ok(message) => {
                    partition.read(match vacated.pop() {
                        Some(record) => record.refilled(message),
                        None => Record::new(source.clone(), message),
                    });
                }
                Err(NoRecord::End(offset)) => partition.ends_at(NextOffset(offset)),
                Err(NoRecord::Unread(error)) => {
                    // What it was to read first is known now.
                    if at.next < 0 {
                        at.next = error.offset.max(-1);
                    }
                    stands = self.stands_before(&error);
                    (self.read_error)(error);
                }
            });
            let last = partition.read_from(before).next_back();
            if let Some((offset, epoch)) = last.map(|last| (last.offset(), last.leader_epoch())) {
                queue.weigh(last.map_or(0, Record::uncounted));
                at.next = offset + 1;
                *behind = at.next;
                if epoch > at.epoch {
                    // Looked at one by one only where a leader has changed.
                    let mut read = partition.read_from(before);
                    if at.epoch >= 0
                        && let Some(first) = read.find(|record| record.leader_epoch() > at.epoch)
                    {
                        let first = NextOffset(first.offset());
                        drop(read);
                        partition.written_anew_from(first);
                    }
                    at.epoch = epoch;
                }
            }
            at.next = at.next.max(partition.end().map_or(-1, |end| end.0));
            if more {
                self.filled.store(true, Release);
            }
            if stands {
                // Read anew with the batch.
                queue.clear();
            } else if queue.is_heavy() && self.phase() == Phase::Running {
                inside.fetch_on(self.stats.clock().now());
            }
        }
        self.tell_heavy(inside);
        partition.count_read(before);
        partition.unread() > 0 || (self.filled.load(Acquire) && !self.stands.load(Acquire))
    }

    /// Looks at one of the records that wait, where the lane does not read them: whether they are heavy.
    pub(crate) fn sample(&self) {
        let mut inside = self.inlet.open();
        // Before a broken batch nothing is taken; and where nothing was read, nobody knows where to go on
        // behind what was taken, see `paused`.
        if !self.stands.load(Acquire) && inside.at.next >= 0 {
            inside.sample();
            self.tell_heavy(inside);
        }
    }

    fn tell_heavy(&self, mut inside: MutexGuard<'_, Inside>) {
        let is_heavy = inside.is_heavy();
        let was_heavy = self.heavy.load(Relaxed);
        if is_heavy != was_heavy {
            self.heavy.store(is_heavy, Release);
            // What came until now told nobody.
            inside.take_in();
        }
        let why = inside.why_heavy();
        drop(inside);
        if is_heavy && !was_heavy {
            tracing::debug!(
                group = self.stats.name(),
                partition = %self.source,
                "{why}: what is fetched ahead of them is counted"
            );
        }
    }

    /// Does what the control thread left to be done.
    pub(super) fn take_mail(&self, inside: &mut Inside, partition: &mut Partition) {
        for mail in self.inlet.mail(inside) {
            // It may move the position without a record.
            self.stirs();
            match mail {
                Mail::Stray(message) => {
                    partition.read(Record::new(self.source.clone(), Message::Owned(message)));
                    partition.count_read(partition.unread() - 1);
                }
                Mail::GoesOn(start) => partition.ends_at(start),
                Mail::GoesBack(start) => partition.go_back_to(start),
            }
        }
    }
}
