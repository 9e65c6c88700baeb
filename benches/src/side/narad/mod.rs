//! Narad by its public API, with its defaults. All sets of handlers are registered in every process; a run
//! takes the group of one.

pub(super) mod consume;
pub(super) mod costs;
mod events;
pub(super) mod io;
pub(super) mod latency;
pub(super) mod produce;
pub(super) mod topics;

use std::sync::LazyLock;

use narad::{Builder, Narad};

use super::{Measured, Meter, Task};

/// What handlers count with; as many records as the task says.
pub(super) static METER: LazyLock<Meter> = LazyLock::new(|| {
    Meter::new(std::env::var("BENCH_RECORDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usize::MAX))
});

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Runs the handlers of one set until the last record, then drains and commits.
pub(super) fn consume_with(task: &Task, set: &str) -> Measured {
    run(task, set, Narad::builder())
}

fn run(task: &Task, set: &str, builder: Builder) -> Measured {
    block_on(async {
        let narad = builder.groups([format!("{}-{set}", task.group)]).build().await?;
        narad.run_until(METER.finished()).await
    })
    .unwrap_or_else(|error: narad::Error| panic!("{error}"));
    METER.measured()
}
