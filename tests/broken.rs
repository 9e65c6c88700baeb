//! What panics on a worker besides a handler costs neither the worker nor the partition: here the
//! application's log, which Narad calls while it handles a record.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use narad::prelude::*;
use narad::{Config, Error, Narad};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

type Seen = UnboundedSender<String>;

/// How often more the log panics at a line that holds the word.
static DISPATCH: (&str, AtomicUsize) = ("UNSPEAKABLE_TYPE", AtomicUsize::new(1));
static PURSUIT: (&str, AtomicUsize) = ("unspeakable-cause", AtomicUsize::new(2));
static LAST: (&str, AtomicUsize) = ("unspeakable-end", AtomicUsize::new(1));

struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        // The next line of the thread has what it could not write at its front.
        let last = text.lines().last().unwrap_or_default();
        for (word, times) in [&DISPATCH, &PURSUIT, &LAST] {
            if last.contains(word) && times.fetch_update(SeqCst, SeqCst, |times| times.checked_sub(1)).is_ok()
            {
                panic!("the log cannot be written");
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Event)]
#[event(topic = "broken.dispatch", type = "KNOWN", key = key)]
struct Known {
    key: String,
}

#[kafka_handler(topic = "broken.dispatch", group = "broken-dispatch")]
async fn known(event: Known, seen: State<Seen>) {
    let _ = seen.send(event.key);
}

#[kafka_handler(
    topic = "broken.pursuit",
    group = "broken-pursuit",
    retry(attempts = 5, backoff = "1ms..5ms")
)]
async fn fails_at_first(event: Known, ctx: Context, seen: State<Seen>) -> Result<(), &'static str> {
    let _ = seen.send(format!("{} {}", event.key, ctx.attempt()));
    if event.key == "fails" && PURSUIT.1.load(SeqCst) > 0 { Err("unspeakable-cause") } else { Ok(()) }
}

static MAY_FAIL: AtomicBool = AtomicBool::new(false);

#[kafka_handler(topic = "broken.last", group = "broken-last", retry(attempts = 5, backoff = "1ms..5ms"))]
async fn fails_at_last(event: Known, seen: State<Seen>) -> Result<(), &'static str> {
    let _ = seen.send(event.key);
    while !MAY_FAIL.load(SeqCst) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Err("unspeakable-end")
}

async fn application(group: &str) -> (Narad, UnboundedReceiver<String>) {
    static LOG: std::sync::Once = std::sync::Once::new();
    LOG.call_once(|| tracing_subscriber::fmt().with_ansi(false).with_writer(|| Log).init());
    let (seen, sighted) = unbounded_channel();
    let mut config = Config::default().or_embedded();
    config.commit_interval = Duration::from_millis(20);
    (
        Narad::builder()
            .config(config)
            .groups([group])
            .state::<Seen>(seen)
            .build()
            .await
            .expect("an application"),
        sighted,
    )
}

/// Runs until something is seen; how often each was.
async fn until_seen(narad: &Narad, sighted: &mut UnboundedReceiver<String>, last: &str) -> Vec<String> {
    let (stop, stopped) = oneshot::channel::<()>();
    let running = narad.clone();
    let run = tokio::spawn(async move { running.run_until(async { drop(stopped.await) }).await });
    let mut all = Vec::new();
    while all.last().is_none_or(|seen| seen != last) {
        match tokio::time::timeout(Duration::from_secs(60), sighted.recv()).await {
            Ok(Some(sighting)) => all.push(sighting),
            _ => panic!("only {all:?}"),
        }
    }
    let healthy = async {
        while !narad.health().to_string().contains(r#""blocked":0"#) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), healthy).await.expect("nothing is blocked any more");
    drop(stop);
    run.await.expect("no panic").expect("a clean drain");
    all
}

async fn send(narad: &Narad, topic: &str, key: &str) {
    narad
        .event(&Known { key: key.into() })
        .topic(topic)
        .partition(0)
        .send()
        .await
        .expect("an acknowledgement");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_between_handlers_costs_no_worker_and_its_partition_goes_on_from_where_it_was_finished() {
    let (narad, mut sighted) = application("broken-dispatch").await;
    send(&narad, "broken.dispatch", "before").await;
    let unknown = narad::serde_json::json!({"type": "UNSPEAKABLE_TYPE"});
    narad
        .message("broken.dispatch", unknown)
        .key("unknown")
        .partition(0)
        .send()
        .await
        .expect("an acknowledgement");
    send(&narad, "broken.dispatch", "after").await;
    let all = until_seen(&narad, &mut sighted, "after").await;
    assert_eq!(DISPATCH.1.load(SeqCst), 0, "it did panic");
    assert!(all.contains(&"before".to_owned()), "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_between_attempts_leaves_no_key_closed() {
    let (narad, mut sighted) = application("broken-pursuit").await;
    send(&narad, "broken.pursuit", "fails").await;
    send(&narad, "broken.pursuit", "fails").await;
    send(&narad, "broken.pursuit", "other").await;
    let all = until_seen(&narad, &mut sighted, "other 1").await;
    assert_eq!(PURSUIT.1.load(SeqCst), 0, "it did panic");
    // The first record once before each of the panics, then both.
    assert_eq!(all, ["fails 1", "fails 1", "fails 1", "fails 1", "other 1"]);
}

/// Nobody knows what a partition that broke off had finished: a stop does not say that all is committed.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_which_a_partition_breaks_off_is_no_success_and_does_not_wait_for_it() {
    let (narad, mut sighted) = application("broken-last").await;
    send(&narad, "broken.last", "last").await;
    let (stop, stopped) = oneshot::channel::<()>();
    let running = narad.clone();
    let run = tokio::spawn(async move { running.run_until(async { drop(stopped.await) }).await });
    let begun = tokio::time::timeout(Duration::from_secs(60), sighted.recv()).await.expect("it is handled");
    assert_eq!(begun.as_deref(), Some("last"));
    drop(stop);
    while !narad.health().is_draining() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    MAY_FAIL.store(true, SeqCst);
    let ended = tokio::time::timeout(Duration::from_secs(60), run).await.expect("an end").expect("no panic");
    assert_eq!(LAST.1.load(SeqCst), 0, "it did panic");
    assert!(matches!(ended, Err(Error::DrainTimeout)), "{ended:?}");
}
