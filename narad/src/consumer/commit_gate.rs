//! The gate of commits: whoever commits holds the lock under which a lane leaves the table, so that
//! nothing of a lane is committed after it was let go, and no commit overtakes a later one. Who only looks at
//! the table waits for no coordinator.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use crate::clock::Clock;
use crate::sync::{Mutex, MutexGuard};
use crate::transport::Position;

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

    /// Waits for the answer that an earlier commit did not get in time, if there is one. Until it is there
    /// nothing more is sent.
    fn settle(&mut self, settled: &mut Settled) -> Result<(), Self::Error>;

    /// `Err` where nothing may be committed: the assignment is lost.
    fn may_commit(&self) -> Result<(), Self::Error>;

    /// Commits these. Each partition is judged by itself: what is settled is settled whatever becomes of the
    /// others.
    fn send(&mut self, changed: Vec<(Place, Position)>, settled: &mut Settled) -> Result<(), Self::Error>;
}

/// What needs no further commit: partitions with what was committed of them.
pub(crate) type Settled = Vec<(Place, Position)>;

/// The lanes of a group, and what was committed of them.
#[derive(Debug)]
pub(crate) struct CommitGate<L> {
    clock: Clock,
    /// Held while a commit is on its way, and taken before the table.
    commits: Mutex<()>,
    table: Mutex<BTreeMap<Place, Entry<L>>>,
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
        Self { clock, commits: Mutex::new(()), table: Mutex::new(BTreeMap::new()) }
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

    /// Commits what has changed of those that are wanted.
    pub(crate) fn commit<C: Coordinator>(
        &self,
        wanted: impl Fn(&Place, &L) -> bool,
        coordinator: &mut C,
    ) -> Result<(), C::Error> {
        let _commits = self.one_commit();
        if !self.has_changed(&wanted) {
            return Ok(());
        }
        let mut settled = Settled::new();
        let answered = coordinator.settle(&mut settled);
        self.note(settled);
        answered?;
        // A member that was thrown out and is back has a generation that the coordinator takes commits of.
        // Others had its partitions meanwhile.
        if self.has_changed(&wanted) {
            coordinator.may_commit()?;
        }
        // Read after the wait: the position of now.
        let changed = self.to_send(&wanted);
        if changed.is_empty() {
            return Ok(());
        }
        let mut settled = Settled::new();
        let sent = coordinator.send(changed, &mut settled);
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
        let _commits = self.one_commit();
        let mut table = self.lock();
        let removed: Vec<_> = places.iter().filter_map(|place| table.remove(place)).collect();
        drop(table);
        // The last of a lane's owners drops what it holds.
        drop(removed);
    }

    fn one_commit(&self) -> MutexGuard<'_, ()> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Entry<L>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
