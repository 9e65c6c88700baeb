use narad::prelude::*;

#[derive(Failure)]
enum CountError {
    #[retry]
    #[skip]
    Busy,
}

fn main() {}
