use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events")]
async fn forward(event: UserLogin) -> Result<UserLogin, String> {
    Ok(event)
}

fn main() {}
