use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

struct Tenant;

impl<'r> narad::FromRecord<'r> for Tenant {
    type Error = std::num::ParseIntError;

    fn from_record(_: &'r Record, _: &Context) -> Result<Self, Self::Error> {
        Ok(Self)
    }
}

#[kafka_handler(topic = "user.events")]
async fn count(event: UserLogin, tenant: Result<Tenant, String>) {}

fn main() {}
