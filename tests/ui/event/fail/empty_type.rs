use narad::prelude::*;

#[derive(Event)]
#[event(type = "")]
struct UserLogin {
    id: String,
}

fn main() {}
