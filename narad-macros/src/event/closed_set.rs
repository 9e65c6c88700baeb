//! The implementations for a closed set: an enum whose variants hold one event each.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{DeriveInput, Lifetime, Type, parse_quote};

use super::attr::EventArgs;
use super::bounds::{Uses, where_clause};
use super::expand::{event_key, registration, topic};
use super::mirror::{outlives, with_lifetime};
use super::model::{Held, Key, Other, Set};
use crate::about::about;
use crate::attr::{at, located, option};
use crate::lifetimes::renamed;

pub(crate) fn expand(
    input: &DeriveInput,
    args: &EventArgs,
    set: &Set<'_>,
    private: &TokenStream,
) -> TokenStream {
    let name = &input.ident;
    let (impl_generics, ty_generics, _) = input.generics.split_for_impl();
    let record: Lifetime = parse_quote!('__narad);
    let decode_generics = with_lifetime(input, &record);
    let (decode_impl_generics, _, _) = decode_generics.split_for_impl();
    let (held, read) = held_bounds(input, set, private);
    let event_where = where_clause(input, held.clone());
    let decode_where = where_clause(input, held.into_iter().chain(read).chain(outlives(input, &record)));

    let shape = shape(input, args, set, private);
    let types = arms(set, |held| held_type(held, private), quote!(""));
    let versions = arms(set, |held| single(held.ty, "VERSION", private), quote!(""));
    let keys = arms(
        set,
        |held| {
            let key = single(held.ty, "single_key", private);
            quote!(#key(event))
        },
        quote!(#private::std::option::Option::None),
    );
    let event_key = event_key(set.key.as_ref(), private, quote!(match self { #keys }));
    let encode = encode(input, set, private);
    let decode = decode(input, set, private);
    let topic = topic(input, args, &event_where, private);
    let registration = registration(input, private);
    let types_differ = types_differ(input, set, private);
    quote! {
        #[allow(deprecated)]
        const _: () = {
            #[automatically_derived]
            impl #impl_generics #private::Event for #name #ty_generics #event_where {
                const SHAPE: #private::Shape = #shape;

                fn event_type(&self) -> &'static str {
                    match self { #types }
                }

                fn event_version(&self) -> &'static str {
                    match self { #versions }
                }

                #event_key

                fn encode(
                    &self,
                    encoder: &mut #private::Encoder<'_>,
                    shape: &#private::Shape,
                    r#type: &str,
                ) -> #private::std::result::Result<(), #private::EncodeError> {
                    #encode
                }
            }

            #[automatically_derived]
            impl #decode_impl_generics #private::DecodeEvent<'__narad> for #name #ty_generics #decode_where {
                fn decode(body: &#private::Body<'__narad>) -> #private::std::result::Result<Self, #private::DecodeError> {
                    #decode
                }
            }

            #topic
            #registration
            #types_differ
        };
    }
}

/// Refuses a type that a variant before has. Types that depend on parameters are told only where the set is
/// used, by its shape.
fn types_differ(input: &DeriveInput, set: &Set<'_>, private: &TokenStream) -> TokenStream {
    let lifetimes: Vec<_> = input.generics.lifetimes().map(|param| param.lifetime.clone()).collect();
    if set.events.len() < 2 || lifetimes.len() < input.generics.params.len() {
        return TokenStream::new();
    }
    let fixed: Vec<_> = set.events.iter().map(|held| renamed(held.ty, &lifetimes, "'static")).collect();
    let types = set.events.iter().zip(&fixed).map(|(held, ty)| type_of(held, ty, private));
    let each = set.events.iter().enumerate().skip(1).map(|(place, held)| {
        let (span, text) = (held.type_span(), same_type(&held.variant.to_string()));
        let private = located(private, span);
        quote_spanned!(at(span)=> const _: () = #private::assert_type_differs(__NARAD_TYPES, #place, #text);)
    });
    quote! {
        const __NARAD_TYPES: &[&str] = &[#(#types),*];
        #(#each)*
    }
}

fn same_type(variant: &str) -> String {
    format!(
        "`{variant}` takes the same event type as a variant before it, so it is never read; give one \
         of them a type of its own: \
         `#[event(type = \"…\")]`"
    )
}

/// What the events ask of the set's type parameters, to be written and to be read.
fn held_bounds(
    input: &DeriveInput,
    set: &Set<'_>,
    private: &TokenStream,
) -> (Vec<TokenStream>, Vec<TokenStream>) {
    let uses = |ty| {
        let mut uses = Uses::of(input);
        uses.add(ty);
        !uses.is_empty()
    };
    let held: Vec<_> = set.events.iter().map(|held| held.ty).filter(|ty| uses(ty)).collect();
    let written = held.iter().map(|ty| quote!(#ty: #private::SingleEvent)).collect();
    let other = set.other.iter().filter_map(|other| other.ty).filter(|ty| uses(ty));
    let read = held.iter().map(|ty| quote!(#ty: #private::DecodeEvent<'__narad>));
    (written, read.chain(other.map(|ty| quote!(#ty: #private::OtherEvent<'__narad>))).collect())
}

fn shape(input: &DeriveInput, args: &EventArgs, set: &Set<'_>, private: &TokenStream) -> TokenStream {
    let types: Vec<_> = set.events.iter().map(|held| held_type(held, private)).collect();
    let shapes: Vec<_> = set.events.iter().map(|held| single(held.ty, "SINGLE", private)).collect();
    let topic = option(private, args.topic.get());
    let other = set.other.is_some();
    let keyed = match &set.key {
        Some(_) => quote!(true),
        None => quote!(#(#shapes.keyed)&&*),
    };
    let about = about(&input.ident, &input.attrs, set.key.as_ref().map(Key::text), private);
    let generic = input.generics.params.len() > input.generics.lifetimes().count();
    let differ = generic.then(|| {
        let text = same_type(
            &set.events.iter().map(|held| held.variant.to_string()).collect::<Vec<_>>().join("` or `"),
        );
        quote!(#private::assert_types_differ(&[#(#types),*], #text);)
    });
    let shape = quote! {
        #private::Shape {
            types: &[#(#types),*],
            version: "",
            topic: #topic,
            variants: &[#(#private::Shape { types: &[#types], ..#shapes }),*],
            other: #other,
            format: #private::Format::Envelope,
            encoding: #private::Encoding::Json,
            fields: #private::Fields::Open,
            keyed: #keyed,
            about: #about,
        }
    };
    match differ {
        Some(differ) => quote!({ #differ #shape }),
        None => shape,
    }
}

fn held_type(held: &Held<'_>, private: &TokenStream) -> TokenStream {
    type_of(held, held.ty, private)
}

fn type_of(held: &Held<'_>, ty: &Type, private: &TokenStream) -> TokenStream {
    match &held.r#type {
        Some(text) => text.to_token_stream(),
        None => single(ty, "TYPE", private),
    }
}

/// An item of the held event's `SingleEvent`: the one trait that is asked of it, so that what is no event has
/// one error.
fn single(ty: &Type, item: &str, private: &TokenStream) -> TokenStream {
    let span = ty.span();
    let (item, private) = (syn::Ident::new(item, at(span)), located(private, span));
    quote_spanned!(at(span)=> <#ty as #private::SingleEvent>::#item)
}

/// One arm for each variant, with the held event as `event`.
fn arms(set: &Set<'_>, value: impl Fn(&Held<'_>) -> TokenStream, other: TokenStream) -> TokenStream {
    let mut arms = TokenStream::new();
    for held in &set.events {
        let (variant, value) = (held.variant, value(held));
        arms.extend(quote!(Self::#variant(event) => { let _ = event; #value }));
    }
    if let Some(Other { variant, .. }) = &set.other {
        arms.extend(quote!(Self::#variant { .. } => #other,));
    }
    arms
}

fn encode(input: &DeriveInput, set: &Set<'_>, private: &TokenStream) -> TokenStream {
    let name = input.ident.unraw().to_string();
    let mut index = 0..;
    let arms = set.events.iter().zip(&mut index).map(|(held, index): (_, usize)| {
        let (variant, encode) = (held.variant, single(held.ty, "encode_single", private));
        quote!(Self::#variant(event) => #encode(event, encoder, &shape.variants[#index], r#type),)
    });
    let other = set.other.iter().map(
        |Other { variant, .. }| quote!(Self::#variant { .. } => #private::std::result::Result::Err(#private::EncodeError::other(#name)),),
    );
    quote!(match self { #(#arms)* #(#other)* })
}

fn decode(input: &DeriveInput, set: &Set<'_>, private: &TokenStream) -> TokenStream {
    let name = input.ident.unraw().to_string();
    let result = quote!(#private::std::result::Result);
    let mut index = 0..;
    let arms = set.events.iter().zip(&mut index).map(|(Held { variant, ty, .. }, index): (_, usize)| {
        let here = located(private, ty.span());
        let held = quote_spanned!(at(ty.span())=> #here::Held::<#ty>::decode(body));
        quote!(#private::std::option::Option::Some(#index) => #result::map(#held, Self::#variant),)
    });
    let rest = match &set.other {
        None => quote!(#result::Err(#private::no_variant(#name, shape))),
        Some(Other { variant, ty: None }) => quote!(#result::Ok(Self::#variant)),
        Some(Other { variant, ty: Some(ty) }) => {
            let here = located(private, ty.span());
            let other = quote_spanned!(at(ty.span())=> <#ty as #here::OtherEvent<'__narad>>::of(body));
            quote!(#result::map(#other, Self::#variant))
        }
    };
    quote! {
        #[allow(unused_imports)]
        use #private::NoEventHeld as _;
        let shape = &<Self as #private::Event>::SHAPE;
        match #private::variant_of(body, shape) {
            #(#arms)*
            _ => #rest,
        }
    }
}
