use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

use std::rc::Rc;

struct CountError(Rc<str>);

impl std::fmt::Display for CountError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[kafka_handler(topic = "user.events")]
async fn count(_: UserLogin) -> Result<(), CountError> {
    Ok(())
}

fn main() {}
