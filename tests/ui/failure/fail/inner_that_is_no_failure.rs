use narad::prelude::*;

enum StoreError {
    Busy,
}

#[derive(Failure)]
enum CountError {
    #[fate(inner)]
    Store(StoreError),
    #[fate(inner)]
    Boxed { source: Box<std::io::Error>, key: u64 },
}

fn main() {}
