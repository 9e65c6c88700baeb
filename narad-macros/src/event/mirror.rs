//! serde's `Serialize` and `Deserialize`, without serde among the user's dependencies.
//!
//! A private mirror of the type carries serde's own derives with `#[serde(remote)]`, and the type's
//! implementations call it.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;
use syn::{
    Attribute, Data, DeriveInput, ExprPath, Field, Fields, GenericParam, Lifetime, LifetimeParam, LitStr,
    Meta, PathArguments, Type, WherePredicate, parse_quote,
};

use super::bounds::{bounds, where_clause};
use super::held::Held;
use super::serde_attr::SerdeAttrs;

pub(crate) fn expand(input: &DeriveInput, private: &TokenStream) -> TokenStream {
    let items = items(input, private);
    quote! {
        #[allow(dead_code, deprecated)]
        const _: () = { #items };
    }
}

/// The mirror and the implementations, to stand in a block where nothing else names them.
pub(crate) fn items(input: &DeriveInput, private: &TokenStream) -> TokenStream {
    let container = SerdeAttrs::parse(&input.attrs);
    let bounds = bounds(input, &container, private);
    // The name stands in serde's errors about the type.
    let mirror_name = format_ident!("{}NaradSerde", input.ident.unraw(), span = input.ident.span());
    let held = Held::of(input, &container, private);
    let with = |bounds: &[WherePredicate], granted: &[WherePredicate]| {
        bounds.iter().chain(granted).cloned().collect::<Vec<_>>()
    };
    let (ser, de) = (with(&bounds.ser, &held.granted.ser), with(&bounds.de, &held.granted.de));
    let mirror = mirror(input, &container, &mirror_name, &ser, &de, private);
    let asked = held.asked;

    let name = &input.ident;
    let (impl_generics, ty_generics, _) = input.generics.split_for_impl();
    let turbofish = ty_generics.as_turbofish();
    let ser_where = where_clause(input, &bounds.ser);

    let de: Lifetime = parse_quote!('de);
    let de_generics = with_lifetime(input, &de);
    let (de_impl_generics, _, _) = de_generics.split_for_impl();
    let de_where =
        where_clause(input, bounds.de.iter().map(ToTokens::to_token_stream).chain(outlives(input, &de)));

    // Where serde refuses an attribute the mirror has nothing to call, and serde's own error is enough. The
    // trait is in scope for the call alone: what the user's attributes name, as in `with = "…"`, must not
    // find it.
    let fallback = quote!(use #private::Unwritable as _;);
    quote! {
        #asked

        #mirror

        #[automatically_derived]
        impl #impl_generics #private::serde::Serialize for #name #ty_generics #ser_where {
            fn serialize<__S: #private::serde::Serializer>(
                &self,
                serializer: __S,
            ) -> #private::std::result::Result<__S::Ok, __S::Error> {
                #fallback
                #mirror_name #turbofish::serialize(self, serializer)
            }
        }

        #[automatically_derived]
        impl #de_impl_generics #private::serde::Deserialize<'de> for #name #ty_generics #de_where {
            fn deserialize<__D: #private::serde::Deserializer<'de>>(
                deserializer: __D,
            ) -> #private::std::result::Result<Self, __D::Error> {
                #fallback
                #mirror_name #turbofish::deserialize(deserializer)
            }
        }
    }
}

