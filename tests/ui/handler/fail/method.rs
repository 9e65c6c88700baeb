use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

struct Service;

impl Service {
    #[kafka_handler(topic = "user.events")]
    async fn count(&self, event: UserLogin) {}
}

fn main() {}
