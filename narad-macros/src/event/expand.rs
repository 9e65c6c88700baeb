//! The implementations for an event of one type.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Expr, Lifetime, parse_quote};

use super::attr::EventArgs;
use super::bounds::where_clause;
use super::mirror::{self, outlives, with_lifetime};
use super::model::{Key, Known, One};
use crate::about::about;
use crate::attr::{at, located, option};

pub(crate) fn expand(input: &DeriveInput, args: &EventArgs, one: &One, private: &TokenStream) -> TokenStream {
    let serde =
        if args.manual.given().is_some() { TokenStream::new() } else { mirror::items(input, private) };
    let name = &input.ident;
    let (impl_generics, ty_generics, _) = input.generics.split_for_impl();

    // A bound on a type without type parameters would hide the error behind it.
    let generic = input.generics.type_params().next().is_some();
    let written = generic.then(|| quote!(#name #ty_generics: #private::serde::Serialize));
    let read = generic.then(|| quote!(#name #ty_generics: #private::serde::Deserialize<'__narad>));
    let event_where = where_clause(input, written.clone());
    let record: Lifetime = parse_quote!('__narad);
    let decode_generics = with_lifetime(input, &record);
    let (decode_impl_generics, _, _) = decode_generics.split_for_impl();
    let decode_where = where_clause(input, written.into_iter().chain(read).chain(outlives(input, &record)));

    let shape = shape(input, args, one, private);
    let registration = registration(input, private);
    let event_key = event_key(one.key.as_ref(), private, quote!(#private::std::option::Option::None));
    let topic = topic(input, args, &event_where, private);
    let codec = one.encoding.codec();
    let read_as = if one.lenient { quote!(object) } else { quote!(event) };
    quote! {
        #[allow(dead_code, deprecated)]
        const _: () = {
            #serde

            #[automatically_derived]
            impl #impl_generics #private::Event for #name #ty_generics #event_where {
                const SHAPE: #private::Shape = #shape;

                #event_key

                fn encode(
                    &self,
                    encoder: &mut #private::Encoder<'_>,
                    shape: &#private::Shape,
                    r#type: &str,
                ) -> #private::std::result::Result<(), #private::EncodeError> {
                    encoder.event::<#private::codecs::#codec, _>(self, shape, r#type)
                }
            }

            #[automatically_derived]
            impl #impl_generics #private::SingleEvent for #name #ty_generics #event_where {}

            #[automatically_derived]
            impl #decode_impl_generics #private::DecodeEvent<'__narad> for #name #ty_generics #decode_where {
                fn decode(body: &#private::Body<'__narad>) -> #private::std::result::Result<Self, #private::DecodeError> {
                    body.#read_as::<#private::codecs::#codec, _>(&<Self as #private::Event>::SHAPE)
                }
            }

            #topic
            #registration
        };
    }
}

fn shape(input: &DeriveInput, args: &EventArgs, one: &One, private: &TokenStream) -> TokenStream {
    let One { r#type, version, .. } = one;
    let format = match one.format {
        Some(format) if format.flat => quote!(Flat),
        _ => quote!(Envelope),
    };
    let fields = match &one.fields {
        Known::Named(names) => quote!(Named(&[#(#names),*])),
        Known::Partly(names) => quote!(Partly(&[#(#names),*])),
        Known::Open => quote!(Open),
        Known::Value => quote!(Value),
    };
    let codec = one.encoding.codec();
    let topic = option(private, args.topic.get());
    let keyed = one.key.is_some();
    let about = about(&input.ident, &input.attrs, one.key.as_ref().map(Key::text), private);
    quote! {
        #private::Shape {
            types: &[#r#type],
            version: #version,
            topic: #topic,
            variants: &[],
            other: false,
            format: #private::Format::#format,
            encoding: #private::Encoding::#codec,
            fields: #private::Fields::#fields,
            keyed: #keyed,
            about: #about,
        }
    }
}

/// The entry of the registry; of an event with type or const parameters there is none.
pub(crate) fn registration(input: &DeriveInput, private: &TokenStream) -> Option<TokenStream> {
    let generics = &input.generics;
    if generics.params.len() > generics.lifetimes().count() {
        return None;
    }
    let name = &input.ident;
    let lifetimes = generics.lifetimes().map(|_| quote!('static));
    Some(quote! {
        #private::inventory::submit! {
            #private::EventRegistration(&<#name<#(#lifetimes),*> as #private::Event>::SHAPE)
        }
    })
}

pub(crate) fn topic(
    input: &DeriveInput,
    args: &EventArgs,
    where_clause: &TokenStream,
    private: &TokenStream,
) -> Option<TokenStream> {
    args.topic.get()?;
    let name = &input.ident;
    let (impl_generics, ty_generics, _) = input.generics.split_for_impl();
    Some(quote! {
        #[automatically_derived]
        impl #impl_generics #private::TopicEvent for #name #ty_generics #where_clause {}
    })
}

/// `event_key`, with what it gives where the type names no key.
pub(crate) fn event_key(key: Option<&Key>, private: &TokenStream, otherwise: TokenStream) -> TokenStream {
    let call_site = Ident::new("self", Span::call_site());
    let (receiver, body) = match key {
        None => (call_site, otherwise),
        Some(Key::Field(member, span)) => {
            let private = located(private, *span);
            (call_site, quote_spanned!(at(*span)=> #private::EventKey::to_key(&self.#member)))
        }
        Some(Key::Expr(expr)) => {
            // Inside a `macro_rules` the user's `self` is only the receiver that has its span.
            let receiver = find_self(expr.to_token_stream()).unwrap_or(call_site);
            (receiver, key_of(expr, private))
        }
    };
    quote! {
        fn event_key(&#receiver) -> #private::std::option::Option<#private::std::borrow::Cow<'_, [u8]>> {
            #body
        }
    }
}

fn key_of(expr: &Expr, private: &TokenStream) -> TokenStream {
    let place = match expr {
        Expr::Reference(reference) => &reference.expr,
        other => other,
    };
    if matches!(place, Expr::Path(path) if path.path.is_ident("self")) {
        // The receiver is a reference already; one more would be to a local.
        let private = located(private, expr.span());
        return quote_spanned!(at(expr.span())=> #private::EventKey::to_key(#place));
    }
    if is_place(place) {
        let private = located(private, expr.span());
        return quote_spanned!(at(expr.span())=> #private::EventKey::to_key(&#place));
    }
    // The value does not outlive the call, so its bytes are taken along.
    let here = located(private, expr.span());
    let key = quote_spanned!(at(expr.span())=> #here::EventKey::to_key(&(#expr)));
    quote! {
        #private::std::option::Option::map(#key, |key| #private::std::borrow::Cow::Owned(#private::std::borrow::Cow::into_owned(key)))
    }
}

/// `self.a.b`: a place that can be borrowed.
fn is_place(expr: &Expr) -> bool {
    match expr {
        Expr::Field(field) => is_place(&field.base),
        Expr::Path(path) => path.path.is_ident("self"),
        _ => false,
    }
}

fn find_self(tokens: TokenStream) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == "self" => Some(ident),
        TokenTree::Group(group) => find_self(group.stream()),
        _ => None,
    })
}