fn mirror(
    input: &DeriveInput,
    container: &SerdeAttrs,
    name: &syn::Ident,
    ser: &[WherePredicate],
    de: &[WherePredicate],
    private: &TokenStream,
) -> DeriveInput {
    let mut mirror = input.clone();
    mirror.ident = name.clone();
    mirror.vis = syn::Visibility::Inherited;
    mirror.attrs = kept(&mirror.attrs);
    let remote = input.ident.to_string();
    mirror.attrs.push(parse_quote!(#[serde(remote = #remote)]));
    if !container.krate {
        let krate = quote!(#private::serde).to_string().replace(' ', "");
        mirror.attrs.push(parse_quote!(#[serde(crate = #krate)]));
    }
    // Serde writes the type's own name beside a struct's fields where the type has a tag, and says it in
    // errors.
    let own = input.ident.unraw().to_string();
    if container.rename.ser.is_none() {
        mirror.attrs.push(parse_quote!(#[serde(rename(serialize = #own))]));
    }
    if container.rename.de.is_none() {
        mirror.attrs.push(parse_quote!(#[serde(rename(deserialize = #own))]));
    }
    // Also where there are none: serde would ask for bounds on the mirror itself.
    if container.bound.ser.is_none() {
        let ser = text(ser);
        mirror.attrs.push(parse_quote!(#[serde(bound(serialize = #ser))]));
    }
    if container.bound.de.is_none() {
        let de = text(de);
        mirror.attrs.push(parse_quote!(#[serde(bound(deserialize = #de))]));
    }
    // Helper attributes stand below the derive that they belong to.
    mirror.attrs.insert(0, parse_quote!(#[derive(#private::serde::Serialize, #private::serde::Deserialize)]));

    let (_, ty_generics, _) = input.generics.split_for_impl();
    let real = &input.ident;
    let mut own_type = OwnType(parse_quote!(#real #ty_generics));
    let lifetimes: Vec<_> = input.generics.lifetimes().map(|param| param.lifetime.clone()).collect();
    for fields in fields_mut(&mut mirror.data) {
        for field in fields.iter_mut() {
            field.attrs = kept(&field.attrs);
            field.vis = syn::Visibility::Inherited;
            own_type.visit_type_mut(&mut field.ty);
            borrow(field, &lifetimes);
        }
    }
    own_type.visit_generics_mut(&mut mirror.generics);
    for param in &mut mirror.generics.params {
        match param {
            GenericParam::Type(param) => param.attrs.clear(),
            GenericParam::Lifetime(param) => param.attrs.clear(),
            GenericParam::Const(param) => param.attrs.clear(),
        }
    }
    mirror
}

/// What of a user's attributes stands on the mirror, too: serde's, and the lints that are allowed. The mirror
/// repeats what the user wrote, and so would a lint. `#[expect]` is met on the type itself. And that its
/// fields are packed, so that serde copies them.
fn kept(attrs: &[Attribute]) -> Vec<Attribute> {
    let keep = |attr: &Attribute| {
        let mut attr = attr.clone();
        match &mut attr.meta {
            Meta::List(list) if list.path.is_ident("expect") => list.path = parse_quote!(allow),
            Meta::List(list) if list.path.is_ident("repr") => {
                if !list
                    .tokens
                    .clone()
                    .into_iter()
                    .any(|token| matches!(token, TokenTree::Ident(word) if word == "packed"))
                {
                    return None;
                }
                // Whatever else it says, as `C`, is nothing to serde.
                list.tokens = quote!(packed);
            }
            meta if meta.path().is_ident("serde") || meta.path().is_ident("allow") => {}
            _ => return None,
        }
        Some(attr)
    };
    attrs.iter().filter_map(keep).collect()
}

fn text(predicates: &[WherePredicate]) -> LitStr {
    let predicates: Punctuated<_, syn::Token![,]> = predicates.iter().collect();
    LitStr::new(&predicates.to_token_stream().to_string(), Span::call_site())
}

fn fields_mut(data: &mut Data) -> Vec<&mut Fields> {
    match data {
        Data::Struct(data) => vec![&mut data.fields],
        Data::Enum(data) => data
            .variants
            .iter_mut()
            .map(|variant| {
                variant.attrs = kept(&variant.attrs);
                variant.discriminant = None;
                &mut variant.fields
            })
            .collect(),
        Data::Union(_) => vec![],
    }
}

/// Lets a field borrow from the record: by itself serde does so only for `&str` and `&[u8]`, and fills a
/// `Cow` with a copy.
fn borrow(field: &mut Field, lifetimes: &[Lifetime]) {
    let attrs = SerdeAttrs::parse(&field.attrs);
    if attrs.borrow || attrs.skip.de || attrs.with.de || is_phantom(&field.ty) {
        return;
    }
    let mut mentions = Mentions { lifetimes, found: false };
    mentions.visit_type_mut(&mut field.ty.clone());
    if mentions.found {
        field.attrs.push(parse_quote!(#[serde(borrow)]));
    }
}

fn is_phantom(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "PhantomData" && !matches!(last.arguments, PathArguments::None)))
}

struct Mentions<'a> {
    lifetimes: &'a [Lifetime],
    found: bool,
}

impl VisitMut for Mentions<'_> {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        self.found |= self.lifetimes.contains(lifetime);
    }
}

/// In the mirror, `Self` would be the mirror.
struct OwnType(Type);

impl VisitMut for OwnType {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        match ty {
            Type::Path(path) if path.qself.is_none() && path.path.is_ident("Self") => *ty = self.0.clone(),
            _ => syn::visit_mut::visit_type_mut(self, ty),
        }
    }

    // `[u8; Self::LEN]`
    fn visit_expr_path_mut(&mut self, expr: &mut ExprPath) {
        if expr.qself.is_none() && expr.path.segments.len() > 1 && expr.path.segments[0].ident == "Self" {
            let (own, rest) = (&self.0, expr.path.segments.iter().skip(1));
            *expr = parse_quote!(<#own>::#(#rest)::*);
        }
        syn::visit_mut::visit_expr_path_mut(self, expr);
    }
}

/// The type's generics with a lifetime in front, that of the record.
pub(crate) fn with_lifetime(input: &DeriveInput, lifetime: &Lifetime) -> syn::Generics {
    let mut generics = input.generics.clone();
    generics.params.insert(0, GenericParam::Lifetime(LifetimeParam::new(lifetime.clone())));
    generics
}

/// The record outlives what borrows from it.
pub(crate) fn outlives(input: &DeriveInput, record: &Lifetime) -> Vec<TokenStream> {
    input
        .generics
        .lifetimes()
        .map(|param| {
            let lifetime = &param.lifetime;
            quote!(#record: #lifetime)
        })
        .collect()
}
