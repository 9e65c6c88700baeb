use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events")]
async fn count(event: UserLogin, #[headers("tenant")] tenant: String) {}

fn main() {}
