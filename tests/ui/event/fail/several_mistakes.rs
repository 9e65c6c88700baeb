use narad::prelude::*;

#[derive(Event)]
#[event(topc = "user.events", type = "", topic = "user events", key = user)]
#[event(format = "flatt", version = 1)]
struct UserLogin {
    #[event(key)]
    user_id: String,
}

// What uses the type gets no follow-up errors.
#[kafka_handler(topic = "user.events")]
async fn login(event: UserLogin) {
    drop(event.user_id);
}

#[kafka_handler(topic = "user.events")]
async fn forward(event: UserLogin) -> UserLogin {
    event
}

fn main() {}
