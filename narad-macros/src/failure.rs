//! `#[derive(Failure)]`: what becomes of a record after each variant of an error.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Meta, Path, Variant};

use crate::attr::{Arg, Slot, Value, option, parse_args, private};
use crate::diagnostics::Diagnostics;
use crate::handler::Written;

const FATES: [&str; 4] = ["retry", "dead_letter", "skip", "halt"];
const FATES_SHOWN: &str = "`#[retry]`, `#[dead_letter]`, `#[skip]` or `#[halt]`";

/// What `#[retry(…)]` has of the options of a handler.
struct Retry {
    attempts: Option<u32>,
    /// Milliseconds.
    backoff: Option<(u64, u64)>,
}

enum Fate {
    Retry(Option<Retry>),
    DeadLetter,
    Skip,
    Halt,
}

pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let diagnostics = Diagnostics::default();
    let krate = container(&input.attrs, &diagnostics);
    let private = private(&krate);
    let fates = fates(&input, &diagnostics);
    match diagnostics.into_tokens() {
        Some(errors) => errors,
        None => expand(&input.ident, &fates, &private),
    }
}

/// `#[failure(crate = "…")]`
fn container(attrs: &[Attribute], diagnostics: &Diagnostics) -> Slot<Path> {
    let mut krate = Slot::default();
    for attr in attrs {
        if let Some(fate) = fate_name(attr) {
            diagnostics.on(attr, format!("`#[{fate}]` goes on the variants: each has its own fate"));
        } else if attr.path().is_ident("failure") {
            match &attr.meta {
                Meta::List(list) => {
                    for arg in parse_args(list.tokens.clone(), diagnostics) {
                        match arg.key().as_str() {
                            "crate" => krate.set(&arg, arg.path(diagnostics), diagnostics),
                            other => {
                                diagnostics.unknown(&arg.name, format!("option `{other}`"), other, &["crate"])
                            }
                        }
                    }
                }
                other => diagnostics.on(other, "expected `#[failure(crate = \"…\")]`"),
            }
        }
    }
    krate
}

fn fates<'a>(input: &'a DeriveInput, diagnostics: &Diagnostics) -> Vec<(&'a Ident, Fate)> {
    if !input.generics.params.is_empty() {
        diagnostics.on(
            &input.generics,
            "an error's fate is found by its type, which cannot be generic; derive `Failure` on an error \
             without parameters",
        );
    }
    match &input.data {
        Data::Enum(data) if data.variants.is_empty() => diagnostics.on(
            &input.ident,
            "this error has no \
         variants, so nothing can fail with it",
        ),
        Data::Enum(data) => {
            return data
                .variants
                .iter()
                .filter_map(|variant| Some((&variant.ident, fate(variant, diagnostics)?)))
                .collect();
        }
        Data::Struct(data) => diagnostics.on(
            data.struct_token,
            "`Failure` goes on an enum, whose variants have a fate each; for a struct return `Outcome`, as \
             in `Outcome::dead_letter(error)`",
        ),
        Data::Union(data) => diagnostics.on(
            data.union_token,
            "`Failure` goes on an enum, whose variants \
         have a fate each",
        ),
    }
    vec![]
}

fn fate(variant: &Variant, diagnostics: &Diagnostics) -> Option<Fate> {
    let mut fates = variant.attrs.iter().filter_map(|attr| Some((attr, fate_name(attr)?)));
    let Some((attr, name)) = fates.next() else {
        diagnostics.on(&variant.ident, format!("`{}` has no fate; put {FATES_SHOWN} on it", variant.ident));
        return None;
    };
    for (second, _) in fates {
        diagnostics.on(
            second,
            format!("`{}` has a fate already, `#[{name}]`; keep one of {FATES_SHOWN}", variant.ident),
        );
    }
    if name == "retry" {
        return retry(attr, diagnostics);
    }
    if !matches!(attr.meta, Meta::Path(_)) {
        diagnostics.on(&attr.meta, format!("`{name}` takes no arguments: write `#[{name}]`"));
    }
    Some(match name {
        "dead_letter" => Fate::DeadLetter,
        "skip" => Fate::Skip,
        _ => Fate::Halt,
    })
}

fn fate_name(attr: &Attribute) -> Option<&'static str> {
    FATES.into_iter().find(|fate| attr.path().is_ident(fate))
}

fn retry(attr: &Attribute, diagnostics: &Diagnostics) -> Option<Fate> {
    let name = attr.path().get_ident()?.clone();
    match &attr.meta {
        Meta::Path(_) => Some(Fate::Retry(None)),
        Meta::List(list) => {
            let arg = Arg { name, value: Value::List(list.delimiter.span().join(), list.tokens.clone()) };
            let written = Written::of_parts(&arg, diagnostics)?.1.values;
            Some(Fate::Retry(Some(Retry {
                attempts: written.retry_attempts,
                backoff: written.retry_backoff,
            })))
        }
        Meta::NameValue(meta) => {
            diagnostics
                .on(meta, "expected parentheses: write `#[retry(attempts = 5, backoff = \"100ms..30s\")]`");
            None
        }
    }
}

fn expand(name: &Ident, fates: &[(&Ident, Fate)], private: &TokenStream) -> TokenStream {
    let pauseless = fates.iter().find_map(|(variant, fate)| match fate {
        Fate::Retry(Some(retry)) if matches!(retry.backoff, Some((0, _))) => Some(variant),
        _ => None,
    });
    let pauseless = option(private, pauseless.map(|variant| format!("{name}::{variant}")));
    let arms = fates.iter().map(|(variant, fate)| {
        let verdict = verdict(fate, private);
        quote!(#private::std::option::Option::Some(#name::#variant { .. }) => #private::Verdict::#verdict,)
    });
    quote! {
        #[allow(deprecated)]
        const _: () = {
            #private::inventory::submit! {
                #private::FailureEntry {
                    error: || #private::std::any::TypeId::of::<#name>(),
                    verdict: |error| match error.downcast_ref::<#name>() {
                        #(#arms)*
                        #private::std::option::Option::None => #private::Verdict::Retry(#private::std::option::Option::None),
                    },
                    pauseless: #pauseless,
                }
            }
        };
    }
}

fn verdict(fate: &Fate, private: &TokenStream) -> TokenStream {
    match fate {
        Fate::DeadLetter => quote!(DeadLetter),
        Fate::Skip => quote!(Skip),
        Fate::Halt => quote!(Halt),
        Fate::Retry(None) => quote!(Retry(#private::std::option::Option::None)),
        Fate::Retry(Some(retry)) => {
            let attempts = option(private, retry.attempts);
            let backoff = option(private, retry.backoff.map(|(first, longest)| quote!((#first, #longest))));
            let policy = quote!(&#private::RetryOverride { attempts: #attempts, backoff_ms: #backoff });
            let policy = option(private, Some(policy));
            quote!(Retry(#policy))
        }
    }
}
