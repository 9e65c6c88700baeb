use narad::prelude::*;

#[derive(Event)]
#[event(topic = "user.events")]
struct UserLogin {
    id: String,
}

impl UserLogin {
    #[kafka_handler(topic = "user.events")]
    async fn count(event: Self) {
        drop(event);
    }
}

// Where nothing names `Self` the attribute cannot see the `impl`.
struct Service;

impl Service {
    #[kafka_handler(topic = "user.events")]
    async fn count(record: Record) {
        drop(record);
    }
}

fn main() {}
