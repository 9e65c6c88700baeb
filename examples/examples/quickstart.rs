//! An event, a handler, and the program around them. Read this one first.
//!
//! ```text
//! cargo run --example quickstart
//! ```
//!
//! Without `KAFKA_BROKERS` it starts a broker inside the process, so nothing has to be installed.
//! With `KAFKA_BROKERS=host:9092` the same program runs on that cluster.
//!
//! It publishes three events, handles them and ends:
//!
//! ```text
//! published ada    to user.events.login
//! handled   ada    from 10.0.0.1, partition 0, offset 0, attempt 1
//! ```

use narad::prelude::*;
use narad::{Config, Narad};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// A user signed in.
#[derive(Event, Debug)]
#[event(topic = "user.events.login", type = "USER_LOGIN", version = "1.0", key = user_id)]
#[serde(rename_all = "camelCase")]
struct UserLogin {
    user_id: String,
    ip: Option<String>,
}

/// Runs for every USER_LOGIN on the topic. The attribute registers it; nothing is mounted by hand.
#[kafka_handler(topic = "user.events.login", group = "quickstart")]
async fn greet(event: UserLogin, ctx: Context, handled: State<UnboundedSender<String>>) {
    let ip = event.ip.as_deref().unwrap_or("an unknown address");
    println!(
        "handled   {:6} from {ip}, partition {}, offset {}, attempt {}",
        event.user_id,
        ctx.partition(),
        ctx.offset(),
        ctx.attempt()
    );
    let _ = handled.send(event.user_id);
}

#[tokio::main]
async fn main() -> narad::Result<()> {
    // The environment's configuration. On a real cluster the topic is created where it is missing.
    let mut config = Config::from_env()?.or_embedded();
    config.create_topics = Some(true);

    // What the application gives to the builder, its handlers can ask for as `State`.
    let (handled, mut inbox) = unbounded_channel::<String>();
    let narad = Narad::builder().config(config).state(handled).build().await?;

    let users = [("ada", Some("10.0.0.1")), ("grace", Some("10.0.0.2")), ("linus", None)];
    for (user, ip) in users {
        let event = UserLogin { user_id: user.to_owned(), ip: ip.map(str::to_owned) };
        // Resolves when the broker has acknowledged the record.
        let sent = narad.publish(&event).await?;
        println!("published {user:6} to {}", sent.topic());
    }

    // A service calls `narad::run()`, which ends on SIGINT or SIGTERM. This one ends when all three are
    // handled.
    narad
        .run_until(async move {
            for _ in users {
                inbox.recv().await;
            }
        })
        .await
}
