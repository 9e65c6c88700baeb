use narad::prelude::*;

#[derive(Failure)]
struct CountError;

fn main() {}
