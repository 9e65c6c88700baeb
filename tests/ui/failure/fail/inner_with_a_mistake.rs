use narad::prelude::*;

#[derive(Failure)]
enum StoreError {
    #[retry]
    Busy,
    Lost,
}

// Nothing is wrong here.
#[derive(Failure)]
enum CountError {
    #[fate(inner)]
    Store(StoreError),
}

fn main() {
    let _ = (StoreError::Busy, StoreError::Lost, CountError::Store as fn(_) -> _);
}
