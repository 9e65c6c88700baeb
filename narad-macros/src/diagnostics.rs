//! Collects the mistakes of one item, so that all of them are reported at once, each on its own span.

use std::cell::RefCell;
use std::fmt::Display;

use narad_syntax::suggest;
use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Diagnostics(RefCell<Vec<syn::Error>>);

impl Diagnostics {
    /// A mistake in these tokens.
    pub(crate) fn on(&self, tokens: impl ToTokens, text: impl Display) {
        self.add(syn::Error::new_spanned(tokens, text));
    }

    /// A mistake at this place.
    pub(crate) fn at(&self, span: Span, text: impl Display) {
        self.add(syn::Error::new(span, text));
    }

    pub(crate) fn add(&self, error: syn::Error) {
        self.0.borrow_mut().push(error);
    }

    /// A word that is none of those that are accepted here; `what` names it in the sentence.
    pub(crate) fn unknown(&self, tokens: impl ToTokens, what: impl Display, word: &str, accepted: &[&str]) {
        self.on(tokens, suggest::unknown(&what.to_string(), word, accepted));
    }

    /// All mistakes as `compile_error!`s; `None` where there are none.
    pub(crate) fn into_tokens(self) -> Option<TokenStream> {
        let errors = self.0.into_inner();
        (!errors.is_empty()).then(|| errors.iter().map(syn::Error::to_compile_error).collect())
    }
}
