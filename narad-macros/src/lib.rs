//! The macros of `narad`.
//!
//! They are documented at their re-export there, since their examples need that crate.

mod about;
mod attr;
mod diagnostics;
mod event;
mod failure;
mod handler;
mod lifetimes;
mod literal;

use proc_macro::TokenStream;

#[allow(missing_docs)]
#[proc_macro_derive(Event, attributes(event, serde))]
pub fn derive_event(item: TokenStream) -> TokenStream {
    event::derive(item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_derive(EventData, attributes(event, serde))]
pub fn derive_event_data(item: TokenStream) -> TokenStream {
    event::derive_data(item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_derive(Failure, attributes(failure, retry, dead_letter, skip, halt, fate, source, from))]
pub fn derive_failure(item: TokenStream) -> TokenStream {
    failure::derive(item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn kafka_handler(args: TokenStream, item: TokenStream) -> TokenStream {
    handler::attribute(args.into(), item.into()).into()
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod tests;
