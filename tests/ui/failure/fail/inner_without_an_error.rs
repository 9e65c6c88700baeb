use narad::prelude::*;

#[derive(Failure)]
enum CountError {
    #[fate(inner)]
    Store,
}

fn main() {}
