//! The builder's application on the embedded broker: its end, and layers.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use narad::prelude::*;
use narad::{Config, Error, Layer, Narad, Next, OutcomeKind};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What handlers and layers saw, for the test that waits for it.
type Seen = UnboundedSender<String>;

#[derive(Event)]
#[event(topic = "running.jobs", key = todo)]
struct Job {
    todo: String,
}

#[derive(Event)]
#[event(topic = "running.done", key = todo)]
struct Done {
    todo: String,
}

/// Returns its event only after the application was asked to end.
#[kafka_handler(topic = "running.jobs", group = "running-end")]
async fn slow(job: Job, seen: State<Seen>) -> Done {
    let _ = seen.send(format!("begun {}", job.todo));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let _ = seen.send(format!("done {}", job.todo));
    Done { todo: job.todo }
}

#[derive(Event)]
#[event(topic = "running.layered", key = todo)]
struct Layered {
    todo: String,
}

#[kafka_handler(
    topic = "running.layered",
    group = "running-layers",
    retry(attempts = 2, backoff = "1ms..2ms")
)]
async fn layered(job: Layered, seen: State<Seen>) -> Result<(), String> {
    let _ = seen.send(format!("handled {}", job.todo));
    if job.todo == "mended" { Err("fails".to_owned()) } else { Ok(()) }
}

#[kafka_handler(topic = "running.layered.running-layers.dlq", group = "running-dead")]
async fn dead(record: Record, seen: State<Seen>) {
    let header = |name| String::from_utf8_lossy(record.header(name).unwrap_or_default()).into_owned();
    let key = String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned();
    let _ = seen.send(format!("dead {key} {}", header("narad-dlq-error")));
}

/// Decides for one handler, by the record's key.
struct Deciding;

impl Layer for Deciding {
    async fn call<'a>(&'a self, ctx: &'a Context, next: Next<'a>) -> Outcome {
        if ctx.handler() != "layered" {
            return next.run().await;
        }
        match ctx.key().unwrap_or_default() {
            b"kept" => Outcome::skip("no business of the handler's"),
            b"changed" => {
                drop(next.run().await);
                Outcome::dead_letter("the layer says so")
            }
            b"mended" | b"unfit" => {
                drop(next.run().await);
                Outcome::done()
            }
            _ => next.run().await,
        }
    }
}

/// Says its name before and after.
struct Named(&'static str, Arc<Mutex<Vec<String>>>);

impl Layer for Named {
    async fn call<'a>(&'a self, ctx: &'a Context, next: Next<'a>) -> Outcome {
        let say = |text: String| self.1.lock().unwrap().push(text);
        let plain = ctx.key() == Some(b"plain");
        if plain {
            say(format!("> {}", self.0));
        }
        let outcome = next.run().await;
        if plain {
            say(format!("< {} {}", self.0, outcome.kind() == OutcomeKind::Done));
        }
        outcome
    }
}

