use narad::prelude::*;

#[derive(Failure)]
#[retry]
enum CountError {
    #[retry]
    Busy,
}

fn main() {}
