use narad::prelude::*;

#[derive(Event)]
#[event(key = 1)]
struct UserId(String);

fn main() {}
