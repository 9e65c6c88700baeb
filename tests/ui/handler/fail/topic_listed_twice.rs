use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topics = ["user.events", "user.logins", "user.events"])]
async fn count(event: UserLogin) {}

fn main() {}
