use narad::prelude::*;

#[derive(Event)]
#[event(type = "SHAPE")]
enum Shape {
    #[event(type = "CIRCLE")]
    Circle { radius: f64 },
}

fn main() {}
