//! `#[header("…")]` on a parameter: which header it is taken from. The compiler knows no such attribute, so
//! it is read here and left out of the function.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::{Attribute, LitStr};

use crate::diagnostics::Diagnostics;

const NAME: &str = "header";
const USAGE: &str = "#[header(\"tenant\")]";

/// The name of the header in the attributes of a parameter.
pub(super) fn of(attrs: &[Attribute], diagnostics: &Diagnostics) -> Option<LitStr> {
    let mut headers = attrs.iter().filter(|attr| attr.path().is_ident(NAME));
    let first = headers.next()?;
    for further in headers {
        diagnostics.on(further, "a parameter is taken from one header; keep one of its `#[header(…)]`");
    }
    let Ok(name) = first.parse_args::<LitStr>() else {
        diagnostics.on(first, format!("expected the name of a header, as a text: `{USAGE}`"));
        return None;
    };
    if name.value().is_empty() {
        diagnostics.on(&name, format!("a header's name cannot be empty: `{USAGE}`"));
        return None;
    }
    if name.value().contains(char::is_control) {
        diagnostics.on(&name, "a header's name has no control characters");
        return None;
    }
    Some(name)
}

/// The function without these attributes; all else of it stays as it is.
pub(crate) fn removed(item: TokenStream) -> TokenStream {
    let mut is_function = false;
    // Of generic parameters, which stand before the function's own.
    let mut depth = 0_usize;
    let mut before = ' ';
    let mut is_done = false;
    let each = item.into_iter().map(|token| {
        match &token {
            TokenTree::Ident(word) if word == "fn" => is_function = true,
            TokenTree::Punct(punct) => {
                match punct.as_char() {
                    '<' => depth += 1,
                    // In `Fn() -> T` it is an arrow.
                    '>' if before != '-' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                before = punct.as_char();
                return token;
            }
            TokenTree::Group(group)
                if is_function && !is_done && depth == 0 && group.delimiter() == Delimiter::Parenthesis =>
            {
                is_done = true;
                return without(group).unwrap_or(token);
            }
            _ => {}
        }
        before = ' ';
        token
    });
    each.collect()
}

/// The parameters without the attributes; `None` where there are none. A group that is made anew is another
/// one to the compiler, which would say twice what is wrong inside of it.
fn without(params: &Group) -> Option<TokenTree> {
    let mut kept: Vec<TokenTree> = Vec::new();
    let mut found = false;
    for token in params.stream() {
        let is_attribute = matches!(&token, TokenTree::Group(group) if is_header(group))
            && matches!(kept.last(), Some(TokenTree::Punct(punct)) if punct.as_char() == '#');
        found |= is_attribute;
        if is_attribute {
            kept.pop();
        } else {
            kept.push(token);
        }
    }
    let mut group = Group::new(params.delimiter(), kept.into_iter().collect());
    group.set_span(params.span());
    found.then(|| group.into())
}

/// `[header(…)]`, also where it comes from a `macro_rules` fragment.
fn is_header(brackets: &Group) -> bool {
    brackets.delimiter() == Delimiter::Bracket && begins_with_name(brackets.stream())
}

fn begins_with_name(stream: TokenStream) -> bool {
    match stream.into_iter().next() {
        Some(TokenTree::Ident(word)) => word == NAME,
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::None => {
            begins_with_name(group.stream())
        }
        _ => false,
    }
}