async fn sighting(seen: &mut UnboundedReceiver<String>) -> String {
    tokio::time::timeout(Duration::from_secs(60), seen.recv())
        .await
        .expect("in time")
        .expect("an application")
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnect_drains_the_run_and_flushes_what_its_handlers_return() {
    let (seen, mut sighted) = unbounded_channel();
    let config = Config::default().or_embedded();
    let narad = Narad::builder()
        .config(config)
        .groups(["running-end"])
        .state::<Seen>(seen)
        .build()
        .await
        .expect("an application");
    narad.publish(&Job { todo: "x".into() }).await.expect("an acknowledgement");
    let running = narad.clone();
    let run = tokio::spawn(async move { running.run().await });
    assert_eq!(sighting(&mut sighted).await, "begun x");
    narad.disconnect().await.expect("a clean end");
    assert_eq!(sighted.try_recv().as_deref(), Ok("done x"), "the handler ended before the application did");
    tokio::time::timeout(Duration::from_secs(60), run)
        .await
        .expect("the run ends")
        .expect("no panic")
        .expect("a clean drain");
    assert!(matches!(narad.publish(&Job { todo: "late".into() }).await, Err(Error::NotConnected)));
    assert!(matches!(narad.run().await, Err(Error::Start(_))), "a second run is an error");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_broker_takes_everybody_whatever_the_environment_says_of_security() {
    let (username, password) = (Some("ada".into()), Some("secret".into()));
    let config = Config { ssl: true, sasl_username: username, sasl_password: password, ..Config::default() }
        .or_embedded();
    let narad = Narad::builder().config(config).build().await.expect("an application");
    narad.send("running.plain", 1).await.expect("an acknowledgement");
    narad.disconnect().await.expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_was_disconnected_does_not_run() {
    let narad =
        Narad::builder().config(Config::default().or_embedded()).build().await.expect("an application");
    narad.disconnect().await.expect("a clean end");
    let error = narad.run_until(std::future::ready(())).await.expect_err("it ended");
    assert!(error.to_string().contains("disconnected"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_layer_returns_is_the_outcome_also_of_a_record_that_does_not_fit() {
    let (seen, mut sighted) = unbounded_channel();
    let order = Arc::default();
    let narad = Narad::builder()
        .config(Config::default().or_embedded())
        .groups(["running-layers", "running-dead"])
        .state::<Seen>(seen)
        .layer(Named("outer", Arc::clone(&order)))
        .layer(Named("inner", Arc::clone(&order)))
        .layer(Deciding)
        .build()
        .await
        .expect("an application");
    for todo in ["kept", "changed", "mended"] {
        narad.publish(&Layered { todo: todo.into() }).await.expect("an acknowledgement");
    }
    let unfit = narad::serde_json::json!({ "type": "LAYERED", "todo": 5 });
    for key in ["unfit", "misfit"] {
        narad.message("running.layered", &unfit).key(key).send().await.expect("an acknowledgement");
    }
    narad.publish(&Layered { todo: "plain".into() }).await.expect("an acknowledgement");
    let running = narad.clone();
    let run = tokio::spawn(async move { running.run().await });
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(sighting(&mut sighted).await);
    }
    narad.disconnect().await.expect("a clean end");
    run.await.expect("no panic").expect("a clean drain");
    all.sort();
    assert_eq!(all[0], "dead changed the layer says so");
    assert!(all[1].starts_with("dead misfit "), "{all:?}");
    assert_eq!(all[2..], ["handled changed", "handled mended", "handled plain"]);
    assert!(sighted.try_recv().is_err(), "one attempt each, and no other dead letter");
    assert_eq!(*order.lock().unwrap(), ["> outer", "> inner", "< inner true", "< outer true"]);
}

#[derive(Event)]
#[event(topic = "running.rounds", key = number)]
struct Round {
    number: u32,
}

/// One attempt: whatever the end of the runtime makes of it would be in the dead letter.
#[kafka_handler(
    topic = "running.rounds",
    group = "running-rounds-${ROUNDS_OF:-nobody}",
    retry(attempts = 1),
    dead_letter = "running.rounds.dead"
)]
async fn round(round: Round, seen: State<Seen>) {
    tokio::time::sleep(Duration::from_millis(10)).await;
    let _ = seen.send(round.number.to_string());
}

#[kafka_handler(topic = "running.rounds.dead", group = "running-rounds-dead")]
async fn dead_round(record: Record, seen: State<Seen>) {
    let _ = seen.send(String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned());
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

async fn application_of(group: &str, rounds_of: &str) -> (Narad, UnboundedReceiver<String>) {
    let (seen, sighted) = unbounded_channel();
    let mut config = Config::default().or_embedded();
    config.commit_interval = Duration::from_millis(5);
    config.variables.set("ROUNDS_OF", rounds_of);
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

/// Takes all that was seen, until nobody is left to see anything: what a run had is dropped with it.
fn all_of(sighted: &mut UnboundedReceiver<String>) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut all = Vec::new();
    loop {
        match sighted.try_recv() {
            Ok(sighting) => all.push(sighting),
            Err(TryRecvError::Disconnected) => return all,
            Err(TryRecvError::Empty) => {
                assert!(Instant::now() < deadline, "a run that was dropped keeps its states");
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

/// Panics on threads of Narad's.
static PANICS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_run_that_is_dropped_with_its_runtime_fails_nothing_loses_nothing_and_keeps_nothing() {
    const RECORDS: u32 = 3_000;
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name().is_some_and(|name| name.starts_with("narad")) {
            PANICS.fetch_add(1, SeqCst);
        }
        hook(panic);
    }));
    runtime().block_on(async {
        let (narad, _) = application_of("running-rounds-dead", "nobody").await;
        narad
            .publish_all(&(0..RECORDS).map(|number| Round { number }).collect::<Vec<_>>())
            .await
            .expect("acknowledgements");
        narad.disconnect().await.expect("a clean end");
    });
    let rounds = std::env::var("NARAD_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(5);
    std::thread::scope(|scope| {
        for of in ["a", "b", "c", "d"] {
            scope.spawn(move || {
                let group = format!("running-rounds-{of}");
                let mut handled = BTreeSet::new();
                for round in 0..rounds {
                    let runtime = runtime();
                    let mut sighted = runtime.block_on(async {
                        let (narad, mut sighted) = application_of(&group, of).await;
                        let enough = async {
                            handled.insert(sighting(&mut sighted).await);
                            tokio::time::sleep(Duration::from_millis(round * 7 % 30)).await;
                        };
                        tokio::select! {
                            ended = narad.run() => panic!("{ended:?}"),
                            () = enough => {}
                        }
                        sighted
                    });
                    drop(runtime);
                    handled.extend(all_of(&mut sighted));
                }
                // What is left is handled by one that runs to its end: nothing that was not handled is
                // committed.
                runtime().block_on(async {
                    let (narad, mut sighted) = application_of(&group, of).await;
                    let all = async {
                        while handled.len() < RECORDS as usize {
                            handled.insert(sighting(&mut sighted).await);
                        }
                    };
                    narad.run_until(all).await.expect("a clean drain");
                });
            });
        }
    });
    // Whatever is in the dead letter comes before these.
    runtime().block_on(async {
        let (narad, mut sighted) = application_of("running-rounds-dead", "nobody").await;
        for partition in 0..4 {
            narad
                .message("running.rounds.dead", 0)
                .key("end")
                .partition(partition)
                .send()
                .await
                .expect("an acknowledgement");
        }
        let ends = async {
            for _ in 0..4 {
                assert_eq!(sighting(&mut sighted).await, "end", "dead-lettered");
            }
        };
        narad.run_until(ends).await.expect("a clean drain");
    });
    assert_eq!(PANICS.load(SeqCst), 0, "a handler was polled without its runtime");
}

#[test]
fn a_runtime_without_timers_is_a_start_error() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_io().build().expect("a runtime");
    let ended = runtime.block_on(async {
        let narad = Narad::builder()
            .config(Config::default().or_embedded())
            .groups(["running-end"])
            .build()
            .await
            .expect("an application");
        narad.run_until(std::future::pending()).await
    });
    assert!(matches!(&ended, Err(Error::Start(text)) if text.contains("enable_time")), "{ended:?}");
}
