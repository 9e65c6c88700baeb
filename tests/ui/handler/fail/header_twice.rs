use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events")]
async fn count(
    #[header("tenant")]
    #[header("customer")]
    tenant: String,
) {
}

fn main() {}
