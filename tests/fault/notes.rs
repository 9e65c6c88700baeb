//! What commits say beyond their offset: read by processes with another order, of another release, of another
//! group, on another cluster.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use narad_tests::cluster::{Cluster, Stored, fresh};
use narad_tests::deployment::{ALONE, Deployment, work, work_of};
use narad_tests::ledger::{self, Step};
use narad_tests::wait;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, DefaultProducerContext, Producer};

use super::brokers::on_a_node_with;
use super::{APP, once, stop, with_a_seed, with_seeds};

const ORDERING: &str = "NARAD_HANDLER_WORK_ORDERING";
/// What fails waits, and goes on soon once it is mended.
const PARKED: [(&str, &str); 3] = [
    ("NARAD_HANDLER_WORK_DEAD_LETTER", "off"),
    ("NARAD_HANDLER_WORK_RETRY_ATTEMPTS", "1000000"),
    ("NARAD_HANDLER_WORK_RETRY_BACKOFF", "200ms..1s"),
];

/// The offsets of a partition that were handled, by what stands in a ledger.
fn handled(ledger: &Path, partition: i32) -> BTreeSet<i64> {
    let entries = ledger::read(ledger);
    entries
        .iter()
        .filter(|entry| entry.step == Step::Ok && entry.partition == partition)
        .map(|entry| entry.offset)
        .collect()
}

/// Waits until as much is handled as can be while every seventh key fails.
fn await_all_but_the_failing(deployment: &Deployment, records: usize, keys: usize, ordering: &str) {
    let failing = (0..keys).filter(|key| key.is_multiple_of(7)).count();
    let done = || {
        deployment
            .ledger()
            .iter()
            .filter(|entry| entry.step == Step::Ok)
            .map(|entry| entry.offset)
            .collect::<BTreeSet<_>>()
            .len()
    };
    match ordering {
        // Nothing goes past the first record, which fails.
        "partition" => wait::until("the first record fails", || deployment.steps() >= 2),
        _ => wait::until("all other keys are done", || done() >= records / keys * (keys - failing)),
    }
}

#[test]
fn another_order_after_a_kill_repeats_and_loses_nothing() {
    with_seeds(|cluster, rng| {
        let orders = ["key", "partition", "none"];
        let changes = orders
            .iter()
            .flat_map(|from| orders.iter().filter(move |to| *to != from).map(move |to| (*from, *to)));
        std::thread::scope(|scope| {
            for (from, to) in changes {
                let (cluster, pause, signal) =
                    (cluster.clone(), Duration::from_millis(rng.u64(300..1_500)), rng.u8(0..4) == 0);
                let name = format!("{from} to {to}");
                scope.spawn(move || {
                    println!("{name}");
                    let (records, keys) = (400, 20);
                    let deployment = Deployment::new(&cluster, APP, 1);
                    cluster.write(&deployment.topic, work(records, keys));
                    let mended = deployment.file("mended");
                    let mut variables =
                        vec![("APP_FAIL_EVERY", "7"), ("APP_FAIL_UNTIL", mended.to_str().expect("text"))];
                    variables.extend(PARKED);
                    let mut process = deployment.start(&[&variables[..], &[(ORDERING, from)]].concat());
                    await_all_but_the_failing(&deployment, records, keys, from);
                    // By then what is finished beyond the parked keys is committed.
                    std::thread::sleep(pause);
                    if signal {
                        stop(process);
                    } else {
                        deployment.kill(&mut process, ALONE);
                    }
                    std::fs::write(&mended, "").expect("a file");
                    let process = deployment.start(&[&variables[..], &[(ORDERING, to)]].concat());
                    deployment.await_committed(records);
                    stop(process);
                    let verdict = deployment.verdict();
                    assert!(
                        verdict.lost.is_empty(),
                        "I1, {name}: {} in all\n{:#?}",
                        verdict.lost.len(),
                        verdict.lost
                    );
                    assert!(
                        verdict.ahead.is_empty(),
                        "I2, {name}: {} in all\n{:#?}",
                        verdict.ahead.len(),
                        verdict.ahead
                    );
                    println!("{name}: repeated {}", verdict.repeated);
                });
            }
        });
    });
}

