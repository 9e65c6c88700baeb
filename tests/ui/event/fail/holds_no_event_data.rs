use std::collections::HashMap;

use narad::prelude::*;

struct Line {
    article: String,
}

struct Price(u64);

#[derive(Event)]
#[event(topic = "orders")]
struct OrderPlaced {
    id: u64,
    lines: Vec<Line>,
    first: Option<Line>,
    prices: HashMap<String, (Price, u8)>,
}

#[derive(EventData)]
enum Payment {
    Card(Card),
    Cash,
}

struct Card;

fn main() {}
