use narad::prelude::*;

#[derive(Event)]
enum Nothing {}

fn main() {}
