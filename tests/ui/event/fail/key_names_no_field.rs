use narad::prelude::*;

#[derive(Event)]
#[event(key = user_idd)]
struct UserLogin {
    user_id: String,
    ip: String,
}

fn main() {}
