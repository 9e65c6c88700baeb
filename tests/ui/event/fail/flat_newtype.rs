use narad::prelude::*;

#[derive(Event)]
#[event(format = "flat")]
struct Temperature(f64);

fn main() {}
