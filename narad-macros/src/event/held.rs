//! The types in the fields of an event: that each can be written and read is asked first, in the words of
//! those who write events.
//!
//! serde would say the same several times and advise its own derives. So its mirror takes for granted what is
//! asked here: where a type cannot be written or read, there is one error on that type.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    DeriveInput, GenericArgument, GenericParam, PathArguments, Type, WherePredicate, parse_quote_spanned,
};

use super::bounds::fields;
use super::serde_attr::{Both, SerdeAttrs};
use crate::attr::{at, located};

/// What is asked, and what the mirror may take for granted.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) asked: TokenStream,
    pub(crate) granted: Both<Vec<WherePredicate>>,
}

impl Held {
    pub(crate) fn of(input: &DeriveInput, container: &SerdeAttrs, private: &TokenStream) -> Self {
        let mut held = Self::default();
        if container.converted || container.bound.ser.is_some() || container.bound.de.is_some() {
            return held;
        }
        let (mut asked, mut granted): (Vec<Type>, Vec<Type>) = (vec![], vec![]);
        for (variant, field) in fields(input) {
            let own = SerdeAttrs::parse(&field.attrs);
            if [&variant, &own].into_iter().any(SerdeAttrs::changes_what_is_asked) {
                continue;
            }
            let mut parts = vec![];
            leaves(&field.ty, &mut parts);
            parts.retain(|part| is_concrete(part.to_token_stream(), input));
            if !parts.is_empty()
                && is_concrete(field.ty.to_token_stream(), input)
                && !granted.contains(&field.ty)
            {
                granted.push(field.ty.clone());
            }
            for part in parts {
                if !asked.contains(&part) {
                    asked.push(part);
                }
            }
        }
        for ty in &asked {
            let here = located(private, ty.span());
            held.asked
                .extend(quote_spanned!(at(ty.span())=> const _: () = <#ty as #here::EventField>::HELD;));
        }
        for ty in &granted {
            // A bound that no parameter stands in would be checked at once, and be an error of its own.
            held.granted
                .ser
                .push(parse_quote_spanned!(ty.span()=> for<'__narad> #ty: #private::serde::Serialize));
            held.granted.de.push(parse_quote_spanned!(ty.span()=> #ty: #private::serde::Deserialize<'de>));
        }
        held
    }
}

/// The types behind containers and tuples that are not known to be fine.
fn leaves(ty: &Type, found: &mut Vec<Type>) {
    match ty {
        Type::Group(group) => leaves(&group.elem, found),
        Type::Paren(paren) => leaves(&paren.elem, found),
        Type::Array(array) => leaves(&array.elem, found),
        Type::Slice(slice) => leaves(&slice.elem, found),
        Type::Tuple(tuple) => tuple.elems.iter().for_each(|ty| leaves(ty, found)),
        Type::Path(path) if path.qself.is_none() => {
            let Some(last) = path.path.segments.last() else { return };
            let name = last.ident.to_string();
            match (&last.arguments, held_arguments(&name)) {
                (PathArguments::None, _) if is_plain(&name) => {}
                (PathArguments::AngleBracketed(arguments), Some(count)) => {
                    let types = arguments.args.iter().filter_map(|argument| match argument {
                        GenericArgument::Type(ty) => Some(ty),
                        _ => None,
                    });
                    types.take(count).for_each(|ty| leaves(ty, found));
                }
                _ => found.push(ty.clone()),
            }
        }
        _ => {}
    }
}

fn is_plain(name: &str) -> bool {
    matches!(
        name,
        "bool"
            | "char"
            | "str"
            | "String"
            | "f32"
            | "f64"
            | "u8"
            | "u16"
            | "u32"
            | "u64"
            | "u128"
            | "usize"
            | "i8"
            | "i16"
            | "i32"
            | "i64"
            | "i128"
            | "isize"
    )
}

/// How many of a container's arguments stand in what is written.
fn held_arguments(name: &str) -> Option<usize> {
    Some(match name {
        "PhantomData" => 0,
        "Option" | "Vec" | "VecDeque" | "Box" | "HashSet" | "BTreeSet" => 1,
        "HashMap" | "BTreeMap" => 2,
        _ => return None,
    })
}

/// Whether the type means the same outside of the event: it names no parameter of it, no lifetime, and not
/// `Self`.
fn is_concrete(ty: TokenStream, input: &DeriveInput) -> bool {
    ty.into_iter().all(|token| match token {
        TokenTree::Ident(word) => {
            // serde is told what it may take for granted as text, in which `$crate` means nothing.
            word != "Self"
                && word != "_"
                && word != "$crate"
                && !input.generics.params.iter().any(|param| match param {
                    GenericParam::Type(param) => param.ident == word,
                    GenericParam::Const(param) => param.ident == word,
                    GenericParam::Lifetime(_) => false,
                })
        }
        TokenTree::Punct(punct) => punct.as_char() != '\'' && punct.as_char() != '!',
        TokenTree::Group(group) => is_concrete(group.stream(), input),
        TokenTree::Literal(_) => true,
    })
}
