use narad::prelude::*;

#[derive(Failure)]
enum CountError {
    #[skip(attempts = 3)]
    Busy,
}

fn main() {}
