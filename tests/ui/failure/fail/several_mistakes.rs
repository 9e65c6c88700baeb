use narad::prelude::*;

#[derive(Failure)]
#[failure(krate = "narad")]
enum CountError<'a> {
    #[retry(attempts = "3")]
    Busy,
    Broken(&'a str),
    #[halt]
    #[halt]
    Fatal,
}

fn main() {}
