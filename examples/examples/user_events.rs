//! Typed events on three topics: published by a service type, processed by typed handlers, and a default
//! handler for the rest.
//!
//! ```text
//! cargo run --example user_events
//! ```
//!
//! Runs on the embedded broker, or on the cluster of `KAFKA_BROKERS`, and ends by itself.
//!
//! It prints a line for each event handled: USER_LOGIN from `user-events`, USER_ACTION from `user-activity`,
//! SYSTEM_STARTED from `system-events`, and one USER_SNOOZED that no typed handler takes.

use narad::Narad;
use narad::prelude::*;
use narad_examples::{Progress, config, run_id};

/// A user signed in.
#[derive(Event, Debug)]
#[event(topic = "user-events", type = "USER_LOGIN", key = user_id)]
#[serde(rename_all = "camelCase")]
struct UserLogin {
    user_id: String,
    ip: Option<String>,
}

/// A user did something.
#[derive(Event, Debug)]
#[event(topic = "user-activity", type = "USER_ACTION", key = user_id)]
#[serde(rename_all = "camelCase")]
struct UserAction {
    user_id: String,
    action: String,
    /// Nested types have no topic and no type of their own: `EventData` gives them serde alone.
    device: Device,
}

#[derive(EventData, Debug)]
#[serde(rename_all = "camelCase")]
struct Device {
    os: String,
    app_version: String,
}

/// A service came up. It has no key: any partition will do.
#[derive(Event, Debug)]
#[event(topic = "system-events", type = "SYSTEM_STARTED")]
struct SystemStarted {
    service: String,
}

/// The rest of the application knows this type, and not that Kafka is behind it.
struct UserService {
    narad: Narad,
}

impl UserService {
    async fn login(&self, user_id: &str, ip: &str) -> narad::Result<()> {
        let event = UserLogin { user_id: user_id.to_owned(), ip: Some(ip.to_owned()) };
        self.narad.publish(&event).await?;
        Ok(())
    }

    /// One call for many events: they travel in batches, and those of one key stay in this order.
    async fn actions(&self, user_id: &str, actions: &[&str]) -> narad::Result<()> {
        let event = |action: &&str| UserAction {
            user_id: user_id.to_owned(),
            action: (*action).to_owned(),
            device: Device { os: "android".to_owned(), app_version: "4.2.0".to_owned() },
        };
        let events: Vec<UserAction> = actions.iter().map(event).collect();
        self.narad.publish_all(&events).await?;
        Ok(())
    }
}

#[kafka_handler(topic = "user-events", group = "user-events-example")]
async fn on_login(event: Envelope<UserLogin>, progress: State<Progress>) {
    // `Envelope` also has what travels with the event.
    println!(
        "login    {} from {} (id {}, by {})",
        event.data.user_id,
        event.data.ip.as_deref().unwrap_or("-"),
        event.id.as_deref().unwrap_or("-"),
        event.source.as_deref().unwrap_or("-"),
    );
    progress.count();
}

#[kafka_handler(topic = "user-activity", group = "user-events-example")]
async fn on_action(event: UserAction, progress: State<Progress>) {
    println!(
        "action   {} did {} on {} {}",
        event.user_id, event.action, event.device.os, event.device.app_version
    );
    progress.count();
}

#[kafka_handler(topic = "system-events", group = "user-events-example")]
async fn on_started(event: SystemStarted, progress: State<Progress>) {
    println!("system   {} started", event.service);
    progress.count();
}

/// Sees what no typed handler of this group takes. Without it such a record is skipped, counted, and logged
/// once per type.
#[kafka_handler(topics = ["user-events", "user-activity", "system-events"], group = "user-events-example", default)]
async fn on_unknown(meta: Meta<'_>, record: Record, progress: State<Progress>) {
    println!("unknown  type {} on {}", meta.r#type.as_deref().unwrap_or("-"), record.topic());
    progress.count();
}

#[tokio::main]
async fn main() -> narad::Result<()> {
    let progress = Progress::default();
    let narad = Narad::builder().config(config()?).state(progress.clone()).build().await?;

    let users = UserService { narad: narad.clone() };
    let user = format!("user-{}", run_id());
    users.login(&user, "10.0.0.1").await?;
    users.actions(&user, &["view_cart", "add_item", "check_out"]).await?;
    narad.publish(&SystemStarted { service: "user_events".to_owned() }).await?;
    // A type that this program has no event for, as a newer service would write it.
    let snoozed = narad::serde_json::json!({ "type": "USER_SNOOZED", "userId": user });
    narad.message("user-activity", snoozed).key(&user).send().await?;

    narad.run_until(progress.reached(6)).await
}
