use narad::prelude::*;

#[derive(Failure)]
enum CountError<T> {
    #[retry]
    Busy(T),
}

fn main() {}
