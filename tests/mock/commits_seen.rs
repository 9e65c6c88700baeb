//! What a group has committed, looked at all the while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::application::{ATTEMPTS, Application, Ledger};
use crate::cluster::{Mock, PARTITIONS, TOPIC};

/// Asks again and again what is committed, until it is dropped.
pub(crate) struct Commits {
    stop: Arc<AtomicBool>,
    watch: Option<JoinHandle<Vec<String>>>,
}

impl Commits {
    pub(crate) fn watch(mock: &Mock, application: &Application) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (cluster, group, ledger, stopped) =
            (mock.cluster.clone(), application.group.clone(), application.ledger.clone(), stop.clone());
        let watch = std::thread::spawn(move || {
            let mut faults = Vec::new();
            let mut before = [0; PARTITIONS as usize];
            while !stopped.load(Relaxed) {
                for sample in cluster.committed(&group, TOPIC, PARTITIONS) {
                    let (partition, committed) = (sample.partition, sample.committed);
                    let before = &mut before[partition as usize];
                    if committed < *before {
                        faults
                            .push(format!("partition {partition}: {committed} was committed after {before}"));
                    }
                    *before = committed;
                    faults.extend(unfinished(&ledger, partition, committed).map(|offset| {
                        format!(
                            "partition {partition}: {committed} is committed, and the record at \
                         {offset} is not finished"
                        )
                    }));
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            faults
        });
        Self { stop, watch: Some(watch) }
    }

    /// Asserts that commits never went backward, nor past a record that was not finished.
    pub(crate) fn assert_sound(mut self) {
        self.stop.store(true, Relaxed);
        let faults = self.watch.take().expect("asked once").join().expect("no panic");
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

impl Drop for Commits {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

/// Below this offset: what neither succeeded nor had its last attempt.
fn unfinished(ledger: &Ledger, partition: i32, committed: i64) -> impl Iterator<Item = i64> + use<> {
    let attempts = ledger.attempts();
    (0..committed).filter(move |offset| {
        let mut ended =
            attempts.iter().filter(|attempt| attempt.partition == partition && attempt.offset == *offset);
        !ended.any(|attempt| attempt.ok || attempt.attempt == ATTEMPTS)
    })
}
