#![deny(warnings, nonstandard_style, variant_size_differences, unused_qualifications)]
//! What the user allows on a type is not said of the mirror that serde's derives stand on.

use narad::prelude::*;

#[derive(Event)]
#[allow(non_snake_case)]
struct Camel {
    userId: String,
}

#[derive(EventData)]
#[expect(non_snake_case, unused_qualifications)]
struct CamelData {
    userId: std::string::String,
}

#[derive(Event)]
#[event(type = "LARGE")]
#[allow(non_camel_case_types, variant_size_differences)]
enum Large {
    large([u8; 32]),
    Small,
}

fn main() {
    let _ = (
        Camel { userId: String::new() }.userId,
        CamelData { userId: String::new() }.userId,
        Large::large,
        Large::Small,
    );
}
