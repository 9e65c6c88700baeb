use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

use std::rc::Rc;

struct Session(u8);

impl narad::Extract for Session {
    async fn extract(_: &Record, _: &Context) -> Result<Self, Outcome> {
        let local = Rc::new(1);
        tokio::task::yield_now().await;
        Ok(Self(*local))
    }
}

#[kafka_handler(topic = "user.events")]
async fn count(event: UserLogin, session: Session) {}

fn main() {}
