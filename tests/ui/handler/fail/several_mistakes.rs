use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user events", topics = ["a"], gruop = "analytics", timeout = "5", retry(attempts = 0, backof = "1s..2s"), default, default)]
fn count<T>(event: UserLogin, rest: impl Send) {}

// The function is still there for those that call it.
fn call(event: UserLogin) {
    count::<u8>(event, 1);
}

fn main() {}
