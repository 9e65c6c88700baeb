use narad::prelude::*;

#[derive(Failure)]
enum CountError {
    #[retry(backoff = "1s")]
    Busy,
}

fn main() {}
