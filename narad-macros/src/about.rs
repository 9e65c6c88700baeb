//! What people read of an item: its name, its doc comment, where it stands.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::{Attribute, Meta};

use crate::attr::option;

/// The value for it, with the text of an event's key.
pub(crate) fn about(
    name: &Ident,
    attrs: &[Attribute],
    key: Option<String>,
    private: &TokenStream,
) -> TokenStream {
    let name = name.unraw().to_string();
    let key = option(private, key);
    // `#[doc = include_str!("…")]` is a text as well, known to the compiler only.
    let docs: Vec<_> = attrs
        .iter()
        .filter(|attr| attr.path().is_ident("doc"))
        .filter_map(|attr| match &attr.meta {
            Meta::NameValue(doc) => Some(&doc.value),
            _ => None,
        })
        .collect();
    let docs = if docs.is_empty() { quote!("") } else { quote!(#private::std::concat!(#(#docs, "\n"),*)) };
    quote! {
        &#private::About {
            name: #name,
            key: #key,
            docs: #docs,
            file: #private::std::file!(),
            line: #private::std::line!(),
        }
    }
}
