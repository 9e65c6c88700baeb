//! The gate of commits: whoever commits has the turn in which a lane leaves the table, so that
//! nothing of a lane is committed after it was let go, and no commit overtakes a later one. Who only looks at
//! the table waits for no coordinator.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use crate::clock::Clock;
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::transport::Position;

/// Whoever waits for a commit to be through looks again after this, where nothing else tells.
const AGAIN: Duration = Duration::from_millis(1);

/// Topic and partition.
pub(crate) type Place = (String, i32);

/// What a lane tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// What may be committed.
    pub(crate) position: Position,
    /// How many records its handlers had finished by then. The end of the log moves a position as well, and
    /// nobody is owed that.
    pub(crate) finished: u64,
}

/// What is asked where it is.
pub(crate) trait Positioned {
    fn told(&self) -> Told;

    /// What may be committed.
    fn position(&self) -> Position {
        self.told().position
    }
}

/// The way of commits to the coordinator; one commit at a time.
pub(crate) trait Coordinator {
    type Error;

    /// Takes the answer that an earlier commit did not get in time, if there is one. Until it is there
    /// nothing more is sent.
    fn settle(&mut self, settled: &mut Settled) -> Poll<Result<(), Self::Error>>;

    /// `Err` where nothing may be committed: the assignment is lost.
    fn may_commit(&self) -> Result<(), Self::Error>;

    /// Begins to commit these.
    fn begin(&mut self, changed: Vec<(Place, Position)>);

    /// Goes on with it, as far as that is without waiting. Each partition is judged by itself: what is
    /// settled is settled whatever becomes of the others.
    fn sent(&mut self, settled: &mut Settled) -> Poll<Result<(), Self::Error>>;
}

/// What needs no further commit: partitions with what was committed of them.
pub(crate) type Settled = Vec<(Place, Position)>;

/// The lanes of a group, and what was committed of them.
#[derive(Debug)]
pub(crate) struct CommitGate<L> {
    clock: Clock,
    /// Taken while a commit is on its way, before the table.
    turns: Arc<Turns>,
    table: Mutex<BTreeMap<Place, Entry<L>>>,
}

/// One commit at a time, and none while a lane leaves the table.
#[derive(Debug)]
struct Turns {
    taken: Mutex<bool>,
    free: Condvar,
}

/// Whoever has it commits, or takes lanes out.
#[derive(Debug)]
struct Turn(Arc<Turns>);

impl Turns {
    fn take(self: &Arc<Self>) -> Option<Turn> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        (!std::mem::replace(&mut *taken, true)).then(|| Turn(self.clone()))
    }

    /// Waits until it is free, which it may not be any more when this returns.
    fn wait(&self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken {
            taken = self.free.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.free.notify_all();
    }
}

/// A commit, step by step.
///
/// ```text
/// Waits    ─► Settles    no other commit is under way
/// Settles  ─► Sends      what was not answered before is, and something has changed
/// each     ─► its end    nothing has changed, it was refused or given up; or all of it was answered
/// ```
#[derive(Debug, Default)]
pub(crate) struct Commit {
    stage: CommitStage,
    /// From `Settles` on.
    turn: Option<Turn>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum CommitStage {
    #[default]
    Waits,
    Settles,
    Sends,
}

impl Commit {
    /// Whether another one is under way.
    pub(crate) fn waits_for_another(&self) -> bool {
        self.turn.is_none()
    }
}

#[derive(Debug)]
struct Entry<L> {
    lane: Arc<L>,
    committed: Option<Position>,
    /// How many records were finished at that position; `None` where a lane before this one had finished more
    /// than was committed.
    settled: Option<u64>,
    /// What was sent last.
    sent: Option<Told>,
    /// When something of the lane was committed last.
    at: Option<SystemTime>,
}

/// A lane, and what was committed of it.
#[derive(Debug)]
pub(crate) struct Committed<L> {
    pub(crate) lane: Arc<L>,
    pub(crate) position: Option<Position>,
    pub(crate) at: Option<SystemTime>,
}

impl<L: Positioned> Entry<L> {
    /// What is not committed, if there is something.
    fn changed(&self) -> Option<Told> {
        let told = self.lane.told();
        // Below zero: nothing was read yet, and nothing was committed before.
        (told.position.next >= 0 && self.committed.as_ref() != Some(&told.position)).then_some(told)
    }

    /// Whether records are finished that are not committed.
    fn owes(&self) -> bool {
        self.changed().is_some_and(|told| self.settled != Some(told.finished))
    }
}

impl<L: Positioned> CommitGate<L> {
    pub(crate) fn new(clock: Clock) -> Self {
        let turns = Arc::new(Turns { taken: Mutex::new(false), free: Condvar::new() });
        Self { clock, turns, table: Mutex::new(BTreeMap::new()) }
    }

