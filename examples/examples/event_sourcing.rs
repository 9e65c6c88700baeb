//! State that lives in a topic: ORDER_CREATED and ORDER_UPDATED on `orders.events` are the truth, and a view
//! of them is rebuilt at every start.
//!
//! ```text
//! cargo run --example event_sourcing
//! ```
//!
//! Runs on the embedded broker, or on the cluster of `KAFKA_BROKERS`, and ends by itself.
//!
//! Each start uses a consumer group that nobody used before, so it reads the topic from its beginning. The
//! group's offsets are of no further use; the broker forgets them after `offsets.retention.minutes`. A topic
//! that is the truth must keep its records: `retention.ms=-1`.
//!
//! It prints the orders of this run as the first start sees them, then as a second start rebuilds them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use narad::prelude::*;
use narad::{Narad, Sent};
use narad_examples::{config, run_id};
use tokio::sync::Notify;

#[derive(Event, Debug)]
#[event(type = "ORDER_CREATED", key = order_id)]
#[serde(rename_all = "camelCase")]
struct OrderCreated {
    order_id: String,
    customer: String,
}

#[derive(Event, Debug)]
#[event(type = "ORDER_UPDATED", key = order_id)]
#[serde(rename_all = "camelCase")]
struct OrderUpdated {
    order_id: String,
    status: String,
}

/// All that happens to orders. One handler for the set, so the compiler asks for every variant; they share
/// key and topic, so they stay in order.
#[derive(Event, Debug)]
#[event(topic = "orders.events")]
enum OrderEvent {
    Created(OrderCreated),
    Updated(OrderUpdated),
    /// What later versions add.
    #[event(other)]
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Order {
    customer: String,
    status: String,
}

/// The view: the orders, and up to which offset of each partition they are known.
#[derive(Default)]
struct Orders {
    orders: BTreeMap<String, Order>,
    applied: BTreeMap<i32, i64>,
}

impl Orders {
    fn apply(&mut self, event: OrderEvent, partition: i32, offset: i64) {
        // At least once: a record may come again after a crash or a rebalance, and must not count again.
        if self.applied.get(&partition).is_some_and(|applied| *applied >= offset) {
            return;
        }
        match event {
            OrderEvent::Created(OrderCreated { order_id, customer }) => {
                self.orders.insert(order_id, Order { customer, status: "NEW".to_owned() });
            }
            OrderEvent::Updated(OrderUpdated { order_id, status }) => {
                if let Some(order) = self.orders.get_mut(&order_id) {
                    order.status = status;
                }
            }
            OrderEvent::Other => {}
        }
        self.applied.insert(partition, offset);
    }
}

/// The view as handlers and readers share it.
#[derive(Clone, Default)]
struct View(Arc<(Mutex<Orders>, Notify)>);

impl View {
    fn apply(&self, event: OrderEvent, partition: i32, offset: i64) {
        self.0.0.lock().unwrap().apply(event, partition, offset);
        self.0.1.notify_waiters();
    }

    /// Waits until the view knows what was sent: a reader sees its own writes.
    async fn knows(self, sent: Vec<Sent>) {
        let known = |at: &Sent| {
            let view = self.0.0.lock().unwrap();
            at.partition().is_none_or(|partition| view.applied.get(&partition) >= at.offset().as_ref())
        };
        loop {
            let changed = self.0.1.notified();
            if sent.iter().all(known) {
                return;
            }
            changed.await;
        }
    }

    fn of_run(&self, run: &str) -> BTreeMap<String, Order> {
        let view = self.0.0.lock().unwrap();
        view.orders
            .iter()
            .filter(|(id, _)| id.starts_with(run))
            .map(|(id, order)| (id.clone(), order.clone()))
            .collect()
    }
}

/// No `group`: it is the one of the configuration, fresh for every start. In the partition's order, so that
/// the last applied offset says it all.
#[kafka_handler(topic = "orders.events", ordering = "partition")]
async fn project(event: OrderEvent, ctx: Context, view: State<View>) {
    view.apply(event, ctx.partition(), ctx.offset());
}

/// One start of the service: an empty view and a group that begins at the beginning.
async fn start(view: &View) -> narad::Result<Narad> {
    let mut config = config()?;
    config.group_id = Some(format!("orders-view-{}", run_id()));
    Narad::builder().config(config).state(view.clone()).build().await
}

#[tokio::main]
async fn main() -> narad::Result<()> {
    let run = run_id();
    let created = |n: u32, customer: &str| {
        OrderEvent::Created(OrderCreated { order_id: format!("{run}-{n}"), customer: customer.to_owned() })
    };
    let updated = |n: u32, status: &str| {
        OrderEvent::Updated(OrderUpdated { order_id: format!("{run}-{n}"), status: status.to_owned() })
    };
    let history = [
        created(1, "ada"),
        created(2, "grace"),
        updated(1, "PAID"),
        updated(2, "CANCELLED"),
        updated(1, "SHIPPED"),
    ];

    let first = View::default();
    let narad = start(&first).await?;
    let sent = narad.publish_all(&history).await?;
    narad.run_until(first.clone().knows(sent.clone())).await?;
    println!("first start, from {} events:", history.len());
    for (id, order) in first.of_run(&run) {
        println!("  order {id} of {} is {}", order.customer, order.status);
    }

    let second = View::default();
    start(&second).await?.run_until(second.clone().knows(sent)).await?;
    println!(
        "second start, from an empty view: {}",
        if second.of_run(&run) == first.of_run(&run) {
            "the same, rebuilt from the topic"
        } else {
            "differs"
        }
    );
    Ok(())
}
