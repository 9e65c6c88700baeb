use narad::prelude::*;

#[derive(Failure)]
enum StoreError {
    #[retry]
    Busy,
}

#[derive(Failure)]
enum CountError {
    #[fate(inner)]
    #[skip]
    Store(StoreError),
    #[halt]
    #[fate(inner)]
    Schema(StoreError),
    #[fate(outer)]
    Bank(StoreError),
}

fn main() {}
