//! How many commits of a group were taken, and how many were not.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use crate::transport::{Class, CommitError};
use crate::view;

/// Counted by whoever commits; read by views.
#[derive(Debug, Default)]
pub(super) struct Commits {
    ok: AtomicU64,
    error: AtomicU64,
    fenced: AtomicU64,
    /// When the last one was taken, in milliseconds since 1970; 0 where none was.
    last: AtomicU64,
}

impl Commits {
    /// One that was to be sent came to this.
    pub(super) fn count(&self, result: Result<(), &CommitError>, now: SystemTime) {
        let counter = match result {
            Ok(()) => {
                let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                self.last.store(now.as_millis() as u64, Relaxed);
                &self.ok
            }
            Err(CommitError::Lost) => &self.fenced,
            Err(CommitError::Refused(fault)) if is_fenced(fault.class) => &self.fenced,
            Err(CommitError::Refused(_) | CommitError::TimedOut) => &self.error,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn view(&self) -> view::Commits {
        let last = match self.last.load(Relaxed) {
            0 => None,
            millis => Some(SystemTime::UNIX_EPOCH + Duration::from_millis(millis)),
        };
        view::Commits {
            ok: self.ok.load(Relaxed),
            error: self.error.load(Relaxed),
            fenced: self.fenced.load(Relaxed),
            last,
        }
    }
}

/// Whether the coordinator takes the process for a member that it no longer is.
fn is_fenced(class: Class) -> bool {
    matches!(class, Class::NotMember | Class::OldGeneration | Class::StaleEpoch | Class::InstanceTaken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Fault;

    #[test]
    fn a_commit_is_counted_by_what_it_came_to() {
        let (commits, now) = (Commits::default(), SystemTime::UNIX_EPOCH + Duration::from_secs(1));
        assert_eq!(commits.view().last, None);
        commits.count(Ok(()), now);
        commits.count(Err(&CommitError::TimedOut), now);
        commits.count(Err(&CommitError::Refused(Fault::of(Class::Rebalancing))), now);
        commits.count(Err(&CommitError::Refused(Fault::of(Class::OldGeneration))), now);
        commits.count(Err(&CommitError::Lost), now);
        let view = commits.view();
        assert_eq!((view.ok, view.error, view.fenced), (1, 2, 2));
        assert_eq!(view.last, Some(now));
    }
}
