use std::borrow::Cow;

use narad::prelude::*;

#[derive(Event)]
struct UserLogin<'de> {
    id: Cow<'de, str>,
}

fn main() {}
