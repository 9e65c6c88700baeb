use narad::prelude::*;

#[derive(Event)]
struct Started {
    by: std::thread::ThreadId,
}

fn main() {}
