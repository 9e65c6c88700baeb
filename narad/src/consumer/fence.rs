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

    /// Commits what has changed, unless the assignment is lost.
    pub(crate) fn commit<E>(
        &self,
        wanted: impl Fn(&Place, &L) -> bool,
        is_lost: impl FnOnce() -> bool,
        send: impl FnOnce(&[(Place, Position)]) -> Result<(), E>,
    ) -> Result<(), E> {
        let _commits = self.one_commit();
        let table = self.lock();
        let changed: Vec<(Place, Position)> = table
            .iter()
            .map(|(place, entry)| (place.clone(), entry.lane.position()))
            // Below zero: nothing was read yet, and nothing was committed before.
            .filter(|(place, position)| position.next >= 0 && table[place].committed.as_ref() != Some(position))
            .filter(|(place, _)| wanted(place, &table[place].lane))
            .collect();
        drop(table);
        // A member that was thrown out and is back has a generation that the coordinator takes commits of. Others had its partitions meanwhile.
        if changed.is_empty() || is_lost() {
            return Ok(());
        }
        send(&changed)?;
        let mut table = self.lock();
        for (place, position) in changed {
            if let Some(entry) = table.get_mut(&place) {
                entry.committed = Some(position);
            }
        }
        Ok(())
    }

    /// Takes lanes out of the table: nothing of them is committed after this.
    pub(crate) fn remove(&self, places: &[Place]) -> Vec<Arc<L>> {
        let _commits = self.one_commit();
        let mut table = self.lock();
        places.iter().filter_map(|place| table.remove(place)).map(|entry| entry.lane).collect()
    }

    /// The same for those of which this holds.
    pub(crate) fn remove_where(&self, which: impl Fn(&L) -> bool) -> Vec<Arc<L>> {
        let _commits = self.one_commit();
        self.lock().extract_if(.., |_, entry| which(&entry.lane)).map(|(_, entry)| entry.lane).collect()
    }

    fn one_commit(&self) -> MutexGuard<'_, ()> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Entry<L>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
