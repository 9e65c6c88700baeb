use narad::prelude::*;

#[derive(Event)]
#[event(type = "SHAPE", format = "flat")]
enum Shape {
    Circle { radius: f64 },
    Nothing,
}

fn main() {}
