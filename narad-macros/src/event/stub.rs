//! What a derive leaves where the type has mistakes: implementations that keep follow-up errors away.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, parse_quote};

use super::attr::EventArgs;
use super::bounds::where_clause;
use super::mirror::with_lifetime;

pub(crate) fn event(input: &DeriveInput, args: &EventArgs, private: &TokenStream) -> TokenStream {
    let serde = args.manual.given().is_none().then(|| data(input, private));
    let name = &input.ident;
    let (impl_generics, ty_generics, own_where) = input.generics.split_for_impl();
    let decode_generics = with_lifetime(input, &parse_quote!('__narad_stub));
    let (decode_impl_generics, _, _) = decode_generics.split_for_impl();
    quote! {
        #serde

        #[automatically_derived]
        impl #impl_generics #private::Event for #name #ty_generics #own_where {
            const SHAPE: #private::Shape = #private::Shape {
                types: &[""],
                version: "",
                topic: #private::std::option::Option::None,
                variants: &[],
                other: true,
                format: #private::Format::Envelope,
                encoding: #private::Encoding::Json,
                fields: #private::Fields::Open,
                keyed: true,
                about: &#private::About { name: "", key: #private::std::option::Option::None, docs: "", file: "", line: 0 },
            };

            fn event_key(&self) -> #private::std::option::Option<#private::std::borrow::Cow<'_, [u8]>> {
                #private::std::unreachable!()
            }

            fn encode(
                &self,
                _: &mut #private::Encoder<'_>,
                _: &#private::Shape,
                _: &str,
            ) -> #private::std::result::Result<(), #private::EncodeError> {
                #private::std::unreachable!()
            }
        }

        #[automatically_derived]
        impl #impl_generics #private::SingleEvent for #name #ty_generics #own_where {}

        #[automatically_derived]
        impl #impl_generics #private::TopicEvent for #name #ty_generics #own_where {}

        #[automatically_derived]
        impl #decode_impl_generics #private::DecodeEvent<'__narad_stub> for #name #ty_generics #own_where {
            fn decode(_: &#private::Body<'__narad_stub>) -> #private::std::result::Result<Self, #private::DecodeError> {
                #private::std::unreachable!()
            }
        }
    }
}

pub(crate) fn data(input: &DeriveInput, private: &TokenStream) -> TokenStream {
    let name = &input.ident;
    let (impl_generics, ty_generics, _) = input.generics.split_for_impl();
    let own_where = where_clause(input, None::<TokenStream>);
    let de_generics = with_lifetime(input, &parse_quote!('__narad_stub));
    let (de_impl_generics, _, _) = de_generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #private::serde::Serialize for #name #ty_generics #own_where {
            fn serialize<__S: #private::serde::Serializer>(&self, _: __S) -> #private::std::result::Result<__S::Ok, __S::Error> {
                #private::std::unreachable!()
            }
        }

        #[automatically_derived]
        impl #de_impl_generics #private::serde::Deserialize<'__narad_stub> for #name #ty_generics #own_where {
            fn deserialize<__D: #private::serde::Deserializer<'__narad_stub>>(_: __D) -> #private::std::result::Result<Self, __D::Error> {
                #private::std::unreachable!()
            }
        }
    }
}
