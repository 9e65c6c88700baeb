use narad::prelude::*;

#[derive(Event)]
union Bits {
    float: f32,
    int: u32,
}

fn main() {}
