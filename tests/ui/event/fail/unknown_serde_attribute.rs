use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    #[serde(renam = "userId")]
    id: String,
}

fn main() {}
