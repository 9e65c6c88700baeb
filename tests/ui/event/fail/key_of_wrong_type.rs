use narad::prelude::*;

#[derive(Event)]
#[event(key = id)]
struct UserLogin {
    id: f64,
}

fn main() {}
