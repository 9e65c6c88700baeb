use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events")]
async fn count(
    #[header("ratio")] ratio: f64,
    #[header("tenant")] tenant: Option<UserLogin>,
    #[header("ctx")] ctx: Context,
    event: UserLogin,
) {
}

fn main() {}