#[test]
fn two_orders_side_by_side_lose_nothing() {
    with_a_seed(|cluster, rng| {
        let (records, keys) = (2_000, 50);
        let deployment = Deployment::new(cluster, APP, 4);
        cluster.write(&deployment.topic, work(records, keys));
        let mended = deployment.file("mended");
        let mut variables = vec![
            ("APP_FAIL_EVERY", "7"),
            ("APP_WAIT_MS", "5"),
            ("APP_FAIL_UNTIL", mended.to_str().expect("text")),
        ];
        variables.extend(PARKED);
        let start = |ordering| deployment.start(&[&variables[..], &[(ORDERING, ordering)]].concat());
        let mut processes = [start("key"), start("none")];
        for round in 0..4 {
            deployment.await_steps(500 + round * 500);
            std::thread::sleep(Duration::from_millis(rng.u64(300..1_200)));
            // Partitions of the one go to the other, and back to one with the other order.
            deployment.kill(&mut processes[round % 2], ALONE);
            std::thread::sleep(Duration::from_millis(rng.u64(0..8_000)));
            processes[round % 2] =
                start(if round / 2 == 0 { ["none", "key"][round % 2] } else { ["key", "none"][round % 2] });
        }
        std::fs::write(&mended, "").expect("a file");
        deployment.await_committed(records);
        processes.into_iter().for_each(stop);
        let verdict = deployment.verdict();
        assert!(verdict.lost.is_empty(), "I1, lost: {} in all\n{:#?}", verdict.lost.len(), verdict.lost);
        println!("repeated {}", verdict.repeated);
    });
}

/// A commit that was copied, and what stands in the partition where it is now.
struct Copied<'a> {
    what: &'a str,
    cluster: &'a Cluster,
    group: &'a str,
    topic: &'a str,
    next: i64,
    offsets: BTreeSet<i64>,
}

impl Copied<'_> {
    /// Whoever goes on from there handles all that stands there.
    fn goes_on(&self, deployment: &Deployment, note: &str) {
        let Self { what, cluster, group, topic, next, offsets } = self;
        cluster.commit(group, topic, 0, *next, note);
        let ledger = deployment.file(&format!("ledger of {what}"));
        let mut variables =
            vec![("APP_LEDGER", ledger.to_str().expect("text")), ("KAFKA_BROKERS", &cluster.brokers)];
        // The mock cluster makes no topics when it is asked.
        let creates = if cluster.brokers == deployment.cluster.brokers { "true" } else { "false" };
        variables.extend([("APP_GROUP", *group), ("APP_TOPIC", topic), ("NARAD_CREATE_TOPICS", creates)]);
        variables.extend(PARKED);
        let process = deployment.start(&variables);
        let wanted: BTreeSet<i64> = offsets.range(next..).copied().collect();
        let end = wanted.last().expect("records") + 1;
        wait::until(&format!("{what}: all is committed"), || {
            cluster.committed_with_note(group, topic, 0).is_some_and(|(committed, _)| committed >= end)
        });
        stop(process);
        let lost: Vec<_> = wanted.difference(&handled(&ledger, 0)).copied().collect();
        assert!(lost.is_empty(), "I1, lost by {what}: {} in all, of {}: {lost:?}", lost.len(), wanted.len());
    }
}

/// A key that fails among others, and where it stands.
fn one_fails(records: usize, place: usize) -> impl Iterator<Item = Stored> {
    (0..records).map(move |number| {
        if number == place {
            work_of("user-0", 0)
        } else {
            work_of(&format!("user-{}", number % 9 + 1), number)
        }
    })
}

