//! Collects the mistakes of one item, so that all of them are reported at once, each on its own span.

use std::cell::RefCell;
use std::fmt::Display;

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
        let hint = match closest(word, accepted) {
            Some(near) => format!("did you mean `{near}`? "),
            None => String::new(),
        };
        self.on(tokens, format!("unknown {what}; {hint}accepted: {}", list(accepted)));
    }

    /// All mistakes as `compile_error!`s; `None` where there are none.
    pub(crate) fn into_tokens(self) -> Option<TokenStream> {
        let errors = self.0.into_inner();
        (!errors.is_empty()).then(|| errors.iter().map(syn::Error::to_compile_error).collect())
    }
}

/// The words as they stand in a sentence.
pub(crate) fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The accepted word that was probably meant.
pub(crate) fn closest<'w>(word: &str, accepted: &[&'w str]) -> Option<&'w str> {
    let lower = word.to_lowercase();
    accepted
        .iter()
        .map(|&candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, candidate)| distance <= 1.max(candidate.len().min(word.len()) / 3))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters to insert, delete, replace or swap.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let nearest = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if swapped { nearest.min(rows[i - 2][j - 2] + 1) } else { nearest }
            };
        }
    }
    rows[a.len()][b.len()]
}
