//! The grammar that all attributes share: `name`, `name = value` and `name(…)`, separated by commas.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, ExprPath, Lit, LitStr, Path, Token, token};

use crate::diagnostics::Diagnostics;

/// One option as written.
pub(crate) struct Arg {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    /// `name`
    None,
    /// `name = value`
    Is(Expr),
    /// `name(…)`
    List(Span, TokenStream),
}

/// Reads the options of an attribute; what cannot be read is reported and left out, so that the others are
/// still checked.
pub(crate) fn parse_args(tokens: TokenStream, diagnostics: &Diagnostics) -> Vec<Arg> {
    let mut args = Vec::new();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            match parse_arg(input) {
                Ok(arg) => args.push(arg),
                Err(error) => {
                    diagnostics.add(error);
                    skip_to_comma(input)?;
                }
            }
            if !input.is_empty() && !input.peek(Token![,]) {
                diagnostics.at(input.span(), "expected a comma before the next option");
                skip_to_comma(input)?;
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(tokens) {
        diagnostics.add(error);
    }
    args
}

fn parse_arg(input: ParseStream<'_>) -> syn::Result<Arg> {
    if !input.peek(syn::Ident::peek_any) {
        return Err(input.error("expected an option: `name`, `name = value` or `name(…)`"));
    }
    let name = input.call(Ident::parse_any)?;
    let value = if input.peek(Token![=]) {
        let equals: Token![=] = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(equals.span(), format!("`{name} =` needs a value")));
        }
        Value::Is(input.parse()?)
    } else if input.peek(token::Paren) {
        let content;
        let paren = syn::parenthesized!(content in input);
        Value::List(paren.span.join(), content.parse()?)
    } else {
        Value::None
    };
    Ok(Arg { name, value })
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

impl Arg {
    /// The option's name without `r#`.
    pub(crate) fn key(&self) -> String {
        self.name.unraw().to_string()
    }

    /// The value of `name = value`; `usage` shows how the option is written.
    pub(crate) fn expr(&self, usage: &str, diagnostics: &Diagnostics) -> Option<&Expr> {
        match &self.value {
            Value::Is(value) => Some(ungroup(value)),
            Value::None => {
                diagnostics.on(&self.name, format!("`{}` needs a value: `{usage}`", self.name));
                None
            }
            Value::List(span, _) => {
                diagnostics.at(*span, format!("expected `=`: write `{usage}`"));
                None
            }
        }
    }

    /// Where the value of `name = value` stands.
    pub(crate) fn value_span(&self) -> Option<Span> {
        match &self.value {
            Value::Is(value) => Some(ungroup(value).span()),
            Value::None | Value::List(..) => None,
        }
    }

    /// A string literal.
    pub(crate) fn literal(&self, usage: &str, diagnostics: &Diagnostics) -> Option<LitStr> {
        let value = self.expr(usage, diagnostics)?;
        let literal = as_literal(value);
        if literal.is_none() {
            diagnostics.on(value, format!("expected a string literal: `{usage}`"));
        }
        literal
    }

    /// A string literal or the path of a `const &str`.
    pub(crate) fn text(&self, usage: &str, diagnostics: &Diagnostics) -> Option<Text> {
        Text::of(self.expr(usage, diagnostics)?, usage, diagnostics)
    }

    /// An integer literal from 1.
    pub(crate) fn count(&self, usage: &str, diagnostics: &Diagnostics) -> Option<u32> {
        let value = self.expr(usage, diagnostics)?;
        let count = match value {
            Expr::Lit(ExprLit { lit: Lit::Int(literal), .. }) => {
                literal.base10_parse::<u32>().ok().filter(|&count| count > 0)
            }
            _ => None,
        };
        if count.is_none() {
            diagnostics.on(
                value,
                format!("`{}` is an integer literal from 1 to {}: `{usage}`", self.name, u32::MAX),
            );
        }
        count
    }

    /// A word in quotes, out of a few.
    pub(crate) fn choice<T: Copy>(
        &self,
        choices: &[(&str, T)],
        usage: &str,
        diagnostics: &Diagnostics,
    ) -> Option<T> {
        let literal = self.literal(usage, diagnostics)?;
        let word = literal.value();
        let found = choices.iter().find(|(name, _)| *name == word);
        if found.is_none() {
            let names: Vec<_> = choices.iter().map(|&(name, _)| name).collect();
            diagnostics.unknown(&literal, format!("`{}`: {word:?}", self.name), &word, &names);
        }
        found.map(|&(_, value)| value)
    }

