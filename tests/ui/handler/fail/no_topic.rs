use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(group = "analytics")]
async fn count(event: UserLogin) {}

fn main() {}
