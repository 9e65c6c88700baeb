//! The application under test: the real macros and `narad::run()`, with a handler that writes what it does
//! into a ledger.
//!
//! | variable | |
//! |---|---|
//! | `APP_TOPIC`, `APP_GROUP` | what it handles |
//! | `APP_LEDGER` | the file |
//! | `APP_WAIT_MS` | how long an attempt waits (0) |
//! | `APP_FAIL_EVERY` | records of every so manieth key fail, always; 0: none |
//! | `APP_FAIL_UNTIL` | they fail until this file is there |
//! | `APP_RETURN_EVERY` | records of every so manieth key return an event, for the topic of `APP_TOPIC` with `.done` behind it; 0: none |
//! | `APP_BLOCK_MS` | an attempt at a record of a key that begins with `blocks` holds its thread for so long (0) |
//! | `APP_BLOCK_UNTIL` | the same until this file is there |
//!
//! Records of keys that begin with `panics` panic, those of key `hangs` never end.

use std::path::{Path, PathBuf};
use std::process::id;
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

use narad::prelude::*;
use narad_tests::ledger::{Entry, Ledger, Step, now};

#[derive(Event, Debug)]
#[event(topic = "app.work", type = "WORK", key = user_id)]
#[serde(rename_all = "camelCase")]
struct Work {
    user_id: String,
    seq: u64,
}

/// What a record leads to, where it is asked to.
#[derive(Event, Debug)]
#[event(topic = "${APP_TOPIC}.done", type = "DONE", key = user_id)]
#[serde(rename_all = "camelCase")]
struct Done {
    user_id: String,
    seq: u64,
}

struct App {
    ledger: Ledger,
    wait: Duration,
    block: Duration,
    block_until: Option<PathBuf>,
    fail_every: u64,
    fail_until: Option<PathBuf>,
    return_every: u64,
}

static APP: LazyLock<App> = LazyLock::new(|| App {
    ledger: Ledger::open(Path::new(&std::env::var("APP_LEDGER").expect("APP_LEDGER"))),
    wait: Duration::from_millis(number("APP_WAIT_MS")),
    block: Duration::from_millis(number("APP_BLOCK_MS")),
    block_until: std::env::var_os("APP_BLOCK_UNTIL").map(PathBuf::from),
    fail_every: number("APP_FAIL_EVERY"),
    fail_until: std::env::var_os("APP_FAIL_UNTIL").map(PathBuf::from),
    return_every: number("APP_RETURN_EVERY"),
});

fn number<T: FromStr + Default>(name: &str) -> T {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or_default()
}

/// Writes the end of an attempt, whichever it is.
struct Attempt {
    entry: Entry,
    end: Step,
    ctx: Context,
}

impl Attempt {
    fn start(work: &Work, ctx: &Context) -> Self {
        let entry = Entry {
            at: now(),
            pid: id(),
            topic: ctx.topic().to_owned(),
            partition: ctx.partition(),
            offset: ctx.offset(),
            key: work.user_id.clone(),
            seq: work.seq,
            attempt: ctx.attempt(),
            generation: ctx.fence().generation,
            owned: ctx.is_owned(),
            step: Step::Start,
        };
        APP.ledger.append(&entry);
        Self { entry, end: Step::Dropped, ctx: ctx.clone() }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.entry.owned = self.ctx.is_owned();
        self.entry.at = now();
        self.entry.step = self.end;
        APP.ledger.append(&self.entry);
    }
}

/// A key's number, the digits at its end.
fn key_number(key: &str) -> u64 {
    key.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(1)
}

#[kafka_handler(topic = "${APP_TOPIC}", group = "${APP_GROUP}", retry(attempts = 3, backoff = "5ms..20ms"))]
async fn work(work: Work, ctx: Context) -> Result<Option<Done>, String> {
    let mut attempt = Attempt::start(&work, &ctx);
    if !APP.wait.is_zero() {
        tokio::time::sleep(APP.wait).await;
    }
    if work.user_id.starts_with("blocks") {
        std::thread::sleep(APP.block);
        while APP.block_until.as_ref().is_some_and(|file| !file.exists()) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    if work.user_id == "hangs" {
        std::future::pending::<()>().await;
    }
    assert!(!work.user_id.starts_with("panics"), "the handler panics, as its key asks");
    let is_every = |every: u64| every > 0 && key_number(&work.user_id).is_multiple_of(every);
    let fails = is_every(APP.fail_every);
    if fails && !APP.fail_until.as_ref().is_some_and(|file| file.exists()) {
        attempt.end = Step::Err;
        return Err(format!("attempt {} fails, as its key asks", ctx.attempt()));
    }
    attempt.end = Step::Ok;
    Ok(is_every(APP.return_every).then_some(Done { user_id: work.user_id, seq: work.seq }))
}

#[tokio::main]
async fn main() -> narad::Result<()> {
    narad::run().await
}
