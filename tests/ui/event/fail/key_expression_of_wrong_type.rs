use narad::prelude::*;

#[derive(Event)]
#[event(key = (self.id, 1))]
struct UserLogin {
    id: u64,
}

fn main() {}
