use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events")]
async fn count(_: UserLogin) -> Result<(), Box<dyn std::error::Error>> {
    Ok(())
}

fn main() {}
