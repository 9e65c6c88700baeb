//! The signature of a handler, read without its body.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{
    Attribute, FnArg, GenericParam, Lifetime, LitStr, PathArguments, ReturnType, Safety, Type, Visibility,
};

use super::header;
use crate::diagnostics::Diagnostics;
use crate::lifetimes::renamed;

pub(crate) struct Signature {
    /// `#[cfg]` of the function, which its registration shares.
    pub(crate) cfgs: Vec<Attribute>,
    /// Its doc comment.
    pub(super) docs: Vec<Attribute>,
    pub(crate) name: Ident,
    pub(crate) is_async: bool,
    pub(crate) params: Vec<Param>,
    /// Where an error about the return value belongs.
    pub(crate) output: Span,
    /// What it returns, with `'static` for the lifetimes of the handler; `None` for `()`, and for a type that
    /// cannot be named.
    pub(crate) returned: Option<Type>,
    /// It is written as `Result<T, E>`.
    pub(crate) returns_result: bool,
}

/// The type of a parameter as the adapter writes it.
pub(crate) struct Param {
    /// With `'_` for the lifetimes of the handler.
    pub(crate) elided: Type,
    /// With `'static` for them: a constant cannot name a lifetime parameter.
    pub(crate) fixed: Type,
    pub(crate) span: Span,
    /// The header that it is taken from.
    pub(crate) header: Option<LitStr>,
}

impl Signature {
    pub(crate) fn parse(item: TokenStream, diagnostics: &Diagnostics) -> Option<Self> {
        let start = item.clone().into_iter().next();
        let is_function =
            item.clone().into_iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "fn"));
        let parser = |input: ParseStream<'_>| {
            let attrs = input.call(Attribute::parse_outer)?;
            input.parse::<Visibility>()?;
            let signature = input.parse::<syn::Signature>()?;
            while !input.is_empty() {
                input.parse::<TokenTree>()?;
            }
            Ok((attrs, signature))
        };
        match parser.parse2(item) {
            Ok((attrs, signature)) => Some(Self::of(attrs, signature, diagnostics)),
            // A function that is half written.
            Err(error) if is_function => {
                diagnostics.add(error);
                None
            }
            Err(_) => {
                diagnostics.on(
                    start,
                    "`#[kafka_handler]` goes on a function: `async fn handler(event: \
                 SomeEvent)`, or a plain `fn`",
                );
                None
            }
        }
    }

    fn of(attrs: Vec<Attribute>, signature: syn::Signature, diagnostics: &Diagnostics) -> Self {
        for param in &signature.generics.params {
            let (kind, name) = match param {
                GenericParam::Lifetime(_) => continue,
                GenericParam::Type(param) => ("type", &param.ident),
                GenericParam::Const(param) => ("const", &param.ident),
            };
            diagnostics.on(
                param,
                format!(
                    "a handler cannot have {kind} parameters, because Narad would not know what `{name}` is; write a handler for each event (each may call one generic function)"
                ),
            );
        }
        if let Safety::Unsafe(token) = &signature.safety {
            diagnostics
                .on(token, "a handler is called by Narad and cannot be `unsafe`; put the `unsafe` inside");
        }
        if let Some(own) = find_self_type(signature.inputs.to_token_stream())
            .or_else(|| find_self_type(signature.output.to_token_stream()))
        {
            diagnostics.on(
                own,
                "a handler is a free function; move it out of the `impl` or trait, and name the type instead of `Self`",
            );
        }
        if let Some(variadic) = &signature.variadic {
            diagnostics.on(variadic, "a handler has no variadic parameters");
        }
        let lifetimes: Vec<_> = signature.generics.lifetimes().map(|param| param.lifetime.clone()).collect();
        let params =
            signature.inputs.iter().filter_map(|input| param(input, &lifetimes, diagnostics)).collect();
        let returned = match &signature.output {
            ReturnType::Type(_, ty) if !has_impl_trait(ty) => Some(renamed(ty, &lifetimes, "'static")),
            _ => None,
        };
        let output = match &signature.output {
            ReturnType::Default => signature.ident.span(),
            ReturnType::Type(_, ty) => ty.span(),
        };
        Self {
            cfgs: attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect(),
            docs: attrs.into_iter().filter(|attr| attr.path().is_ident("doc")).collect(),
            name: signature.ident,
            is_async: signature.asyncness.is_some(),
            params,
            output,
            returned,
            returns_result: matches!(&signature.output, ReturnType::Type(_, ty) if is_result(ty)),
        }
    }
}

/// `Self` names a type only inside of an `impl` or a trait, which the attribute does not see.
fn find_self_type(tokens: TokenStream) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(word) if word == "Self" => Some(word),
        TokenTree::Group(group) => find_self_type(group.stream()),
        _ => None,
    })
}

/// `Result<T, E>`, by whatever path.
fn is_result(ty: &Type) -> bool {
    let mut ty = ty;
    while let Type::Group(group) = ty {
        ty = &group.elem;
    }
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| {
        last.ident == "Result" && matches!(&last.arguments, PathArguments::AngleBracketed(arguments) if arguments.args.len() == 2)
    }))
}

fn param(input: &FnArg, lifetimes: &[Lifetime], diagnostics: &Diagnostics) -> Option<Param> {
    let typed = match input {
        FnArg::Receiver(receiver) => {
            diagnostics.at(
                receiver.self_token.span,
                "a handler is a free function and has no `self`; take what it needs as `State<S>`, and give that to `Narad::builder().state(…)`",
            );
            return None;
        }
        FnArg::Typed(typed) => typed,
    };
    if let Some(cfg) =
        typed.attrs.iter().find(|attr| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr"))
    {
        diagnostics.on(
            cfg,
            "a handler's parameter cannot depend on `cfg`; write two handlers with `#[cfg(…)]` on each",
        );
    }
    let header = header::of(&typed.attrs, diagnostics);
    if has_impl_trait(&typed.ty) {
        diagnostics.on(
            &typed.ty,
            "a handler cannot be generic, because Narad would not know this type; write a handler for each event (each may call one generic function)",
        );
        return None;
    }
    let with = |name| renamed(&typed.ty, lifetimes, name);
    Some(Param { elided: with("'_"), fixed: with("'static"), span: typed.ty.span(), header })
}

fn has_impl_trait(ty: &Type) -> bool {
    struct Finder(bool);
    impl VisitMut for Finder {
        fn visit_type_impl_trait_mut(&mut self, _: &mut syn::TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut finder = Finder(false);
    finder.visit_type_mut(&mut ty.clone());
    finder.0
}
