use narad::prelude::*;

/// A user signed in.
#[derive(Event, Debug)]
#[event(topic = "user.events.login", type = "USER_LOGIN", version = "1.0", key = user_id)]
#[serde(rename_all = "camelCase")]
pub struct UserLogin {
    pub user_id: String,
    pub ip: Option<String>,
}

#[kafka_handler(topic = "user.events.login", group = "analytics-service")]
async fn count_login(event: UserLogin, ctx: Context) -> Result<(), String> {
    println!("{} {}", event.user_id, ctx.topic());
    tokio::task::yield_now().await;
    Ok(())
}

#[kafka_handler(topics = ["a", "b-${STAGE:-dev}"], retry(attempts = 3, backoff = "1s..1m"), dead_letter = off, concurrency = 4, start = "latest", default)]
fn plain(record: Record, value: Json<String>) {
    let _ = (record, value);
}

fn main() {}
