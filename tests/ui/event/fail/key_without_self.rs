use narad::prelude::*;

#[derive(Event)]
#[event(key = format!("{}/{}", "tenant", "user"))]
struct UserLogin {
    user_id: String,
}

#[derive(Event)]
#[event(key = Self::KEY)]
struct UserLogout {
    user_id: String,
}

impl UserLogout {
    const KEY: &'static str = "logout";
}

fn main() {}
