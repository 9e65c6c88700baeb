//! Records of a plain JavaScript service: flat JSON, with a `type` or without one, and answers that such a
//! service reads.
//!
//! ```text
//! cargo run --example raw_json
//! ```
//!
//! Runs on the embedded broker, or on the cluster of `KAFKA_BROKERS`, and ends by itself.
//!
//! It prints an untyped measurement, a flat USER_LOGIN, both again as untyped JSON values, and the reply as
//! it stands on the wire.

use narad::prelude::*;
use narad::serde_json::{Value, json};
use narad::{Narad, serde_json};
use narad_examples::{Progress, config, run_id};

/// What the sensors write: `{"sensorId":"s-1","celsius":21.5}`, without a type. It goes to the only typed
/// handler of its topic.
#[derive(Event, Debug)]
#[event(type = "MEASUREMENT", key = sensor_id)]
#[serde(rename_all = "camelCase")]
struct Measurement {
    sensor_id: String,
    celsius: f64,
}

/// What the login service writes: `{"type":"USER_LOGIN","userId":"123","timestamp":1760000000000}`.
#[derive(Event, Debug)]
#[event(type = "USER_LOGIN", key = user_id)]
#[serde(rename_all = "camelCase")]
struct UserLogin {
    user_id: String,
}

/// What goes back to it. `flat` writes the fields at the top, where JavaScript code looks for them.
#[derive(Event, Debug)]
#[event(topic = "js-replies", type = "WELCOME", key = user_id, format = "flat")]
#[serde(rename_all = "camelCase")]
struct Welcome {
    user_id: String,
    text: String,
}

#[kafka_handler(topic = "js-measurements", group = "raw-json")]
async fn on_measurement(event: Measurement, progress: State<Progress>) {
    println!("measured   {} has {} degrees", event.sensor_id, event.celsius);
    progress.count();
}

/// The returned event is acknowledged before the login counts as handled.
#[kafka_handler(topic = "js-logins", group = "raw-json")]
async fn on_login(event: UserLogin, meta: Meta<'_>, progress: State<Progress>) -> Welcome {
    println!("login      {} at {}", event.user_id, meta.timestamp.as_deref().unwrap_or("-"));
    progress.count();
    Welcome { text: format!("hello {}", event.user_id), user_id: event.user_id }
}

/// A handler without an event gets every record of its topics, here as any JSON value.
#[kafka_handler(topics = ["js-measurements", "js-logins"], group = "raw-json-log")]
async fn log_values(value: Json<Value>, ctx: Context, progress: State<Progress>) {
    println!("as JSON    {}: {}", ctx.topic(), value.0);
    progress.count();
}

/// What the JavaScript service gets to read.
#[kafka_handler(topic = "js-replies", group = "raw-json-log")]
async fn log_replies(record: Record, progress: State<Progress>) {
    let body = String::from_utf8_lossy(record.payload().unwrap_or_default());
    let id = record.header("narad-id").map(String::from_utf8_lossy);
    println!("reply      {body} (header narad-id: {})", id.as_deref().unwrap_or("-"));
    progress.count();
}

#[tokio::main]
async fn main() -> narad::Result<()> {
    let progress = Progress::default();
    let narad = Narad::builder().config(config()?).state(progress.clone()).build().await?;

    // Here this program plays the JavaScript service: `send` and `message` write a value as it is, without an
    // envelope.
    let run = run_id();
    let measurement = json!({ "sensorId": format!("s-{run}"), "celsius": 21.5 });
    narad.send("js-measurements", measurement).await?;
    let login: Value =
        serde_json::from_str(r#"{"type":"USER_LOGIN","userId":"123","timestamp":1760000000000}"#)
            .expect("valid JSON");
    narad.message("js-logins", login).key("123").header("trace", &run).send().await?;

    narad.run_until(progress.reached(5)).await
}
