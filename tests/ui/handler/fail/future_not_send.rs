use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

use std::rc::Rc;

async fn store(_: &UserLogin) {}

#[kafka_handler(topic = "user.events")]
async fn count(event: UserLogin) -> Result<(), String> {
    let shared = Rc::new(1);
    store(&event).await;
    drop(shared);
    Ok(())
}

fn main() {}
