//! Records of other writers: CloudEvents, as the package `cloudevents` writes them, and Debezium's outbox, as
//! its documentation shows them.

use std::path::Path;
use std::process::{Command, Stdio};

use narad::prelude::*;
use narad::serde_json::{self, Value};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer};

use super::{Application, Seen, say, text};

/// What the package `cloudevents` writes of one event.
const GOLDEN: &str = include_str!("../cloudevents/golden.json");

/// A record as another program writes it.
struct Written {
    headers: Vec<(String, String)>,
    key: String,
    value: String,
}

impl Written {
    fn of(golden: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let headers = golden["headers"].as_array().expect("a list").iter();
        Self {
            headers: headers.map(|header| (text(&header[0]), text(&header[1]))).collect(),
            key: text(&golden["key"]),
            value: text(&golden["value"]),
        }
    }

    fn write(&self, application: &Application, topic: &str) {
        let headers = self
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(value) }));
        let record = BaseRecord::to(topic).partition(0).headers(headers).key(&self.key).payload(&self.value);
        application.foreign.send(record).map_err(|(error, _)| error).expect("a place in the queue");
        application.foreign.flush(std::time::Duration::from_secs(30)).expect("an acknowledgement");
    }
}

#[derive(Event, Debug)]
#[event(type = "com.example.order.created", key = order_id)]
#[serde(rename_all = "camelCase")]
struct CloudOrder {
    order_id: String,
    cents: u64,
}

#[kafka_handler(topic = "wire.cloudevents", group = "wire-cloudevents")]
async fn cloud_order(order: Envelope<CloudOrder>, meta: Meta<'_>, record: Record, seen: State<Seen>) {
    assert_eq!(
        (&meta.id, &meta.source),
        (&order.id.as_deref().map(Into::into), &order.source.as_deref().map(Into::into))
    );
    let (id, source, time) = (order.id, order.source, order.timestamp);
    say(
        &seen,
        format!(
            "{:?} {id:?} {source:?} {time:?} {:?} {}",
            order.data,
            order.version,
            text(record.header("ce_subject"))
        ),
    );
}

#[derive(Event, Debug)]
#[event(type = "com.example.order.paid")]
struct CloudPaid {}

/// With a second typed handler on the topic nothing goes to the first one as the only one there is.
#[kafka_handler(topic = "wire.cloudevents", group = "wire-cloudevents")]
async fn cloud_paid(paid: CloudPaid, seen: State<Seen>) {
    say(&seen, format!("{paid:?}"));
}

#[kafka_handler(topic = "wire.cloudevents", group = "wire-cloudevents", default)]
async fn other_cloud_event(record: Record, seen: State<Seen>) {
    say(&seen, format!("nobody takes {}", text(record.payload())));
}