#[test]
fn commits_that_are_copied_lose_nothing() {
    once(|cluster| {
        let (records, place) = (60, 20);
        let deployment = Deployment::new(cluster, APP, 1);
        cluster.write_in_transactions(&deployment.topic, one_fails(records, place));
        let mut variables = vec![("APP_FAIL_EVERY", "1000")];
        variables.extend(PARKED);
        let process = deployment.start(&variables);
        wait::until("the others are done", || handled(&deployment.file("ledger"), 0).len() == records - 1);
        stop(process);
        let (next, note) =
            cluster.committed_with_note(&deployment.group, &deployment.topic, 0).expect("a commit");
        assert_eq!(next, 2 * place as i64, "markers stand between the records");
        assert!(!note.is_empty(), "what is finished beyond is noted");
        let offsets: BTreeSet<i64> = (0..records as i64).map(|number| 2 * number).collect();

        let (group, topic) = (deployment.group.as_str(), deployment.topic.as_str());

        // As one clones a group by API.
        let clone = fresh("clone");
        Copied { what: "another group", cluster, group: &clone, topic, next, offsets: offsets.clone() }
            .goes_on(&deployment, &note);

        // As MirrorMaker does: the offset is translated, the metadata kept. More has come since.
        let denser = fresh("mirror");
        cluster.create_topic(&denser, 1, &[]);
        cluster.write(
            &denser,
            one_fails(records, place).chain((0..70).map(|number| work_of("user-3", 1_000 + number))),
        );
        let all = (0..records as i64 + 70).collect();
        Copied { what: "a denser topic", cluster, group, topic: &denser, next: place as i64, offsets: all }
            .goes_on(&deployment, &note);

        // The same names, the same offset.
        let (client, second) = second_cluster();
        for topic in [topic, &deployment.dead_letter(), &deployment.returned()] {
            client.client().mock_cluster().expect("a cluster").create_topic(topic, 1, 1).expect("a topic");
        }
        second.write(topic, (0..150).map(|number| work_of(&format!("user-{}", number % 9 + 1), number)));
        Copied { what: "another cluster", cluster: &second, group, topic, next, offsets: (0..150).collect() }
            .goes_on(&deployment, &note);

        // Somebody wants the last records once more, and keeps what stands beside the offset.
        Copied { what: "an earlier offset", cluster, group, topic, next: next - 15, offsets }
            .goes_on(&deployment, &note);
    });
}

fn second_cluster() -> (BaseProducer<DefaultProducerContext>, Cluster) {
    let client: BaseProducer<DefaultProducerContext> =
        ClientConfig::new().set("test.mock.num.brokers", "1").create().expect("a mock cluster");
    let brokers = narad::__private::begin_mock_cluster(client.client()).expect("its address");
    (client, Cluster { brokers })
}

#[test]
fn processes_of_the_release_before_lose_nothing_beside_those_of_now() {
    let Ok(former) = std::env::var("NARAD_TEST_FORMER_APP") else {
        return eprintln!("skipped: NARAD_TEST_FORMER_APP names no application of the release before");
    };
    with_seeds(|cluster, rng| {
        let (records, keys) = (2_000, 50);
        let deployment = Deployment::new(cluster, APP, 4);
        cluster.write(&deployment.topic, work(records, keys));
        let mended = deployment.file("mended");
        let mut variables = vec![
            ("APP_FAIL_EVERY", "7"),
            ("APP_WAIT_MS", "5"),
            ("APP_FAIL_UNTIL", mended.to_str().expect("text")),
        ];
        variables.extend(PARKED);
        let start =
            |is_former: bool| deployment.start_program(if is_former { &former } else { APP }, &variables);
        // One after the other is replaced, by one of now, and at the end by one of before again.
        let mut processes = [start(true), start(true)];
        for round in 0..6 {
            deployment.await_steps(500 + round * 300);
            std::thread::sleep(Duration::from_millis(rng.u64(300..1_200)));
            if rng.bool() {
                deployment.kill(&mut processes[round % 2], ALONE);
            } else {
                processes[round % 2].signal(rustix::process::Signal::TERM);
                processes[round % 2].ends_with(0);
            }
            processes[round % 2] = start(round >= 4);
        }
        std::fs::write(&mended, "").expect("a file");
        deployment.await_committed(records);
        processes.into_iter().for_each(stop);
        let verdict = deployment.verdict();
        assert!(verdict.lost.is_empty(), "I1, lost: {} in all\n{:#?}", verdict.lost.len(), verdict.lost);
        println!("repeated {}", verdict.repeated);
        began_is_kept(cluster, &former);
    });
}

