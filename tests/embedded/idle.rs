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

/// What a thread has taken of processors so far, and how often it was given one.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    time: Duration,
    wakes: u64,
}

/// What the threads of this process have taken, by their names and numbers.
fn taken() -> BTreeMap<(String, String), Taken> {
    let mut taken = BTreeMap::new();
    for thread in std::fs::read_dir("/proc/self/task").expect("the threads of this process").flatten() {
        let read = |file: &str| std::fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        let schedstat = read("schedstat");
        let mut numbers = schedstat.split(' ').map_while(|number| number.parse().ok());
        let time = Duration::from_nanos(numbers.next().unwrap_or_default());
        // A thread that sleeps again and again: those that were only pushed aside are not counted.
        let status = read("status");
        let wakes = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        let wakes = wakes.and_then(|wakes| wakes.trim().parse().ok()).unwrap_or_default();
        let number = thread.file_name().to_string_lossy().into_owned();
        taken.insert((read("comm").trim().to_owned(), number), Taken { time, wakes });
    }
    taken
}

/// What each thread took between the two, if it was there all the time.
fn between(
    before: &BTreeMap<(String, String), Taken>,
    after: &BTreeMap<(String, String), Taken>,
) -> Vec<(String, Taken)> {
    let known = after.iter().filter_map(|(thread, after)| {
        let before = before.get(thread)?;
        let time = after.time.saturating_sub(before.time);
        Some((thread.0.clone(), Taken { time, wakes: after.wakes - before.wakes }))
    });
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
    let mut wakes = u64::MAX;
    for _ in 0..5 {
        let before = taken();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let took = between(&before, &taken());
        let of = |name: &str| {
            took.iter()
                .filter(|(thread, _)| thread.starts_with(name))
                .map(|(_, taken)| taken.time)
                .collect::<Vec<_>>()
        };
        assert!(of("narad idles").len() >= 2, "its threads are there: {took:?}");
        group = group.min(of("narad idles").iter().sum());
        let of_group = took.iter().filter(|(thread, _)| thread.starts_with("narad idles"));
        wakes = wakes.min(of_group.map(|(_, taken)| taken.wakes).sum());
        producer = producer.min(of("narad-producer").into_iter().min().expect("its thread is there"));
    }
    // A timer of either of them would wake it twice.
    assert!(wakes < 2, "in two seconds the group's threads woke {wakes} times");
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
    let mut by_name: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (name, taken) in between(&before, &after) {
        // A name is cut off behind fifteen characters.
        let name = match name.strip_prefix("narad idle-") {
            Some(rest) if rest.contains(' ') => "narad idle-* commit".to_owned(),
            Some(_) => "narad idle-*".to_owned(),
            None => name,
        };
        let (percent, wakes) = by_name.entry(name).or_default();
        *percent += taken.time.as_secs_f64() / span * 100.0;
        *wakes += taken.wakes as f64 / span;
    }
    for (name, (percent, wakes)) in
        by_name.iter().filter(|(_, (percent, wakes))| *percent >= 0.005 || *wakes >= 0.1)
    {
        println!("{name:20} {percent:6.3} % of a core, {wakes:6.1} wake-ups a second");
    }
    let (percent, wakes) =
        by_name.values().fold((0.0, 0.0), |(p, w), (percent, wakes)| (p + percent, w + wakes));
    println!("all threads: {percent:.3} % of a core, {wakes:.1} wake-ups a second");
    run.stop().await.expect("a clean drain");
}