#[tokio::test(flavor = "multi_thread")]
async fn cloudevents_in_both_modes_reach_typed_handlers_with_their_metadata() {
    let golden: Value = serde_json::from_str(GOLDEN).expect("JSON");
    let mut application = Application::start(&["wire-cloudevents"]).await;
    Written::of(&golden["binary"]).write(&application, "wire.cloudevents");
    Written::of(&golden["structured"]).write(&application, "wire.cloudevents");
    let order = r#"CloudOrder { order_id: "o-1", cents: 1250 } Some("a-1") Some("/shop/orders")"#;
    assert_eq!(
        application.sightings(2).await,
        [format!(r#"{order} Some("2026-01-31T12:00:00.000Z") None o-1"#), format!("{order} None None null")]
    );
    application.stop().await;
}

#[derive(Event, Debug)]
#[event(type = "OrderCreated", key = id)]
#[serde(rename_all = "camelCase")]
struct OrderCreated {
    id: u64,
    customer_id: u64,
    line_items: Vec<LineItem>,
}

#[derive(EventData, Debug)]
#[serde(rename_all = "camelCase")]
struct LineItem {
    item: String,
    total_price: f64,
}

#[derive(Event, Debug)]
#[event(type = "InvoiceCreated")]
struct InvoiceCreated {}

#[kafka_handler(topic = "outbox.event.order", group = "wire-outbox")]
async fn outbox_order(order: OrderCreated, meta: Meta<'_>, record: Record, seen: State<Seen>) {
    let items: Vec<_> = order.line_items.iter().map(|item| (&*item.item, item.total_price)).collect();
    let (r#type, id) = (meta.r#type.unwrap_or_default(), text(record.header("id")));
    say(&seen, format!("{type} {id}: {} of {}, {items:?}", order.id, order.customer_id));
}

#[kafka_handler(topic = "outbox.event.order", group = "wire-outbox")]
async fn outbox_invoice(invoice: InvoiceCreated, seen: State<Seen>) {
    say(&seen, format!("{invoice:?}"));
}

#[kafka_handler(topic = "outbox.event.order.wire-outbox.dlq", group = "wire-outbox-dead")]
async fn outbox_dead(record: Record, seen: State<Seen>) {
    say(&seen, format!("dead: {}", text(record.header("narad-dlq-error"))));
}

/// The payload of the row that the documentation of the outbox event router shows.
const ROW: &str = r#"{"id": 1, "lineItems": [{"id": 1, "item": "Debezium in Action", "status": "ENTERED", "quantity": 2, "totalPrice": 39.98}, {"id": 2, "item": "Debezium for Dummies", "status": "ENTERED", "quantity": 1, "totalPrice": 29.99}], "orderDate": "2019-01-31T12:13:01", "customerId": 123}"#;

#[tokio::test(flavor = "multi_thread")]
async fn debezium_s_outbox_reaches_typed_handlers_by_the_header_that_its_router_puts_the_type_into() {
    let mut application = Application::configured(&["wire-outbox", "wire-outbox-dead"], |config| {
        config.type_headers = vec!["eventType".to_owned()];
    })
    .await;
    let written = |value: &str| Written {
        headers: [("id", "4d47e190-0402-4048-bc2c-89dd54343cdc"), ("eventType", "OrderCreated")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        key: r#""1""#.to_owned(),
        value: value.to_owned(),
    };
    // With StringConverter the value is the text of the row; with JsonConverter and `expand.json.payload`,
    // the same without blanks.
    written(ROW).write(&application, "outbox.event.order");
    let compact: Value = serde_json::from_str(ROW).expect("JSON");
    written(&compact.to_string()).write(&application, "outbox.event.order");
    let order = "OrderCreated 4d47e190-0402-4048-bc2c-89dd54343cdc: 1 of 123, \
                 [(\"Debezium in Action\", 39.98), (\"Debezium for Dummies\", 29.99)]";
    assert_eq!(application.sightings(2).await, [order; 2]);
    // As the documentation shows it, which is with JsonConverter alone: JSON inside of a JSON text.
    written(&Value::from(ROW).to_string()).write(&application, "outbox.event.order");
    assert_eq!(application.sightings(1).await, ["dead: not a JSON object, and no handler takes it as it is"]);
    application.stop().await;
}

#[test]
fn the_golden_records_are_those_of_the_package() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cloudevents");
    let worked =
        |command: &mut Command| command.stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    let is_there = worked(Command::new("node").arg("--version"))
        && (folder.join("node_modules/cloudevents").is_dir()
            || worked(
                Command::new("npm")
                    .args(["install", "--no-audit", "--no-fund", "--silent"])
                    .current_dir(&folder),
            ));
    if !is_there {
        assert!(std::env::var_os("NARAD_TEST_NODE").is_none(), "Node and the npm package are to be there");
        return println!("left out: Node, or the npm package cloudevents, is not there");
    }
    let node = Command::new("node").arg(folder.join("write.mjs")).output().expect("Node");
    assert!(node.status.success(), "{}", text(Some(&node.stderr)));
    assert_eq!(text(Some(&node.stdout)), GOLDEN.trim_end(), "what write.mjs writes is golden.json");
}
