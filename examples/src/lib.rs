//! What the examples share and none of them is about. Each example is a program of its own in `examples/`;
//! `quickstart` uses nothing from here, so it can be copied as it stands.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use narad::Config;
use narad::prelude::tokio::{select, signal, sync::Semaphore};

/// The configuration of the environment, with the embedded broker where `KAFKA_BROKERS` is not set.
///
/// Topics that are missing are created, so that an example is one command on a real cluster too. A service
/// leaves that to `NARAD_CREATE_TOPICS`.
///
/// # Errors
/// When a variable has a wrong value.
pub fn config() -> narad::Result<Config> {
    let mut config = Config::from_env()?.or_embedded();
    config.create_topics = Some(true);
    Ok(config)
}

/// A text that no earlier run used, for keys and ids: a real cluster still has the records of earlier runs.
pub fn run_id() -> String {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}", since_epoch.as_millis())
}

/// Counts what was handled, so that an example can end by itself. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Progress(Arc<Semaphore>);

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Progress {
    /// Counts one.
    pub fn count(&self) {
        self.0.add_permits(1);
    }

    /// Waits for the `n`th, or for Ctrl-C: what `run_until` takes.
    pub fn reached(&self, n: u32) -> impl Future<Output = ()> + Send + 'static {
        let counted = self.0.clone();
        async move {
            select! {
                _ = counted.acquire_many(n) => {}
                _ = signal::ctrl_c() => {}
            }
        }
    }
}

#[cfg(test)]
mod pages;
