//! How far a group is behind: its leaders are asked where its partitions end while somebody looks, for all
//! partitions of a group at once, by a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use super::log_ends::{Onlookers, Told};
use super::views::Shown;
use crate::clock::Clock;
use crate::supervision::caught;
use crate::transport::Which;

/// So long leaders have to answer. A group that ends waits for its client, and no longer than 2 s.
const ANSWER: Duration = Duration::from_millis(1_500);

/// The thread that asks; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct AskingEnds(Arc<Onlookers>);

impl Drop for AskingEnds {
    fn drop(&mut self) {
        self.0.over();
    }
}

impl AskingEnds {
    /// Begins to ask for the ends of these groups' partitions while somebody looks.
    ///
    /// # Errors
    /// Where there is no thread for it.
    pub(crate) fn begin(
        onlookers: Arc<Onlookers>,
        groups: Vec<Arc<Shown>>,
        clock: Clock,
    ) -> std::io::Result<Self> {
        let asks = Self(onlookers.clone());
        let run = move || {
            let mut asked = None;
            while onlookers.wait(&clock, asked) {
                asked = Some(clock.now());
                groups.iter().for_each(|group| group.ask_ends(&clock));
            }
        };
        // Where it breaks, lag is not shown any more; no record waits for it.
        std::thread::Builder::new().name("narad-lag".to_owned()).spawn(move || drop(caught(run)))?;
        Ok(asks)
    }
}

impl Shown {
    /// Asks where the partitions of the group end. A group that is not there, or ends, is asked nothing.
    fn ask_ends(&self, clock: &Clock) {
        let Some((member, lanes)) = self.running_member() else { return };
        let sources: Vec<_> = lanes.iter().map(|lane| lane.source()).collect();
        let places: Vec<_> = sources.iter().map(|source| (&*source.topic, source.partition)).collect();
        if places.is_empty() {
            return;
        }
        let answers = member.ask(&places, Which::Next, ANSWER).answers_while(&|| {});
        drop(member);
        let told = lanes.iter().zip(&places).zip(answers).map(|((lane, (topic, partition)), end)| {
            let finished = lane.view(self.stats().name()).next_commit;
            Told { place: ((*topic).to_owned(), *partition), end: end.ok().map(|end| end.offset), finished }
        });
        self.ends().told(told.collect(), clock.now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaders_are_asked_while_somebody_looks_and_not_afterwards() {
        let (onlookers, clock) = (Arc::new(Onlookers::default()), Clock::real());
        onlookers.look(clock.now());
        assert!(onlookers.wait(&clock, None), "somebody looks");
        let waits = std::thread::spawn({
            let (onlookers, clock) = (onlookers.clone(), clock.clone());
            move || onlookers.wait(&clock, Some(clock.now()))
        });
        drop(AskingEnds(onlookers));
        assert!(!waits.join().expect("no panic"), "it ends in the middle of a wait");
    }
}
