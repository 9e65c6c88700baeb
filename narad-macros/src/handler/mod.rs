//! `#[kafka_handler]`: arguments and signature are read apart, so that the mistakes of both are reported;
//! then check → expand.

mod args;
mod check;
mod expand;
mod header;
mod options;
mod signature;

use proc_macro2::TokenStream;
use quote::quote;

use crate::attr::{parse_args, private};
use crate::diagnostics::Diagnostics;
use args::Args;
pub(crate) use options::Written;
use signature::Signature;

pub(crate) fn attribute(args: TokenStream, item: TokenStream) -> TokenStream {
    let diagnostics = Diagnostics::default();
    let args = Args::of(parse_args(args, &diagnostics), &diagnostics);
    let signature = Signature::parse(item.clone(), &diagnostics);
    check::check(&args, signature.as_ref(), &diagnostics);
    let glue = match (diagnostics.into_tokens(), &signature) {
        (Some(errors), _) => errors,
        (None, Some(signature)) => expand::expand(&args, signature, &private(&args.krate)),
        (None, None) => TokenStream::new(),
    };
    // How a handler takes its values, and that it is async, is asked by Narad; clippy's pedantic advice on
    // both cannot be followed.
    let lints = signature.map(|_| quote!(#[allow(clippy::needless_pass_by_value, clippy::unused_async)]));
    // The user's function stays as it is, also where it has mistakes: what calls it needs no follow-up
    // errors.
    lints.into_iter().chain([header::removed(item), glue]).collect()
}
