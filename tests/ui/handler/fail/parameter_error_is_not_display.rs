use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

struct Missing;

struct Tenant;

impl<'r> narad::FromRecord<'r> for Tenant {
    type Error = Missing;

    fn from_record(_: &'r Record, _: &Context) -> Result<Self, Missing> {
        Err(Missing)
    }
}

fn main() {}
