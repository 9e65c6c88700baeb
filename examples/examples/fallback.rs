//! What to do when Kafka is away: `NotConnected` means that nothing was sent, so the caller keeps the event
//! and sends it later.
//!
//! ```text
//! cargo run --example fallback
//! ```
//!
//! The first half sends to an address where no broker listens. The second half sends what was kept to the
//! embedded broker, or to the cluster of `KAFKA_BROKERS`. It ends by itself.
//!
//! It prints that the first order is kept after the time-out, that later sends of the same outage fail at
//! once, and that all three are sent in their order once a broker answers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use narad::prelude::*;
use narad::{Config, Environment, Error, Narad};
use narad_examples::{config, run_id};

/// A customer placed an order.
#[derive(Event, Debug)]
#[event(topic = "orders-accepted", type = "ORDER_ACCEPTED", key = order_id)]
#[serde(rename_all = "camelCase")]
struct OrderAccepted {
    order_id: String,
}

/// Events that wait for a broker. This one is lost with the process: a service keeps them in the database, in
/// the transaction that writes the order.
#[derive(Default)]
struct Outbox(VecDeque<OrderAccepted>);

impl Outbox {
    async fn publish(&mut self, narad: &Narad, event: OrderAccepted) -> narad::Result<()> {
        // Behind what is kept: nothing overtakes.
        self.0.push_back(event);
        self.flush(narad).await
    }

    /// Sends what is kept, oldest first, until Kafka is away again.
    async fn flush(&mut self, narad: &Narad) -> narad::Result<()> {
        while let Some(event) = self.0.front() {
            let started = Instant::now();
            match narad.publish(event).await {
                Ok(sent) => {
                    println!("sent {} to {}", event.order_id, sent.topic());
                    self.0.pop_front();
                }
                // Nothing was enqueued: sending it again makes no duplicate.
                Err(Error::NotConnected) => {
                    println!(
                        "not connected, known after {:.1?}: {} kept, the oldest is {}",
                        started.elapsed(),
                        self.0.len(),
                        event.order_id
                    );
                    break;
                }
                // It was enqueued and no acknowledgement came: it may be in the topic. Sending it again may
                // repeat it.
                Err(Error::DeliveryUnknown) => {
                    println!("delivery unknown: {} kept, the oldest is {}", self.0.len(), event.order_id);
                    break;
                }
                // The broker refused it, or it cannot be written: no retry mends that.
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> narad::Result<()> {
    let run = run_id();
    let order = |n: u32| OrderAccepted { order_id: format!("order-{run}-{n}") };
    let mut outbox = Outbox::default();

    // Nobody listens here. In development mode this send would be logged and succeed, so the example asks for
    // production.
    let mut nowhere = Config::from_env()?;
    nowhere.brokers = vec!["127.0.0.1:9".to_owned()];
    nowhere.environment = Environment::Production;
    nowhere.connection_timeout = Duration::from_secs(1);
    let away = Narad::builder().config(nowhere).build().await?;
    // The first send of an outage waits for `KAFKA_CONNECTION_TIMEOUT`, the later ones fail at once.
    outbox.publish(&away, order(1)).await?;
    outbox.publish(&away, order(2)).await?;

    // Kafka is back.
    println!("a broker answers:");
    let back = Narad::builder().config(config()?).build().await?;
    outbox.publish(&back, order(3)).await?;
    back.disconnect().await
}
