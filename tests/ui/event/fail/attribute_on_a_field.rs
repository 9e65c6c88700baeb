use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    #[event(key)]
    id: String,
}

fn main() {}
