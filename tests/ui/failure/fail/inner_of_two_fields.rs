use narad::prelude::*;

#[derive(Failure)]
enum StoreError {
    #[retry]
    Busy,
}

#[derive(Failure)]
enum CountError {
    #[fate(inner)]
    Store(StoreError, u64),
}

fn main() {}
