//! What the macros expand to, for those who change them; the mistakes they report are in the package
//! `narad-tests`.
//!
//! `NARAD_OVERWRITE=1 cargo test -p narad-macros` writes the files of `tests/expand` anew.

use std::path::PathBuf;

use proc_macro2::TokenStream;
use quote::quote;

#[test]
fn an_event() {
    let expanded = crate::event::derive(quote! {
        #[event(topic = "user.events.login", key = user_id)]
        #[serde(rename_all = "camelCase")]
        pub struct UserLogin<'a> {
            pub user_id: String,
            pub ip: Cow<'a, str>,
        }
    });
    assert_expands("event", expanded);
}

#[test]
fn a_closed_set() {
    let expanded = crate::event::derive(quote! {
        enum UserEvents {
            Login(UserLogin),
            #[event(other)]
            Rest,
        }
    });
    assert_expands("closed_set", expanded);
}

#[test]
fn a_handler() {
    let args =
        quote!(topic = "user.events.login", group = "analytics-service", concurrency = 4, crate = "my_narad");
    let handler = quote! {
        async fn count_login<'a>(event: UserLogin<'a>, ctx: Context) -> Result<(), CountError> {
            Ok(())
        }
    };
    assert_expands("handler", crate::handler::attribute(args, handler));
}

#[test]
fn a_failure() {
    let expanded = crate::failure::derive(quote! {
        enum CountError {
            #[retry(attempts = 8, backoff = "200ms..1m")]
            Busy,
            #[dead_letter]
            Broken(String),
            #[fate(inner)]
            Store(#[from] Box<StoreError>),
        }
    });
    assert_expands("failure", expanded);
}

#[test]
fn no_path_leads_to_narad_where_the_crate_is_renamed() {
    let set = quote! { #[event(topic = "a", key = self.0, crate = "renamed")] enum Set { A(A), #[event(other)] Other(Record) } };
    let event = quote! { #[event(topic = "a", key = 0, crate = "renamed")] struct Event(u8); };
    let data = quote! { #[event(crate = "renamed")] struct Data { a: u8 } };
    let failure = quote! { #[failure(crate = "renamed")] enum Failure { #[retry(attempts = 1)] A, #[fate(inner)] B(C) } };
    let args = quote!(topic = "a", batch(max = 1), dead_letter = off, crate = "renamed");
    let handler = quote! { fn handler(events: Batch<Event>) {} };
    let all = [
        crate::event::derive(set),
        crate::event::derive(event),
        crate::event::derive_data(data),
        crate::failure::derive(failure),
        crate::handler::attribute(args, handler),
    ];
    for expanded in all {
        let text = expanded.to_string();
        assert!(!text.contains(":: narad ") && !text.contains("::narad:"), "{text}");
        assert!(text.contains("renamed :: __private"), "{text}");
    }
}

fn assert_expands(name: &str, expanded: TokenStream) {
    let file = syn::parse2(expanded).unwrap();
    let text = prettyplease::unparse(&file);
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/expand").join(format!("{name}.expanded"));
    if std::env::var_os("NARAD_OVERWRITE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{} differs", path.display());
}
