#![deny(warnings)]
//! A variant that nobody should use any more has its fate.

use narad::prelude::*;

#[derive(Failure, Debug)]
enum CountError {
    #[deprecated = "the store does not say so any more"]
    #[retry]
    Busy,
    #[dead_letter]
    Broken,
}

#[deprecated = "use another one"]
#[derive(Failure, Debug)]
enum OldError {
    #[skip]
    Outdated,
}

fn main() {
    println!("{:?}", CountError::Broken);
}
