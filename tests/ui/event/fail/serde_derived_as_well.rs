use narad::prelude::*;

use narad::serde::{Deserialize, Serialize};

#[derive(Event, Serialize, Deserialize)]
#[serde(crate = "narad::serde")]
struct UserLogin {
    id: String,
}

fn main() {}
