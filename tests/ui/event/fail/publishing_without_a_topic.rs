use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

fn publish(ctx: &Context, event: &UserLogin) {
    drop(ctx.publish(event));
}

fn main() {}
