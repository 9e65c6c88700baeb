//! The macros of `narad`, documented at their re-export there.

use proc_macro::TokenStream;

#[allow(missing_docs)]
#[proc_macro_derive(Event, attributes(event, serde))]
pub fn derive_event(_item: TokenStream) -> TokenStream {
    TokenStream::new()
}

#[allow(missing_docs)]
#[proc_macro_derive(EventData, attributes(event, serde))]
pub fn derive_event_data(_item: TokenStream) -> TokenStream {
    TokenStream::new()
}

#[allow(missing_docs)]
#[proc_macro_derive(Failure, attributes(retry, dead_letter, skip, halt))]
pub fn derive_failure(_item: TokenStream) -> TokenStream {
    TokenStream::new()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn kafka_handler(_args: TokenStream, item: TokenStream) -> TokenStream {
    item
}
