use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
    kind: &'static str,
    tags: Vec<&'static str>,
    data: Option<&'static Data>,
}

#[derive(EventData)]
struct Data {
    unit: &'static str,
}

fn main() {}
