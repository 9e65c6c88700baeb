use narad::prelude::*;

#[derive(Event)]
#[event(encoding = "jsn")]
struct UserLogin {
    id: String,
}

fn main() {}
