use narad::prelude::*;

#[derive(Event)]
#[event(format = "flatt")]
struct UserLogin {
    id: String,
}

fn main() {}
