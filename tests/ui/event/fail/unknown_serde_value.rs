use narad::prelude::*;

#[derive(Event)]
#[event(serde = own)]
struct UserLogin {
    id: String,
}

fn main() {}
