use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

struct Session;

impl narad::Extract for Session {
    async fn extract(_: &Record, _: &Context) -> Result<Self, Outcome> {
        Ok(Self)
    }
}

#[kafka_handler(topic = "user.events")]
async fn count(events: Batch<UserLogin>, session: Session) {}

fn main() {}
