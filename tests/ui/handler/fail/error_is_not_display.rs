use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

struct CountError;

#[kafka_handler(topic = "user.events")]
async fn count(event: UserLogin) -> Result<(), CountError> {
    Err(CountError)
}

fn main() {}
