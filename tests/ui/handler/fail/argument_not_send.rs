use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

use std::rc::Rc;

struct Local(Rc<u8>);

impl<'r> narad::FromRecord<'r> for Local {
    type Error = String;

    fn from_record(_: &'r Record, _: &Context) -> Result<Self, String> {
        Ok(Self(Rc::new(1)))
    }
}

#[kafka_handler(topic = "user.events")]
async fn count(event: UserLogin, local: Local) {}

fn main() {}
