use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

use std::rc::Rc;

struct Local(Rc<u8>);

impl narad::Extract for Local {
    async fn extract(_: &Record, _: &Context) -> Result<Self, Outcome> {
        Ok(Self(Rc::new(1)))
    }
}

#[kafka_handler(topic = "user.events")]
async fn count(event: UserLogin, local: Local) {}

fn main() {}
