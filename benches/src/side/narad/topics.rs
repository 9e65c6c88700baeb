//! Nine topics that are sent to, and a tenth: in turns, as the process asks for them that started this one.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use narad::Narad;
use tokio::sync::{mpsc, watch};

use super::block_on;
use crate::side::{Measured, Task, cpu_seconds};

/// So many tasks send to each of the nine, one record after the other.
const TASKS: usize = 64;
const BYTES: usize = 1_000;

/// What tasks send in, and what is measured of the nine in it.
struct Turn {
    on: watch::Sender<bool>,
    records: AtomicI64,
    /// Acknowledgements until it is over.
    left: AtomicI64,
    began: Mutex<Option<(Instant, f64)>>,
    over: mpsc::UnboundedSender<Measured>,
}

impl Turn {
    fn begin(&self, records: i64) {
        self.records.store(records, Relaxed);
        self.left.store(records, Relaxed);
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), cpu_seconds()));
        self.on.send_replace(true);
    }

    fn acknowledged(&self) {
        if self.left.fetch_sub(1, Relaxed) != 1 {
            return;
        }
        let Some((began, cpu)) = self.began.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let measured = Measured {
            records: self.records.load(Relaxed) as usize,
            seconds: began.elapsed().as_secs_f64(),
            cpu_seconds: cpu_seconds() - cpu,
            ..Measured::default()
        };
        self.on.send_replace(false);
        // Nobody asks any more at the end.
        let _ = self.over.send(measured);
    }
}

/// Each line of the standard input is a turn of so many records; each is answered with a line of JSON.
pub(crate) fn serve(task: &Task) -> Result<(), String> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let (tasks, bytes) = (number("BENCH_TENTH_TASKS"), number("BENCH_TENTH_BYTES"));
    let served = block_on(async {
        let narad = Narad::builder().build().await?;
        narad.connect().await?;
        let (over, mut turns) = mpsc::unbounded_channel();
        let turn = Arc::new(Turn {
            on: watch::Sender::new(false),
            records: AtomicI64::new(0),
            left: AtomicI64::new(0),
            began: Mutex::new(None),
            over,
        });
        for number in 0..9 * TASKS {
            let (narad, turn, mut on) = (narad.clone(), turn.clone(), turn.on.subscribe());
            tokio::spawn(async move {
                let (topic, value) = (format!("topic-{}", number % 9), "x".repeat(BYTES));
                while on.wait_for(|on| *on).await.is_ok() {
                    narad.send(&topic, &value).await.expect("an acknowledgement");
                    turn.acknowledged();
                }
            });
        }
        for _ in 0..tasks {
            let (narad, topic, mut on) = (narad.clone(), task.topic.clone(), turn.on.subscribe());
            tokio::spawn(async move {
                let value = "x".repeat(bytes);
                while on.wait_for(|on| *on).await.is_ok() {
                    // What becomes of it is not measured.
                    let _ = narad.send(&topic, &value).await;
                }
            });
        }
        for line in std::io::stdin().lines() {
            let Some(records) = line.ok().and_then(|line| line.parse().ok()) else { break };
            turn.begin(records);
            let Some(measured) = turns.recv().await else { break };
            println!("{}", serde_json::to_string(&measured).expect("numbers"));
        }
        Ok(())
    });
    served.map_err(|error: narad::Error| error.to_string())
}
