use narad::prelude::*;

#[derive(Failure)]
enum CountError {
    #[retry]
    Busy,
    Broken,
}

fn main() {}
