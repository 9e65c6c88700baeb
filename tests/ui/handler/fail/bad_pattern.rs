use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(pattern = "^user\\.(login")]
async fn count(event: UserLogin) {}

fn main() {}
