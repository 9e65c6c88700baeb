use narad::prelude::*;

// An event may stand in another one as it is.
#[derive(Event, EventData)]
struct UserLogin {
    id: String,
}

fn main() {}