/// A group that begins at the end, and a partition that is added later: whoever gets it begins at its
/// beginning.
fn began_is_kept(cluster: &Cluster, former: &str) {
    for (first, second) in [(former, APP), (APP, former)] {
        let deployment = Deployment::new(cluster, APP, 2);
        let latest = [("NARAD_HANDLER_WORK_START", "latest")];
        cluster.write(&deployment.topic, work(20, 20));
        let process = deployment.start_program(first, &latest);
        let noted = |partition| {
            cluster.committed_with_note(&deployment.group, &deployment.topic, partition).is_some()
        };
        wait::until("the group has begun", || noted(0) && noted(1));
        stop(process);
        cluster.add_partitions(&deployment.topic, 3);
        cluster
            .write(&deployment.topic, (0..10).map(|seq| Stored { partition: 2, ..work_of("late-1", seq) }));
        let process = deployment.start_program(second, &latest);
        wait::until("what came to the new partition is handled", || {
            handled(&deployment.file("ledger"), 2).len() == 10
        });
        stop(process);
        assert!(
            deployment.ledger().iter().all(|entry| entry.partition == 2),
            "what was there before is not handled"
        );
    }
}

/// So many keys of a partition that no note has room for them where a broker takes 512 bytes of it.
const TOO_MANY: usize = 120;

/// Of two partitions in one commit the note of one is too large for the broker. The other keeps its own, and
/// both are committed.
#[test]
fn a_note_that_the_broker_refuses_costs_its_own_partition_only() {
    on_a_node_with("offset.metadata.max.bytes=512", |kafka, _| {
        let (cluster, records, keys) = (&kafka.cluster, 8_000, 999);
        let deployment = Deployment::new(cluster, APP, 2);
        // Keys of full thousands fail: one here, and many there.
        let failing = |partition: i32, keys: std::ops::Range<usize>| {
            keys.map(move |key| Stored { partition, ..work_of(&format!("user-{}", key * 1_000), 0) })
        };
        let others = (0..records).flat_map(|number| {
            let of = |partition: i32| Stored {
                partition,
                ..work_of(
                    &format!("user-{}", partition as usize * 1_000_000 + number % keys + 1),
                    number / keys,
                )
            };
            [of(0), of(1)]
        });
        cluster.write(&deployment.topic, failing(0, 0..1).chain(failing(1, 1..TOO_MANY + 1)).chain(others));
        // So slow that most of what is done before a kill had the time to be committed.
        let variables = [&PARKED[..], &[("APP_FAIL_EVERY", "1000"), ("APP_WAIT_MS", "20")]].concat();
        let mut process = deployment.start(&variables);
        let done = |partition: i32| handled(&deployment.file("ledger"), partition).len();
        wait::until("half of the records are done", || (0..2).all(|partition| done(partition) > records / 2));
        deployment.sample();
        deployment.kill(&mut process, ALONE);
        let said: Vec<_> = process
            .log()
            .lines()
            .filter(|line| line.contains("offset.metadata.max.bytes"))
            .map(str::to_owned)
            .collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(&format!("{}/1", deployment.topic)), "{said:?}");
        let first =
            |partition: i32| cluster.committed_with_note(&deployment.group, &deployment.topic, partition);
        assert!(first(0).is_some_and(|(next, note)| next == 0 && note.len() > 40), "{:?}", first(0));
        assert!(first(1).is_some_and(|(next, note)| next == 0 && note.len() < 40), "{:?}", first(1));

        let process = deployment.start(&variables);
        wait::until_within(wait::LONG, "all but the parked records are done", || {
            (0..2).all(|partition| done(partition) == records)
        });
        deployment.sample();
        stop(process);
        let verdict = deployment.verdict();
        assert_eq!(verdict.lost.len(), 1 + TOO_MANY, "the parked ones: {:?}", verdict.lost);
        assert!(verdict.ahead.is_empty() && verdict.order.is_empty(), "{verdict:?}");
        // Where there is no note, all that was done behind the parked records runs again.
        let unexcused: Vec<_> = verdict.unexcused.iter().filter(|place| place.starts_with("0/")).collect();
        assert!(unexcused.is_empty(), "{} of {}: {:?}", unexcused.len(), verdict.repeated, unexcused.first());
        println!("repeated {} of {records} of each partition", verdict.repeated);
    });
}