    /// A lane is assigned, its partition committed as it says. In the place of another lane of the assignment
    /// it also owes what that one did.
    pub(crate) fn add(&self, place: Place, lane: Arc<L>, committed: Option<Position>) {
        let mut table = self.lock();
        let before = table.remove(&place);
        let settled =
            if before.as_ref().is_some_and(Entry::owes) { None } else { Some(lane.told().finished) };
        table.insert(
            place,
            Entry {
                lane,
                committed: committed.or(before.and_then(|before| before.committed)),
                settled,
                sent: None,
                at: None,
            },
        );
    }

    pub(crate) fn lane(&self, place: &Place) -> Option<Arc<L>> {
        self.lock().get(place).map(|entry| entry.lane.clone())
    }

    pub(crate) fn lanes(&self) -> Vec<Arc<L>> {
        self.lock().values().map(|entry| entry.lane.clone()).collect()
    }

    /// What was committed of each lane.
    pub(crate) fn committed(&self) -> Vec<Committed<L>> {
        let table = self.lock();
        let entries = table.values().map(|entry| Committed {
            lane: entry.lane.clone(),
            position: entry.committed.clone(),
            at: entry.at,
        });
        entries.collect()
    }

    /// Goes on with a commit of what has changed of those that are wanted, as far as that is without waiting.
    pub(crate) fn step<C: Coordinator>(
        &self,
        commit: &mut Commit,
        wanted: impl Fn(&Place, &L) -> bool,
        coordinator: &mut C,
    ) -> Poll<Result<(), C::Error>> {
        let stepped = self.stages(commit, wanted, coordinator);
        if stepped.is_ready() {
            *commit = Commit::default();
        }
        stepped
    }

    fn stages<C: Coordinator>(
        &self,
        commit: &mut Commit,
        wanted: impl Fn(&Place, &L) -> bool,
        coordinator: &mut C,
    ) -> Poll<Result<(), C::Error>> {
        if commit.stage == CommitStage::Waits {
            let Some(turn) = self.turns.take() else { return Poll::Pending };
            *commit = Commit { stage: CommitStage::Settles, turn: Some(turn) };
            if !self.has_changed(&wanted) {
                return Poll::Ready(Ok(()));
            }
        }
        let mut settled = Settled::new();
        if commit.stage == CommitStage::Settles {
            let answered = coordinator.settle(&mut settled);
            self.note(std::mem::take(&mut settled));
            let Poll::Ready(answered) = answered else { return Poll::Pending };
            answered?;
            // A member that was thrown out and is back has a generation that the coordinator takes commits
            // of. Others had its partitions meanwhile.
            if self.has_changed(&wanted) {
                coordinator.may_commit()?;
            }
            // Read after the wait: the position of now.
            let changed = self.to_send(&wanted);
            if changed.is_empty() {
                return Poll::Ready(Ok(()));
            }
            coordinator.begin(changed);
            commit.stage = CommitStage::Sends;
        }
        let sent = coordinator.sent(&mut settled);
        self.note(settled);
        sent
    }

    /// Partitions of which more records are finished than is committed.
    pub(crate) fn owing(&self, wanted: impl Fn(&Place, &L) -> bool) -> Vec<Place> {
        let table = self.lock();
        let owing = table.iter().filter(|(place, entry)| entry.owes() && wanted(place, &entry.lane));
        owing.map(|(place, _)| place.clone()).collect()
    }

    /// Whether something of those that are wanted is not committed.
    pub(crate) fn has_changed(&self, wanted: &impl Fn(&Place, &L) -> bool) -> bool {
        self.lock().iter().any(|(place, entry)| entry.changed().is_some() && wanted(place, &entry.lane))
    }

    fn to_send(&self, wanted: &impl Fn(&Place, &L) -> bool) -> Vec<(Place, Position)> {
        let mut changed = Vec::new();
        for (place, entry) in self.lock().iter_mut() {
            if let Some(told) = entry.changed().filter(|_| wanted(place, &entry.lane)) {
                changed.push((place.clone(), told.position.clone()));
                entry.sent = Some(told);
            }
        }
        changed
    }

    fn note(&self, settled: Settled) {
        let mut table = self.lock();
        for (place, position) in settled {
            let Some(entry) = table.get_mut(&place) else { continue };
            // Of what stood here before the lane nothing is known but that.
            if let Some(sent) = entry.sent.as_ref().filter(|sent| sent.position == position) {
                entry.settled = Some(sent.finished);
            }
            (entry.committed, entry.at) = (Some(position), Some(self.clock.wall()));
        }
    }

    /// Takes lanes out of the table: nothing of them is committed after this.
    pub(crate) fn remove(&self, places: &[Place]) {
        let _turn = self.turn();
        let mut table = self.lock();
        let removed: Vec<_> = places.iter().filter_map(|place| table.remove(place)).collect();
        drop(table);
        // The last of a lane's owners drops what it holds.
        drop(removed);
    }

    /// Waits until no commit is on its way.
    fn turn(&self) -> Turn {
        loop {
            if let Some(turn) = self.turns.take() {
                return turn;
            }
            self.clock.wait(AGAIN, |_| self.turns.wait());
        }
    }

    /// Waits until another commit is through.
    #[cfg(test)]
    pub(crate) fn wait(&self) {
        self.turns.wait();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Entry<L>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
