use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

type Alias = Envelope<UserLogin>;

#[kafka_handler(topic = "user.events")]
async fn count(event: UserLogin, ctx: Context, second: Alias) {}

fn main() {}
