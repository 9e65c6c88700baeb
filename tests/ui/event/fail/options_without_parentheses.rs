use narad::prelude::*;

#[derive(Event)]
#[event = "user.events"]
struct UserLogin {
    id: String,
}

fn main() {}
