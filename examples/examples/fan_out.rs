//! Three services on one topic: every group gets every record, at its own pace and with its own options.
//!
//! ```text
//! cargo run --example fan_out
//! ```
//!
//! Runs on the embedded broker, or on the cluster of `KAFKA_BROKERS`, and ends by itself.
//! `NARAD_GROUPS=audit-service` starts one group alone, as a deployment of its own would; it then ends on
//! Ctrl-C.
//!
//! It prints a line per order from `analytics-service`, `notification-service` and `audit-service`.

use std::sync::Mutex;
use std::time::Duration;

use narad::Narad;
use narad::prelude::*;
use narad_examples::{Progress, config, run_id};

const TOPIC: &str = "orders-placed";

/// A customer placed an order.
#[derive(Event, Debug)]
#[event(topic = TOPIC, type = "ORDER_PLACED", key = order_id)]
#[serde(rename_all = "camelCase")]
struct OrderPlaced {
    order_id: String,
    customer: String,
    cents: u64,
}

#[derive(Default)]
struct Revenue(Mutex<u64>);

/// Sums up. The order of the records does not matter to it, so nothing waits for anything.
#[kafka_handler(topic = TOPIC, group = "analytics-service", ordering = "none", concurrency = 64)]
async fn sum_up(event: OrderPlaced, revenue: State<Revenue>, progress: State<Progress>) {
    let total = {
        let mut total = revenue.0.lock().unwrap();
        *total += event.cents;
        *total
    };
    println!("analytics     revenue is {}.{:02}", total / 100, total % 100);
    progress.count();
}

/// Waits for a mail server: 16 at once, the mails of one order in order. That is the default.
#[kafka_handler(topic = TOPIC, group = "notification-service", timeout = "10s")]
async fn notify(event: OrderPlaced, progress: State<Progress>) {
    tokio::time::sleep(Duration::from_millis(20)).await;
    println!("notification  mail to {} about {}", event.customer, event.order_id);
    progress.count();
}

/// Writes a file in the order of the partition: one at a time. A plain `fn` may block; it runs on a thread of
/// Narad's own.
#[kafka_handler(topic = TOPIC, group = "audit-service", ordering = "partition", dead_letter = off)]
fn audit(event: Envelope<OrderPlaced>, ctx: Context, progress: State<Progress>) {
    let at = event.timestamp.as_deref().unwrap_or("-");
    println!(
        "audit         {at} {} ({}/{} offset {})",
        event.data.order_id,
        ctx.topic(),
        ctx.partition(),
        ctx.offset()
    );
    progress.count();
}

#[tokio::main]
async fn main() -> narad::Result<()> {
    let progress = Progress::default();
    let narad =
        Narad::builder().config(config()?).state(progress.clone()).state(Revenue::default()).build().await?;

    let run = run_id();
    let orders: Vec<OrderPlaced> = [("ada", 1_999), ("grace", 4_950), ("linus", 700)]
        .into_iter()
        .enumerate()
        .map(|(n, (customer, cents))| OrderPlaced {
            order_id: format!("order-{run}-{n}"),
            customer: customer.to_owned(),
            cents,
        })
        .collect();
    narad.publish_all(&orders).await?;

    // Three orders, three groups.
    narad.run_until(progress.reached(9)).await
}
