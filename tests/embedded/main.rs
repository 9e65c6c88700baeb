//! The application on the embedded broker: no Kafka, no Java.

mod batch_events;
mod batch_items;
mod batches;
mod context;
mod dispatch;
mod extractors;
mod http;
mod idle;
mod isolation;
mod lanes;
mod order;
mod outcomes;
mod runtimes;
mod sending;
mod siblings;
mod starting;
mod views;

use std::time::Duration;

use narad::{Config, Narad, Result};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What a handler saw, for the test that waits for it.
type Seen = UnboundedSender<(&'static str, String)>;

fn config() -> Config {
    let mut config = Config::default().or_embedded();
    config.commit_interval = Duration::from_millis(50);
    config
}

async fn application(groups: &[&str]) -> (Narad, UnboundedReceiver<(&'static str, String)>) {
    let (seen, sighted) = unbounded_channel();
    let narad = Narad::builder()
        .config(config())
        .groups(groups)
        .state::<Seen>(seen)
        .build()
        .await
        .expect("an application");
    (narad, sighted)
}

/// An application that runs until it is stopped.
struct Run {
    stop: oneshot::Sender<()>,
    run: JoinHandle<Result<()>>,
}

impl Run {
    fn of(narad: &Narad) -> Self {
        let (stop, stopped) = oneshot::channel();
        let narad = narad.clone();
        Self { stop, run: tokio::spawn(async move { narad.run_until(async { drop(stopped.await) }).await }) }
    }

    async fn stop(self) -> Result<()> {
        drop(self.stop);
        self.run.await.expect("no panic")
    }

    /// Stops it, and waits for its end no longer than a generous time.
    async fn ended_after_stop(self) -> Result<()> {
        tokio::time::timeout(Duration::from_secs(60), self.stop()).await.expect("it ends")
    }

    /// Drops it while it runs.
    async fn abort(self) {
        self.run.abort();
        let _ = self.run.await;
    }

    /// Waits until it stops by itself.
    async fn ended(self) -> Result<()> {
        let ended = tokio::time::timeout(Duration::from_secs(60), self.run).await;
        ended.expect("it stops").expect("no panic")
    }
}

/// Waits for so many sightings; what a test waits for comes, or the test fails after a generous time.
async fn sightings(
    seen: &mut UnboundedReceiver<(&'static str, String)>,
    count: usize,
) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    while all.len() < count {
        match tokio::time::timeout(Duration::from_secs(60), seen.recv()).await {
            Ok(Some(sighting)) => all.push(sighting),
            _ => panic!("only {all:?}"),
        }
    }
    all
}

/// The same, sorted: for handlers whose order is not promised.
async fn sorted(
    seen: &mut UnboundedReceiver<(&'static str, String)>,
    count: usize,
) -> Vec<(&'static str, String)> {
    let mut all = sightings(seen, count).await;
    all.sort();
    all
}

/// Waits until something holds, or the test fails after a generous time.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait)
        .await
        .unwrap_or_else(|_| panic!("{what}: not in time"));
}
