use narad::prelude::*;

#[derive(Failure)]
enum CountError {
    #[retry(atempts = 3)]
    Busy,
}

fn main() {}