    /// An option without a value.
    pub(crate) fn flag(&self, diagnostics: &Diagnostics) -> Option<()> {
        match &self.value {
            Value::None => return Some(()),
            Value::Is(value) => {
                diagnostics.on(value, format!("`{}` takes no value: write `{0}` alone", self.name))
            }
            Value::List(span, _) => {
                diagnostics.at(*span, format!("`{}` takes no arguments: write `{0}` alone", self.name))
            }
        }
        None
    }

    /// The options of `name(…)`.
    pub(crate) fn list(&self, usage: &str, diagnostics: &Diagnostics) -> Option<Vec<Arg>> {
        match &self.value {
            Value::List(_, tokens) => return Some(parse_args(tokens.clone(), diagnostics)),
            Value::None => diagnostics.on(&self.name, format!("`{}` needs arguments: `{usage}`", self.name)),
            Value::Is(value) => diagnostics.on(value, format!("expected parentheses: write `{usage}`")),
        }
        None
    }

    /// `crate = "path"`.
    pub(crate) fn path(&self, diagnostics: &Diagnostics) -> Option<Path> {
        let literal = self.literal("crate = \"my_narad\"", diagnostics)?;
        let path = literal.parse_with(Path::parse_mod_style).ok();
        if path.is_none() {
            diagnostics.on(&literal, "expected the path of narad: `crate = \"my_narad\"`");
        }
        path
    }
}

/// Takes off the None-delimited groups that `macro_rules` puts around its fragments.
pub(crate) fn ungroup(mut expr: &Expr) -> &Expr {
    while let Expr::Group(group) = expr {
        expr = &group.expr;
    }
    expr
}

pub(crate) fn as_literal(expr: &Expr) -> Option<LitStr> {
    match ungroup(expr) {
        Expr::Lit(ExprLit { lit: Lit::Str(literal), .. }) => Some(literal.clone()),
        _ => None,
    }
}

/// A text in an attribute: a string literal or the path of a `const &str`.
#[derive(Clone)]
pub(crate) enum Text {
    Literal(LitStr),
    Path(ExprPath),
}

impl Text {
    pub(crate) fn of(expr: &Expr, usage: &str, diagnostics: &Diagnostics) -> Option<Self> {
        match ungroup(expr) {
            Expr::Lit(ExprLit { lit: Lit::Str(literal), .. }) => Some(Self::Literal(literal.clone())),
            Expr::Path(path) => Some(Self::Path(path.clone())),
            other => {
                diagnostics
                    .on(other, format!("expected a string literal or the path of a `const &str`: `{usage}`"));
                None
            }
        }
    }

    /// The text itself, where the macro can see it.
    pub(crate) fn as_literal(&self) -> Option<&LitStr> {
        match self {
            Self::Literal(literal) => Some(literal),
            Self::Path(_) => None,
        }
    }
}

impl ToTokens for Text {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Literal(literal) => literal.to_tokens(tokens),
            Self::Path(path) => path.to_tokens(tokens),
        }
    }
}

/// An option that may be given once. A value that is wrong counts as given, so that no follow-up error asks
/// for it.
pub(crate) struct Slot<T> {
    given: Option<Span>,
    value: Option<T>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { given: None, value: None }
    }
}

impl<T> Slot<T> {
    pub(crate) fn set(&mut self, arg: &Arg, value: Option<T>, diagnostics: &Diagnostics) {
        if self.given.is_some() {
            diagnostics.on(&arg.name, format!("`{}` is given twice; keep one", arg.name));
            return;
        }
        self.given = Some(arg.name.span());
        self.value = value;
    }

    /// Where it was given.
    pub(crate) fn given(&self) -> Option<Span> {
        self.given
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }
}

/// Points an error in generated code at the user's tokens, while its names are those of the generated code,
/// also inside a `macro_rules`.
pub(crate) fn at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// The same tokens, so that an error in them points there.
pub(crate) fn located(tokens: &TokenStream, span: Span) -> TokenStream {
    let each = tokens.clone().into_iter().map(|mut token| {
        if let TokenTree::Group(group) = &token {
            token = TokenTree::Group(Group::new(group.delimiter(), located(&group.stream(), span)));
        }
        token.set_span(token.span().located_at(span));
        token
    });
    each.collect()
}

/// The path of `narad::__private`, by `crate = "…"` or the default.
pub(crate) fn private(krate: &Slot<Path>) -> TokenStream {
    match krate.get() {
        Some(path) => quote!(#path::__private),
        None => quote!(::narad::__private),
    }
}

/// `Some(value)` or `None`, whatever these names mean where the code is put.
pub(crate) fn option(private: &TokenStream, value: Option<impl ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote!(#private::std::option::Option::Some(#value)),
        None => quote!(#private::std::option::Option::None),
    }
}
