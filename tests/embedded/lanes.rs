//! Nothing stands still beside a handler that spins, blocks its thread, or is dropped before it has ended.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use narad::prelude::*;
use narad::{Error, Narad};
use tokio::sync::mpsc::unbounded_channel;

use crate::{Run, Seen, application, config, sightings, sorted};

#[derive(Event)]
#[event(topic = "it.spin", key = key)]
struct Spin {
    key: String,
}

async fn spin_on(narad: &Narad, topic: &str, partition: i32, key: &str) {
    narad
        .event(&Spin { key: key.into() })
        .topic(topic)
        .partition(partition)
        .send()
        .await
        .expect("an acknowledgement");
}

static IS_SET: AtomicBool = AtomicBool::new(false);

#[kafka_handler(topic = "it.spin", group = "it-spin")]
async fn spin(event: Spin, seen: State<Seen>) {
    match event.key.as_str() {
        "waits" => {
            while !IS_SET.load(SeqCst) {
                tokio::task::yield_now().await;
            }
        }
        _ => IS_SET.store(true, SeqCst),
    }
    let _ = seen.send(("spin", event.key));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_another_one_of_its_partition_spins_for_is_handled() {
    let (narad, mut seen) = application(&["it-spin"]).await;
    spin_on(&narad, "it.spin", 0, "waits").await;
    spin_on(&narad, "it.spin", 0, "sets").await;
    let run = Run::of(&narad);
    assert_eq!(sorted(&mut seen, 2).await, [("spin", "sets".to_owned()), ("spin", "waits".to_owned())]);
    run.stop().await.expect("a clean drain");
}

static SPUN_ENOUGH: AtomicBool = AtomicBool::new(false);

/// Never done: wakes itself in each of the ways that there are.
#[kafka_handler(topic = "it.spins", group = "it-spins")]
async fn spins(event: Spin, seen: State<Seen>) {
    let _ = seen.send(("spins", event.key.clone()));
    match event.key.as_str() {
        "yields" => loop {
            tokio::task::yield_now().await;
        },
        "wakes itself" => {
            std::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            })
            .await;
        }
        "is woken" => {
            let mut waker = std::future::poll_fn(|cx| Poll::Ready(Some(cx.waker().clone()))).await;
            std::future::poll_fn(|_| {
                if let Some(waker) = waker.take() {
                    std::thread::spawn(move || {
                        while !SPUN_ENOUGH.load(SeqCst) {
                            waker.wake_by_ref();
                        }
                    });
                }
                Poll::<()>::Pending
            })
            .await;
        }
        _ => {}
    }
}

