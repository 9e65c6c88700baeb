use narad::prelude::*;

struct Address {
    street: String,
}

#[derive(Event)]
struct UserLogin {
    address: Address,
}

fn main() {}
