//! `#[derive(Event)]` and `#[derive(EventData)]`: parse → model → check → expand.

mod attr;
mod bounds;
mod check;
mod closed_set;
mod expand;
mod held;
mod mirror;
mod model;
mod serde_attr;
mod stub;

use proc_macro2::TokenStream;
use syn::DeriveInput;

use crate::attr::private;
use crate::diagnostics::Diagnostics;
use attr::{DataArgs, EventArgs};
use model::{Kind, Model};

pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let diagnostics = Diagnostics::default();
    let args = EventArgs::parse(&input.attrs, &diagnostics);
    let private = private(&args.krate);
    let model = Model::of(&input, &args, &diagnostics);
    if let Some(model) = &model {
        check::check(model, &diagnostics);
    }
    check::check_lifetimes(&input, args.manual.given().is_some(), &diagnostics);
    let errors = diagnostics.into_tokens();
    let tokens = match (&model, &errors) {
        (Some(Model { kind: Kind::One(one), .. }), None) => expand::expand(&input, &args, one, &private),
        (Some(Model { kind: Kind::Set(set), .. }), None) => closed_set::expand(&input, &args, set, &private),
        _ => stub::event(&input, &args, &private),
    };
    errors.into_iter().chain([tokens]).collect()
}

pub(crate) fn derive_data(item: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let diagnostics = Diagnostics::default();
    let args = DataArgs::parse(&input, &diagnostics);
    check::check_lifetimes(&input, false, &diagnostics);
    let private = private(&args.krate);
    match diagnostics.into_tokens() {
        None => mirror::expand(&input, &private),
        Some(errors) => [errors, stub::data(&input, &private)].into_iter().collect(),
    }
}
