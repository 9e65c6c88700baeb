//! `#[derive(Failure)]`: what becomes of a record after each variant of an error.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Field, Index, Member, Meta, Path, Type, Variant};

use crate::attr::{Arg, Slot, Value, option, parse_args, private};
use crate::diagnostics::Diagnostics;
use crate::handler::Written;

const FATES: [&str; 5] = ["retry", "dead_letter", "skip", "halt", "fate"];
const FATES_SHOWN: &str = "`#[retry]`, `#[dead_letter]`, `#[skip]`, `#[halt]` or `#[fate(inner)]`";

/// What `#[retry(…)]` has of the options of a handler.
struct Retry {
    attempts: Option<u32>,
    /// Milliseconds.
    backoff: Option<(u64, u64)>,
}

enum Fate<'a> {
    Retry(Option<Retry>),
    DeadLetter,
    Skip,
    Halt,
    /// That of the error in this field.
    Inner(Member, &'a Type),
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
        Some(errors) => [errors, stub(&input, &private)].into_iter().collect(),
        None => expand(&input.ident, &fates, &private),
    }
}

/// What is left where the error has mistakes: an error around it can still leave its fate to it, and is not
/// reported as well. One with parameters never has a fate.
fn stub(input: &DeriveInput, private: &TokenStream) -> TokenStream {
    let name = &input.ident;
    if !input.generics.params.is_empty() {
        return TokenStream::new();
    }
    quote! {
        #[allow(deprecated)]
        impl #private::Failing for #name {
            const INNER: &'static [fn() -> #private::std::any::TypeId] = &[];

            fn error() -> #private::std::any::TypeId {
                #private::std::unreachable!()
            }

            fn verdict(&self) -> #private::Verdict {
                #private::std::unreachable!()
            }
        }
    }
}

/// `#[failure(crate = "…")]`
fn container(attrs: &[Attribute], diagnostics: &Diagnostics) -> Slot<Path> {
    let mut krate = Slot::default();
    for attr in attrs {
        if let Some(fate) = fate_name(attr) {
            diagnostics.on(attr, format!("`{}` goes on the variants: each has its own fate", shown(fate)));
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

fn fates<'a>(input: &'a DeriveInput, diagnostics: &Diagnostics) -> Vec<(&'a Ident, Fate<'a>)> {
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
            "`Failure` goes on an enum: each variant has its own fate; for a struct return `Outcome`, as in `Outcome::dead_letter(error)`",
        ),
        Data::Union(data) => diagnostics.on(
            data.union_token,
            "`Failure` goes on an enum: each variant has its own fate",
        ),
    }
    vec![]
}

fn fate<'a>(variant: &'a Variant, diagnostics: &Diagnostics) -> Option<Fate<'a>> {
    let mut fates = variant.attrs.iter().filter_map(|attr| Some((attr, fate_name(attr)?)));
    let Some((attr, name)) = fates.next() else {
        diagnostics.on(&variant.ident, format!("`{}` has no fate; put {FATES_SHOWN} on it", variant.ident));
        return None;
    };
    for (second, _) in fates {
        diagnostics.on(
            second,
            format!("`{}` has a fate already, `{}`; keep one of {FATES_SHOWN}", variant.ident, shown(name)),
        );
    }
    match name {
        "retry" => return retry(attr, diagnostics),
        "fate" => return inner(attr, variant, diagnostics),
        _ => {}
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

/// As it is written on a variant.
fn shown(fate: &str) -> String {
    if fate == "fate" { "#[fate(inner)]".to_owned() } else { format!("#[{fate}]") }
}

/// `#[fate(inner)]`: the field whose fate the variant has.
fn inner<'a>(attr: &Attribute, variant: &'a Variant, diagnostics: &Diagnostics) -> Option<Fate<'a>> {
    if !attr.parse_args::<Ident>().is_ok_and(|arg| arg == "inner") {
        diagnostics.on(&attr.meta, "`fate` takes the word `inner`: write `#[fate(inner)]`");
        return None;
    }
    let name = &variant.ident;
    let fields: Vec<&Field> = variant.fields.iter().collect();
    let marked = |field: &&Field| {
        field.attrs.iter().any(|attr| attr.path().is_ident("source") || attr.path().is_ident("from"))
    };
    let called = |field: &&Field| field.ident.as_ref().is_some_and(|name| name == "source");
    // The first of these that some field is; each can be several only by a mistake.
    let mut found: Vec<usize> = (0..fields.len()).filter(|at| marked(&fields[*at])).collect();
    if found.is_empty() {
        found = (0..fields.len()).filter(|at| called(&fields[*at])).collect();
    }
    if found.is_empty() {
        found = (0..fields.len()).collect();
    }
    match found[..] {
        [at] => {
            let field = fields[at];
            let member = match &field.ident {
                Some(name) => Member::Named(name.clone()),
                None => Member::Unnamed(Index::from(at)),
            };
            Some(Fate::Inner(member, &field.ty))
        }
        [] => {
            diagnostics.on(name, format!("`{name}` holds no error that could give it a fate"));
            None
        }
        _ => {
            diagnostics.on(
                name,
                format!(
                    "`{name}` has several fields: mark the error that gives it its fate with `#[source]`, or name that field `source`"
                ),
            );
            None
        }
    }
}

