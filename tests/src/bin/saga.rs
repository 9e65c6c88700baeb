//! A saga over three services, each in a process of its own: `NARAD_GROUPS` says which one this is.
//!
//! | variable | |
//! |---|---|
//! | `SAGA_EFFECTS` | the folder of what the services did: a folder for each service, a file for each event |
//! | `SAGA_HOLDS` | `before` or `after`: a step stops for ever before or after its effect |
//!
//! A step that stops says `holds` on stdout.

use std::fs;
use std::path::{Path, PathBuf};

use narad::Publish;
use narad::prelude::*;

/// The header that one request has from its first record to its last.
const CORRELATION: &str = "correlation-id";

#[derive(Event)]
#[event(topic = "saga-orders", type = "ORDER_PLACED", key = order)]
struct OrderPlaced {
    order: String,
}

#[derive(Event)]
#[event(topic = "saga-payments", type = "PAYMENT_COMPLETED", key = order)]
struct PaymentCompleted {
    order: String,
}

#[derive(Event)]
#[event(topic = "saga-shipments", type = "ORDER_SHIPPED", key = order)]
struct OrderShipped {
    order: String,
}

#[derive(Event)]
#[event(topic = "saga-completed", type = "ORDER_COMPLETED", key = order)]
struct OrderCompleted {
    order: String,
}

#[kafka_handler(topic = "saga-orders", group = "payment-service")]
async fn charge(placed: Envelope<OrderPlaced>, ctx: Context) -> Option<Publish<PaymentCompleted>> {
    let order = effect(placed.id?, placed.data.order, &ctx).await?;
    Some(Publish::of(PaymentCompleted { order }).header(CORRELATION, ctx.header(CORRELATION)?))
}

#[kafka_handler(topic = "saga-payments", group = "shipping-service")]
async fn ship(paid: Envelope<PaymentCompleted>, ctx: Context) -> Option<Publish<OrderShipped>> {
    let order = effect(paid.id?, paid.data.order, &ctx).await?;
    Some(Publish::of(OrderShipped { order }).header(CORRELATION, ctx.header(CORRELATION)?))
}

#[kafka_handler(topic = "saga-shipments", group = "order-service")]
async fn complete(shipped: Envelope<OrderShipped>, ctx: Context) -> Option<Publish<OrderCompleted>> {
    let order = effect(shipped.id?, shipped.data.order, &ctx).await?;
    Some(Publish::of(OrderCompleted { order }).header(CORRELATION, ctx.header(CORRELATION)?))
}

/// Does what an event asks for, once for each id, and gives back the order; `None` for a second copy of the
/// event, which the reader drops.
async fn effect(id: String, order: String, ctx: &Context) -> Option<String> {
    hold("before").await;
    // The effect, the id and the record's place are one write here, as they would be one transaction.
    let file = Path::new(&variable("SAGA_EFFECTS")).join(ctx.group()).join(id);
    let place = format!("{}/{}/{}", ctx.topic(), ctx.partition(), ctx.offset());
    if !file.exists() {
        let correlation = String::from_utf8_lossy(ctx.header(CORRELATION).unwrap_or_default()).into_owned();
        write(&file, &format!("{order} {correlation} {place}"));
    }
    // The id at its first place again is a second run of one record: the event may not have been returned.
    let is_first = fs::read_to_string(&file).expect("an effect").ends_with(&format!(" {place}"));
    hold("after").await;
    is_first.then_some(order)
}

/// Whole, or not at all.
fn write(file: &Path, text: &str) {
    let folder = file.parent().expect("a folder");
    let new: PathBuf = folder.with_extension("new");
    fs::create_dir_all(folder).expect("a folder");
    fs::write(&new, text).expect("a file");
    fs::rename(new, file).expect("a file in its place");
}

async fn hold(point: &str) {
    if variable("SAGA_HOLDS") == point {
        println!("holds");
        std::future::pending().await
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

#[tokio::main]
async fn main() -> narad::Result<()> {
    narad::run().await
}
