use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events", batch(max = 100, isolate = 5))]
async fn by_default(events: Batch<UserLogin>) {
    drop(events);
}

#[kafka_handler(topic = "user.events", batch(isolate = 2), retry(attempts = 2))]
async fn as_written(events: Batch<UserLogin>) {
    drop(events);
}

#[kafka_handler(topic = "user.events", batch(isolate = 0), retry(attempts = 2))]
async fn none(events: Batch<UserLogin>) {
    drop(events);
}

#[kafka_handler(topic = "user.events", batch(isolate = 1))]
async fn one_by_one(event: UserLogin) {
    drop(event);
}

fn main() {}
