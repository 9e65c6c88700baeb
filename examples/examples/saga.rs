//! A saga over three services: ORDER_CREATED → PAYMENT_COMPLETED → shipment, with compensation when a step
//! fails.
//!
//! ```text
//! cargo run --example saga
//! ```
//!
//! Runs on the embedded broker, or on the cluster of `KAFKA_BROKERS`, and ends by itself.
//!
//! Each step is a handler that returns the next event. The event is acknowledged before the step counts as
//! done, so a crash repeats a step and never leaves one out. Repeated steps must do no harm: the order's id
//! is their idempotency key. Each step gives the request's id to the next event, in a header.
//!
//! It prints what happens to three orders: one is shipped, one is cancelled because the card is declined, and
//! one is refunded and cancelled because the shipment fails. The three services run in one process here;
//! with `NARAD_GROUPS` each runs in its own. `docs/sagas.md` explains more.

use std::collections::BTreeSet;
use std::sync::Mutex;

use narad::prelude::*;
use narad::{Narad, Publish};
use narad_examples::{Progress, config, run_id};

const ORDERS: &str = "saga-orders";
const PAYMENTS: &str = "saga-payments";
const SHIPMENTS: &str = "saga-shipments";

const ORDER_SERVICE: &str = "order-service";
const PAYMENT_SERVICE: &str = "payment-service";
const SHIPPING_SERVICE: &str = "shipping-service";

/// The header that has the request's id, from the first event to the last one.
const CORRELATION: &str = "correlation-id";

#[derive(Event, Debug)]
#[event(topic = ORDERS, type = "ORDER_CREATED", key = order_id)]
#[serde(rename_all = "camelCase")]
struct OrderCreated {
    order_id: String,
    card: String,
    item: String,
}

#[derive(Event, Debug)]
#[event(topic = ORDERS, type = "ORDER_CANCELLED", key = order_id)]
#[serde(rename_all = "camelCase")]
struct OrderCancelled {
    order_id: String,
    reason: String,
}

#[derive(Event, Debug)]
#[event(type = "PAYMENT_COMPLETED", key = order_id)]
#[serde(rename_all = "camelCase")]
struct PaymentCompleted {
    order_id: String,
    item: String,
}

#[derive(Event, Debug)]
#[event(type = "PAYMENT_DECLINED", key = order_id)]
#[serde(rename_all = "camelCase")]
struct PaymentDeclined {
    order_id: String,
}

/// How a payment ends: what the step returns, and so what it may say.
#[derive(Event, Debug)]
#[event(topic = PAYMENTS)]
enum Payment {
    Completed(PaymentCompleted),
    Declined(PaymentDeclined),
}

#[derive(Event, Debug)]
#[event(type = "SHIPMENT_CREATED", key = order_id)]
#[serde(rename_all = "camelCase")]
struct ShipmentCreated {
    order_id: String,
}

#[derive(Event, Debug)]
#[event(type = "SHIPMENT_FAILED", key = order_id)]
#[serde(rename_all = "camelCase")]
struct ShipmentFailed {
    order_id: String,
    reason: String,
}

#[derive(Event, Debug)]
#[event(topic = SHIPMENTS)]
enum Shipment {
    Created(ShipmentCreated),
    Failed(ShipmentFailed),
}

/// Stands for the payment provider. Charging or refunding an order twice is charging or refunding it once.
#[derive(Default)]
struct Bank {
    charged: Mutex<BTreeSet<String>>,
}

impl Bank {
    fn charge(&self, order_id: &str, card: &str) -> bool {
        let accepted = card != "expired";
        if accepted {
            self.charged.lock().unwrap().insert(order_id.to_owned());
        }
        accepted
    }

    fn refund(&self, order_id: &str) {
        self.charged.lock().unwrap().remove(order_id);
    }
}

/// Step 1: take the money.
#[kafka_handler(topic = ORDERS, group = PAYMENT_SERVICE)]
async fn charge(order: OrderCreated, ctx: Context, bank: State<Bank>) -> Publish<Payment> {
    let OrderCreated { order_id, card, item } = order;
    let payment = if bank.charge(&order_id, &card) {
        println!("{order_id}: paid");
        Payment::Completed(PaymentCompleted { order_id, item })
    } else {
        println!("{order_id}: payment declined");
        Payment::Declined(PaymentDeclined { order_id })
    };
    Publish::of(payment).header(CORRELATION, ctx.header(CORRELATION).unwrap_or_default())
}

/// Step 2: ship what was paid.
#[kafka_handler(topic = PAYMENTS, group = SHIPPING_SERVICE)]
async fn ship(payment: PaymentCompleted, ctx: Context) -> Publish<Shipment> {
    let PaymentCompleted { order_id, item } = payment;
    let shipment = if item == "unicorn" {
        Shipment::Failed(ShipmentFailed { order_id, reason: format!("no {item} in stock") })
    } else {
        Shipment::Created(ShipmentCreated { order_id })
    };
    Publish::of(shipment).header(CORRELATION, ctx.header(CORRELATION).unwrap_or_default())
}

/// Compensates step 1 if step 2 failed: give the money back, cancel the order.
#[kafka_handler(topic = SHIPMENTS, group = PAYMENT_SERVICE)]
async fn refund(shipment: ShipmentFailed, ctx: Context, bank: State<Bank>) -> Publish<OrderCancelled> {
    let ShipmentFailed { order_id, reason } = shipment;
    bank.refund(&order_id);
    println!("{order_id}: refunded, {reason}");
    Publish::of(OrderCancelled { order_id, reason })
        .header(CORRELATION, ctx.header(CORRELATION).unwrap_or_default())
}

/// Nothing was taken, so there is nothing to give back.
#[kafka_handler(topic = PAYMENTS, group = ORDER_SERVICE)]
async fn give_up(payment: PaymentDeclined, ctx: Context) -> Publish<OrderCancelled> {
    Publish::of(OrderCancelled { order_id: payment.order_id, reason: "payment declined".to_owned() })
        .header(CORRELATION, ctx.header(CORRELATION).unwrap_or_default())
}

/// The good end.
#[kafka_handler(topic = SHIPMENTS, group = ORDER_SERVICE)]
async fn shipped(shipment: ShipmentCreated, ctx: Context, progress: State<Progress>) {
    println!("{}: shipped, {}", shipment.order_id, request(&ctx));
    progress.count();
}

/// The other end.
#[kafka_handler(topic = ORDERS, group = ORDER_SERVICE)]
async fn cancelled(order: OrderCancelled, ctx: Context, progress: State<Progress>) {
    println!("{}: cancelled, {}, {}", order.order_id, order.reason, request(&ctx));
    progress.count();
}

fn request(ctx: &Context) -> String {
    String::from_utf8_lossy(ctx.header(CORRELATION).unwrap_or_default()).into_owned()
}

#[tokio::main]
async fn main() -> narad::Result<()> {
    let progress = Progress::default();
    let narad =
        Narad::builder().config(config()?).state(progress.clone()).state(Bank::default()).build().await?;

    let run = run_id();
    for (name, card, item) in
        [("good", "valid", "book"), ("poor", "expired", "book"), ("rare", "valid", "unicorn")]
    {
        let order_id = format!("{name}-{run}");
        let order = OrderCreated { order_id, card: card.to_owned(), item: item.to_owned() };
        narad.event(&order).header(CORRELATION, format!("request-{name}")).send().await?;
    }

    // Each order comes to one of the two ends.
    narad.run_until(progress.reached(3)).await
}