fn retry(attr: &Attribute, diagnostics: &Diagnostics) -> Option<Fate<'static>> {
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

fn expand(name: &Ident, fates: &[(&Ident, Fate<'_>)], private: &TokenStream) -> TokenStream {
    let pauseless = fates.iter().find_map(|(variant, fate)| match fate {
        Fate::Retry(Some(retry)) if matches!(retry.backoff, Some((0, _))) => Some(variant),
        _ => None,
    });
    let pauseless = option(private, pauseless.map(|variant| format!("{name}::{variant}")));
    let arms = fates.iter().map(|(variant, fate)| {
        let inner = inner_error();
        let field = if let Fate::Inner(field, _) = fate { quote!(#field: #inner,) } else { quote!() };
        let verdict = verdict(fate, private);
        quote!(#name::#variant { #field .. } => #verdict,)
    });
    // Where the field's type has no fate, this is the error, on the type.
    let inner = fates.iter().filter_map(|(_, fate)| match fate {
        Fate::Inner(_, of) => Some(quote_spanned!(of.span()=> <#of as #private::Failing>::error)),
        _ => None,
    });
    quote! {
        #[allow(deprecated)]
        const _: () = {
            impl #private::Failing for #name {
                const INNER: &'static [fn() -> #private::std::any::TypeId] = &[#(#inner),*];

                fn error() -> #private::std::any::TypeId {
                    #private::std::any::TypeId::of::<#name>()
                }

                fn verdict(&self) -> #private::Verdict {
                    match self {
                        #(#arms)*
                    }
                }
            }

            #[allow(unused_imports)]
            use #private::NoEvent as _;

            #private::inventory::submit! {
                #private::FailureEntry::new::<#name>(
                    #pauseless,
                    #private::Probe::<#private::std::result::Result<(), #name>>::SOURCE,
                )
            }
        };
    }
}

/// What the field of `#[fate(inner)]` is bound to.
fn inner_error() -> Ident {
    Ident::new("inner", Span::mixed_site())
}

fn verdict(fate: &Fate<'_>, private: &TokenStream) -> TokenStream {
    match fate {
        Fate::DeadLetter => quote!(#private::Verdict::DeadLetter),
        Fate::Skip => quote!(#private::Verdict::Skip),
        Fate::Halt => quote!(#private::Verdict::Halt),
        // With the same span as in `INNER`, so that the error about a type without a fate is shown once.
        Fate::Inner(_, of) => {
            let inner = inner_error();
            quote_spanned!(of.span()=> <#of as #private::Failing>::verdict(#inner))
        }
        Fate::Retry(retry) => {
            let policy = retry.as_ref().map(|retry| {
                let attempts = option(private, retry.attempts);
                let backoff =
                    option(private, retry.backoff.map(|(first, longest)| quote!((#first, #longest))));
                quote!(&#private::RetryOverride { attempts: #attempts, backoff_ms: #backoff })
            });
            let policy = option(private, policy);
            quote!(#private::Verdict::Retry(#policy))
        }
    }
}
