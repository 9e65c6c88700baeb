//! An application without records: what it takes of a processor, with one group and with a hundred.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use narad::prelude::*;
use narad::{GroupState, Narad};

use crate::{Run, config};

macro_rules! hundred_groups {
    (@ $ten:ident $($one:ident)*) => {
        $(mod $one {
            use narad::prelude::*;

            const GROUP: &str = concat!("idle-", stringify!($ten), stringify!($one));

            #[kafka_handler(topic = "idle", group = GROUP)]
            async fn idle(_: Record) {}
        })*
    };
    ($($ten:ident)*) => { $(mod $ten { hundred_groups!(@ $ten a b c d e f g h i j); })* };
}
hundred_groups!(a b c d e f g h i j);

#[kafka_handler(topic = "idles", group = "idles")]
async fn idles(_: Record) {}

/// What the threads of this process have taken of processors so far, by their names and numbers.
fn taken() -> BTreeMap<(String, String), Duration> {
    let mut taken = BTreeMap::new();
    for thread in std::fs::read_dir("/proc/self/task").expect("the threads of this process").flatten() {
        let read = |file: &str| std::fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        let nanoseconds =
            read("schedstat").split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default();
        let number = thread.file_name().to_string_lossy().into_owned();
        taken.insert((read("comm").trim().to_owned(), number), Duration::from_nanos(nanoseconds));
    }
    taken
}

/// What each thread took between the two, if it was there all the time.
fn between(
    before: &BTreeMap<(String, String), Duration>,
    after: &BTreeMap<(String, String), Duration>,
) -> Vec<(String, Duration)> {
    let known = after
        .iter()
        .filter_map(|(thread, time)| Some((thread.0.clone(), time.saturating_sub(*before.get(thread)?))));
    known.collect()
}

async fn until_stable(narad: &Narad) {
    let stable = || {
        let health = narad.health();
        !health.groups().is_empty() && health.groups().iter().all(|group| group.state() == GroupState::Stable)
    };
    crate::until("all groups have joined", stable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_threads_of_an_idle_application_sleep() {
    let config = narad::Config { commit_interval: Duration::from_secs(1), ..config() };
    let narad = Narad::builder().config(config).groups(["idles"]).build().await.expect("an application");
    let run = Run::of(&narad);
    until_stable(&narad).await;
    // What is measured is the processor's time and no clock's. A stranger's load makes it more, now and then:
    // the best of a few counts. And the producers of other tests, which have more to do, are named as this
    // one's: the least of them counts.
    let (mut group, mut producer) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        let before = taken();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let took = between(&before, &taken());
        let of = |name: &str| {
            took.iter()
                .filter(|(thread, _)| thread.starts_with(name))
                .map(|(_, time)| *time)
                .collect::<Vec<_>>()
        };
        assert!(of("narad idles").len() >= 2, "its threads are there: {took:?}");
        group = group.min(of("narad idles").iter().sum());
        producer = producer.min(of("narad-producer").into_iter().min().expect("its thread is there"));
    }
    assert!(group < Duration::from_millis(6), "in two seconds the group's threads took {group:?}");
    assert!(producer < Duration::from_millis(4), "in two seconds the producer's thread took {producer:?}");
    run.stop().await.expect("a clean drain");
}

/// By hand: `IDLE_GROUPS=100 NARAD_TEST_BROKERS=… cargo test … --test embedded what_an_idle -- --ignored
/// --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: a minute on a machine that does nothing else"]
async fn what_an_idle_application_takes() {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let (wanted, seconds) = (number("IDLE_GROUPS", 1) as usize, number("IDLE_SECONDS", 60));
    let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let groups = letters.iter().flat_map(|ten| letters.iter().map(move |one| format!("idle-{ten}{one}")));
    let mut config = narad::Config { commit_interval: Duration::from_secs(1), ..config() };
    if let Ok(brokers) = std::env::var("NARAD_TEST_BROKERS") {
        config = narad::Config {
            brokers: brokers.split(',').map(str::to_owned).collect(),
            create_topics: Some(true),
            ..narad::Config::default()
        };
    }
    let narad =
        Narad::builder().config(config).groups(groups.take(wanted)).build().await.expect("an application");
    let began = Instant::now();
    let run = Run::of(&narad);
    until_stable(&narad).await;
    println!("{wanted} groups: stable after {:.2} s", began.elapsed().as_secs_f64());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (before, from) = (taken(), Instant::now());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (after, span) = (taken(), from.elapsed().as_secs_f64());
    let mut by_name: BTreeMap<String, f64> = BTreeMap::new();
    for (name, time) in between(&before, &after) {
        let name = if name.starts_with("narad idle-") { "narad idle-*".to_owned() } else { name };
        *by_name.entry(name).or_default() += time.as_secs_f64() / span * 100.0;
    }
    for (name, percent) in by_name.iter().filter(|(_, percent)| **percent >= 0.005) {
        println!("{name:18} {percent:.3} % of a core");
    }
    println!("all threads: {:.3} % of a core", by_name.values().sum::<f64>());
    run.stop().await.expect("a clean drain");
}
