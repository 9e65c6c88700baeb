use narad::prelude::*;

// Everything else in the attribute is a text; the key is not.
#[derive(Event)]
#[event(key = "user_id")]
struct UserLogin {
    user_id: String,
}

#[derive(Event)]
#[event(key = "self.tenant.id")]
struct TenantLogin {
    tenant: UserLogin,
}

#[derive(Event)]
#[event(key = "login")]
struct Login {
    user_id: String,
}

#[derive(Event)]
#[event(key = 0u8)]
struct UserId(String);

#[derive(Event)]
#[event(key = -1)]
struct Negative(String);

fn main() {}
