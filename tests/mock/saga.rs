//! A saga over three services, of which one is killed at each point of its step. What Kafka knows between two
//! steps is one of these: nothing was done; the effect was, and Kafka has nothing of it; the event is written
//! and the record not committed; the record is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use narad_tests::cluster::Stored;
use narad_tests::process::Process;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::{Mock, wait};

/// Each service, the topic that it reads, and the one of the events that it returns.
const SERVICES: [(&str, &str, &str); 3] = [
    ("payment-service", "saga-orders", "saga-payments"),
    ("shipping-service", "saga-payments", "saga-shipments"),
    ("order-service", "saga-shipments", "saga-completed"),
];

/// Where a service is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    BeforeTheEffect,
    AfterTheEffect,
    EventWritten,
    Committed,
}

impl Point {
    const ALL: [Self; 4] = [Self::BeforeTheEffect, Self::AfterTheEffect, Self::EventWritten, Self::Committed];

    /// What makes a process stay there, or come there.
    fn variable(self) -> (&'static str, &'static str) {
        match self {
            Self::BeforeTheEffect => ("SAGA_HOLDS", "before"),
            Self::AfterTheEffect => ("SAGA_HOLDS", "after"),
            Self::EventWritten => ("NARAD_COMMIT_INTERVAL", "3600000"),
            Self::Committed => ("NARAD_COMMIT_INTERVAL", "20"),
        }
    }
}

struct Saga {
    mock: Mock,
    folder: TempDir,
}

impl Saga {
    fn begin() -> Self {
        let mock = Mock::start(1);
        for (service, reads, writes) in SERVICES {
            let topics = [reads.to_owned(), writes.to_owned(), format!("{reads}.{service}.dlq")];
            topics.iter().for_each(|topic| mock.create_topic_if_missing(topic));
        }
        Self { mock, folder: TempDir::new().expect("a folder") }
    }

    fn start(&self, service: &str, log: &str, variable: (&str, &str)) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saga"));
        command
            .env_clear()
            .current_dir(&self.folder)
            .env("KAFKA_BROKERS", &self.mock.cluster.brokers)
            .env("NARAD_GROUPS", service)
            .env("NARAD_COMMIT_INTERVAL", "20")
            .env("NARAD_KAFKA_SESSION_TIMEOUT_MS", "2000")
            .env("NARAD_KAFKA_HEARTBEAT_INTERVAL_MS", "200")
            // The mock cluster holds an empty fetch for this long, whatever comes meanwhile.
            .env("NARAD_KAFKA_FETCH_WAIT_MAX_MS", "10")
            .env("SAGA_EFFECTS", self.folder.path().join("effects"))
            .env(variable.0, variable.1);
        Process::start(&mut command, &self.folder.path().join(format!("{service}-{log}.log")))
    }

    /// The first record of a saga, as whoever takes the request writes it.
    fn request(&self, order: usize) {
        let value = narad::serde_json::json!({
            "id": format!("placed-{order}"), "type": "ORDER_PLACED", "version": "1.0", "source": "shop",
            "data": {"order": format!("order-{order}")},
        });
        let correlation = ("correlation-id".to_owned(), Some(format!("request-{order}").into_bytes()));
        let record = Stored::to_write(&format!("order-{order}"), value.to_string());
        self.mock.cluster.write("saga-orders", [Stored { headers: vec![correlation], ..record }]);
    }

    /// Waits until a service is there with the order of this number, which is its records' offset, too.
    fn await_point(&self, point: Point, order: usize, service: (&str, &str, &str), process: &Process) {
        let (group, reads, writes) = service;
        wait::until(&format!("{group} is at {point:?}"), || match point {
            Point::BeforeTheEffect | Point::AfterTheEffect => process.log().contains("holds"),
            Point::EventWritten => self.orders(writes).len() > order,
            Point::Committed => {
                let committed = self.mock.cluster.committed(group, reads, 1);
                committed.iter().any(|sample| sample.committed > order as i64)
            }
        });
    }

    fn records(&self, topic: &str) -> Vec<Stored> {
        self.mock.cluster.records(topic)
    }

    /// The ids of each order's records, in their order.
    fn orders(&self, topic: &str) -> BTreeMap<String, Vec<String>> {
        let mut orders: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for record in self.records(topic) {
            let body: narad::serde_json::Value =
                narad::serde_json::from_slice(record.value.as_deref().expect("a value")).expect("JSON");
            let order = body["data"]["order"].as_str().expect("an order").to_owned();
            assert_eq!(record.header("correlation-id"), order.replace("order", "request"), "{record:?}");
            orders.entry(order).or_default().push(body["id"].as_str().expect("an id").to_owned());
        }
        orders
    }

    /// What a service did: the order and the request of each effect.
    fn effects(&self, service: &str) -> Vec<(String, String)> {
        let folder = self.folder.path().join("effects").join(service);
        let mut effects: Vec<_> = fs::read_dir(folder)
            .expect("effects")
            .map(|file| {
                let text = fs::read_to_string(file.expect("a file").path()).expect("a text");
                let mut words = text.split(' ').map(str::to_owned);
                (words.next().expect("an order"), words.next().expect("a request"))
            })
            .collect();
        effects.sort();
        effects
    }
}

fn killed_at_each_point(doomed: (&str, &str, &str)) {
    let saga = Saga::begin();
    let others = SERVICES.iter().filter(|service| **service != doomed);
    let _others: Vec<_> = others.map(|(name, ..)| saga.start(name, "whole", ("RUST_LOG", "info"))).collect();
    for (order, point) in Point::ALL.into_iter().enumerate() {
        let mut process = saga.start(doomed.0, &format!("{order}-killed"), point.variable());
        saga.request(order);
        saga.await_point(point, order, doomed, &process);
        process.kill();
        let mut process = saga.start(doomed.0, &format!("{order}-next"), ("RUST_LOG", "info"));
        wait::until(&format!("order {order} is completed"), || saga.orders("saga-completed").len() > order);
        process.signal(Signal::TERM);
        process.ends_with(0);
    }
    let once: Vec<_> =
        (0..Point::ALL.len()).map(|order| (format!("order-{order}"), format!("request-{order}"))).collect();
    for (service, _, writes) in SERVICES {
        assert_eq!(saga.effects(service), once, "the effects of {service}");
        let ids: Vec<_> = saga.orders(writes).into_values().collect();
        let different = ids.iter().map(|ids| ids.iter().collect::<BTreeSet<_>>().len());
        assert!(different.eq([1; 4]), "{writes} has one id for each order: {ids:?}");
        let repeated = service == doomed.0 && ids[Point::EventWritten as usize].len() == 1;
        assert!(!repeated, "what was written and not committed is written again: {ids:?}");
    }
}

#[test]
fn a_saga_has_each_effect_once_where_its_first_service_is_killed_at_each_point() {
    killed_at_each_point(SERVICES[0]);
}

#[test]
fn a_saga_has_each_effect_once_where_its_second_service_is_killed_at_each_point() {
    killed_at_each_point(SERVICES[1]);
}

#[test]
fn a_saga_has_each_effect_once_where_its_last_service_is_killed_at_each_point() {
    killed_at_each_point(SERVICES[2]);
}