#[kafka_handler(topic = "it.beside-spins", group = "it-beside-spins")]
async fn beside_spins(event: Spin, seen: State<Seen>) {
    let _ = seen.send(("beside", event.key));
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_that_wake_themselves_for_ever_leave_others_their_turn_and_are_let_go() {
    let (seen, mut sighted) = unbounded_channel();
    let mut config = config();
    config.shutdown_timeout = Duration::from_secs(1);
    let groups = ["it-spins", "it-beside-spins"];
    let narad = Narad::builder()
        .config(config)
        .groups(groups)
        .state::<Seen>(seen)
        .build()
        .await
        .expect("an application");
    for (partition, key) in ["yields", "wakes itself", "is woken"].into_iter().enumerate() {
        spin_on(&narad, "it.spins", partition as i32, key).await;
    }
    let run = Run::of(&narad);
    sightings(&mut sighted, 3).await;
    for number in 0..20 {
        // Of the same partitions, of the partition beside them, of another group.
        spin_on(&narad, "it.spins", number % 4, &format!("{number}")).await;
        spin_on(&narad, "it.beside-spins", number % 4, &format!("{number}")).await;
    }
    sightings(&mut sighted, 40).await;
    let ended = run.ended_after_stop().await;
    SPUN_ENOUGH.store(true, SeqCst);
    assert!(matches!(ended, Err(Error::DrainTimeout)), "{ended:?}");
}

#[kafka_handler(topic = "it.spins-on", group = "it-spins-on")]
async fn spins_on(_: Spin) {
    loop {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_spins_for_too_long_is_named_as_one_that_waits_is() {
    let (seen, _sighted) = unbounded_channel();
    let mut config = config();
    config.shutdown_timeout = Duration::from_millis(100);
    config.librdkafka.set("max.poll.interval.ms", "3000").expect("a property");
    let narad = Narad::builder()
        .config(config)
        .groups(["it-spins-on"])
        .state::<Seen>(seen)
        .build()
        .await
        .expect("an application");
    spin_on(&narad, "it.spins-on", 0, "spins").await;
    let run = Run::of(&narad);
    crate::until("it is named", || narad.health().to_string().contains("spins_on of group it-spins-on"))
        .await;
    let ended = run.ended_after_stop().await;
    assert!(matches!(ended, Err(Error::DrainTimeout)), "{ended:?}");
}

/// Where futures were dropped: the thread's name, and whether there was a runtime.
static DROPS: Mutex<Vec<(String, bool)>> = Mutex::new(Vec::new());
static DROP_MAY_END: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

/// Does in its drop what its name says.
enum Guard {
    Spawns,
    Panics,
    Blocks,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        DROPS.lock().unwrap().push((thread, tokio::runtime::Handle::try_current().is_ok()));
        match self {
            Self::Spawns => drop(tokio::spawn(async {})),
            Self::Panics => panic!("a drop panics"),
            Self::Blocks => {
                let may_end = DROP_MAY_END.0.lock().unwrap();
                drop(DROP_MAY_END.1.wait_while(may_end, |may_end| !*may_end).unwrap());
            }
        }
    }
}

#[kafka_handler(topic = "it.drops", group = "it-drops")]
async fn drops(event: Spin, seen: State<Seen>) {
    let _guards = match event.key.as_str() {
        "spawns" => vec![Guard::Spawns, Guard::Spawns],
        "panics" => vec![Guard::Panics],
        _ => vec![Guard::Blocks],
    };
    let _ = seen.send(("begun", event.key));
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_end_in_time_is_dropped_by_a_worker_inside_the_runtime_whatever_its_drop_does() {
    let (seen, mut sighted) = unbounded_channel();
    let mut config = config();
    config.shutdown_timeout = Duration::from_millis(100);
    let narad = Narad::builder()
        .config(config)
        .groups(["it-drops"])
        .state::<Seen>(seen)
        .build()
        .await
        .expect("an application");
    for (partition, key) in [(0, "spawns"), (0, "panics"), (1, "spawns"), (2, "blocks")] {
        spin_on(&narad, "it.drops", partition, key).await;
    }
    let run = Run::of(&narad);
    sightings(&mut sighted, 4).await;
    // A drop blocks its thread: the end waits for it no longer than for a handler that does.
    let ended = run.ended_after_stop().await;
    assert!(matches!(ended, Err(Error::DrainTimeout)), "{ended:?}");
    *DROP_MAY_END.0.lock().unwrap() = true;
    DROP_MAY_END.1.notify_all();
    crate::until("all are dropped", || DROPS.lock().unwrap().len() == 6).await;
    for (thread, in_runtime) in DROPS.lock().unwrap().iter() {
        assert!(thread.starts_with("narad worker") && *in_runtime, "dropped on {thread:?}");
    }
}

/// Panics where it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a payload panics");
    }
}

/// A panic with a payload whose drop panics as well.
#[kafka_handler(topic = "it.bombs", group = "it-bombs", dead_letter = skip, retry(attempts = 1))]
async fn bombs(event: Spin, seen: State<Seen>) {
    if event.key == "bomb" {
        std::panic::panic_any(Bomb);
    }
    let _ = seen.send(("bombs", event.key));
}

/// The same on a thread of Narad's for plain functions.
#[kafka_handler(topic = "it.bombs", group = "it-bombs-blocking", dead_letter = skip, retry(attempts = 1), concurrency = 1)]
fn blocking_bombs(event: Spin, seen: State<Seen>) {
    if event.key == "bomb" {
        std::panic::panic_any(Bomb);
    }
    let _ = seen.send(("blocking", event.key));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_whose_payload_panics_is_one_failed_attempt() {
    let (narad, mut seen) = application(&["it-bombs", "it-bombs-blocking"]).await;
    // More than there are workers.
    for _ in 0..20 {
        spin_on(&narad, "it.bombs", 0, "bomb").await;
    }
    spin_on(&narad, "it.bombs", 0, "good").await;
    let run = Run::of(&narad);
    assert_eq!(sorted(&mut seen, 2).await, [("blocking", "good".to_owned()), ("bombs", "good".to_owned())]);
    run.stop().await.expect("a clean drain");
}

/// Says when it is dropped.
struct Told(Arc<AtomicUsize>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[kafka_handler(topic = "it.left", group = "it-left")]
async fn left(event: Spin, _told: State<Told>, seen: State<Seen>) {
    let _ = seen.send(("begun", event.key));
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_dropped_leaves_nothing_behind() {
    let (seen, mut sighted) = unbounded_channel();
    let dropped = Arc::new(AtomicUsize::new(0));
    let builder = Narad::builder()
        .config(config())
        .groups(["it-left"])
        .state::<Seen>(seen)
        .state(Told(dropped.clone()));
    let narad = builder.build().await.expect("an application");
    for partition in 0..4 {
        spin_on(&narad, "it.left", partition, "left").await;
    }
    tokio::select! {
        ended = narad.run_until(std::future::pending()) => panic!("{ended:?}"),
        _ = sightings(&mut sighted, 4) => {}
    }
    drop(narad);
    crate::until("the states are dropped", || dropped.load(SeqCst) == 1).await;
    assert!(sighted.recv().await.is_none(), "no handler has its states any more");
}

static MAY_GO_ON: AtomicBool = AtomicBool::new(false);

/// A group whose handler holds its worker.
macro_rules! holds {
    ($name:ident, $group:tt) => {
        #[kafka_handler(topic = "it.holds", group = $group)]
        async fn $name(event: Spin, seen: State<Seen>) {
            let _ = seen.send(("begun", event.key));
            while !MAY_GO_ON.load(SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    };
}

holds!(holds_0, "it-holds-0");
holds!(holds_1, "it-holds-1");
holds!(holds_2, "it-holds-2");
holds!(holds_3, "it-holds-3");
holds!(holds_4, "it-holds-4");
holds!(holds_5, "it-holds-5");
holds!(holds_6, "it-holds-6");
holds!(holds_7, "it-holds-7");
holds!(holds_8, "it-holds-8");
holds!(holds_9, "it-holds-9");

/// No worker is left to drop what lanes hold.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_many_groups_that_is_dropped_waits_for_all_of_them_at_once() {
    let groups: Vec<_> = (0..10).map(|number| format!("it-holds-{number}")).collect();
    let (narad, mut sighted) = application(&groups.iter().map(String::as_str).collect::<Vec<_>>()).await;
    spin_on(&narad, "it.holds", 0, "holds").await;
    let workers =
        std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2)).min(groups.len());
    let joined =
        || narad.health().groups().iter().filter(|group| group.assigned() > 0).count() == groups.len();
    let dropped = tokio::select! {
        ended = narad.run_until(std::future::pending()) => panic!("{ended:?}"),
        dropped = async {
            sightings(&mut sighted, workers).await;
            crate::until("all groups have their partitions", joined).await;
            Instant::now()
        } => dropped,
    };
    let took = dropped.elapsed();
    MAY_GO_ON.store(true, SeqCst);
    assert!(took < Duration::from_secs(6), "a second for all of them, not for each: {took:?}");
}

#[kafka_handler(topic = "it.again", group = "it-again")]
async fn again(event: Spin, seen: State<Seen>) {
    let _ = seen.send(("again", event.key));
}

/// librdkafka's mock cluster has who comes after the last member wait for its session.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_was_left_is_joined_again_at_once() {
    for round in 0..3 {
        let (narad, mut seen) = application(&["it-again"]).await;
        spin_on(&narad, "it.again", 0, &format!("{round}")).await;
        let run = Run::of(&narad);
        let sighting = tokio::time::timeout(Duration::from_secs(20), seen.recv()).await;
        assert_eq!(sighting.expect("the group is joined in time"), Some(("again", format!("{round}"))));
        run.stop().await.expect("a clean drain");
    }
}
