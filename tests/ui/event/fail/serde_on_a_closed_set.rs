use narad::prelude::*;

#[derive(Event)]
struct Created {
    id: u64,
}

#[derive(Event)]
struct Payment {
    id: u64,
}

#[derive(Event)]
#[event(topic = "orders")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum OrderEvent {
    OrderCreated(Created),
    #[serde(rename = "ORDER_PAID")]
    Paid(Payment),
}

fn main() {}
