use narad::prelude::*;

#[derive(Event)]
enum UserEvents {
    #[event(other)]
    Rest(Record),
}

fn main() {}
