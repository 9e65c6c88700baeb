//! The fence around commits: whoever commits holds the lock under which a lane leaves the table, so that nothing of a lane is committed after it
//! was let go, and no commit overtakes a later one. Who only looks at the table waits for no coordinator.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use crate::sync::{Mutex, MutexGuard};
use crate::transport::Position;

/// Topic and partition.
pub(crate) type Place = (String, i32);

/// What is asked where it is.
pub(crate) trait Positioned {
    /// What may be committed.
    fn position(&self) -> Position;
}

/// The way of commits to the coordinator; one commit at a time.
pub(crate) trait Coordinator {
    type Error;

    /// Waits for the answer that an earlier commit did not get in time, if there is one. Until it is there nothing more is sent.
    fn settle(&mut self, settled: &mut Settled) -> Result<(), Self::Error>;

    /// `Err` where nothing may be committed: the assignment is lost.
    fn may_commit(&self) -> Result<(), Self::Error>;

    /// Commits these. Each partition is judged by itself: what is settled is settled whatever becomes of the others.
    fn send(&mut self, changed: Vec<(Place, Position)>, settled: &mut Settled) -> Result<(), Self::Error>;
}

/// What needs no further commit: partitions with what was committed of them.
pub(crate) type Settled = Vec<(Place, Position)>;

/// The lanes of a group, and what was committed of them.
#[derive(Debug)]
pub(crate) struct Fence<L> {
    /// Held while a commit is on its way, and taken before the table.
    commits: Mutex<()>,
    table: Mutex<BTreeMap<Place, Entry<L>>>,
}

#[derive(Debug)]
struct Entry<L> {
    lane: Arc<L>,
    committed: Option<Position>,
}

impl<L: Positioned> Fence<L> {
    pub(crate) fn new() -> Self {
        Self { commits: Mutex::new(()), table: Mutex::new(BTreeMap::new()) }
    }

    /// A lane is assigned, its partition committed as it says.
    pub(crate) fn add(&self, place: Place, lane: Arc<L>, committed: Option<Position>) {
        self.lock().insert(place, Entry { lane, committed });
    }

    pub(crate) fn lane(&self, place: &Place) -> Option<Arc<L>> {
        self.lock().get(place).map(|entry| entry.lane.clone())
    }

    pub(crate) fn lanes(&self) -> Vec<Arc<L>> {
        self.lock().values().map(|entry| entry.lane.clone()).collect()
    }

    /// Commits what has changed of those that are wanted.
    pub(crate) fn commit<C: Coordinator>(&self, wanted: impl Fn(&Place, &L) -> bool, coordinator: &mut C) -> Result<(), C::Error> {
        let _commits = self.one_commit();
        if self.changed(&wanted).is_empty() {
            return Ok(());
        }
        let mut settled = Settled::new();
        let answered = coordinator.settle(&mut settled);
        self.note(settled);
        answered?;
        // Read after the wait: the position of now.
        let changed = self.changed(&wanted);
        if changed.is_empty() {
            return Ok(());
        }
        // A member that was thrown out and is back has a generation that the coordinator takes commits of. Others had its partitions meanwhile.
        coordinator.may_commit()?;
        let mut settled = Settled::new();
        let sent = coordinator.send(changed, &mut settled);
        self.note(settled);
        sent
    }

    /// Partitions of which more is finished than is committed.
    pub(crate) fn owing(&self, wanted: impl Fn(&Place, &L) -> bool) -> Vec<Place> {
        self.changed(&wanted).into_iter().map(|(place, _)| place).collect()
    }

    fn changed(&self, wanted: &impl Fn(&Place, &L) -> bool) -> Vec<(Place, Position)> {
        let table = self.lock();
        let positions = table.iter().map(|(place, entry)| (place, entry, entry.lane.position()));
        positions
            // Below zero: nothing was read yet, and nothing was committed before.
            .filter(|(_, entry, position)| position.next >= 0 && entry.committed.as_ref() != Some(position))
            .filter(|(place, entry, _)| wanted(place, &entry.lane))
            .map(|(place, _, position)| (place.clone(), position))
            .collect()
    }

    fn note(&self, settled: Settled) {
        let mut table = self.lock();
        for (place, position) in settled {
            if let Some(entry) = table.get_mut(&place) {
                entry.committed = Some(position);
            }
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
