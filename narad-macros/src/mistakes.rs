//! What the macros leave of an item that has a mistake. The function of a handler stays as it is, so that
//! editors complete inside of it and its callers compile. A type keeps the traits that its derive promises,
//! so that only the mistake is reported. Nothing is registered.
//!
//! The items are those of the cases that must not compile.

use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::DeriveInput;

/// An attribute, what its parentheses hold, and the item below it.
struct Annotated {
    name: String,
    args: TokenStream,
    item: TokenStream,
}

/// What the cases of a folder annotate with one of these attributes.
fn annotated(folder: &str, name: &str) -> Vec<Annotated> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/ui").join(folder).join("fail");
    // A package has no cases beside it.
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let mut all = Vec::new();
    for file in files.map(|file| file.unwrap().path()).filter(|file| file.extension().unwrap() == "rs") {
        collect(fs::read_to_string(file).unwrap().parse().unwrap(), name, &mut all);
    }
    assert!(all.len() > 10, "{} items with `{name}`", all.len());
    all
}

fn begins_with(group: &Group, name: &str) -> bool {
    let first = group.stream().into_iter().next();
    group.delimiter() == Delimiter::Bracket && first.is_some_and(|first| first.to_string() == name)
}

fn collect(tokens: TokenStream, name: &str, all: &mut Vec<Annotated>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    for (place, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        if begins_with(group, name) {
            let args = match group.stream().into_iter().nth(1) {
                Some(TokenTree::Group(args)) => args.stream(),
                _ => TokenStream::new(),
            };
            all.push(Annotated { name: name.to_owned(), args, item: item(&tokens[place + 1..]) });
        } else {
            collect(group.stream(), name, all);
        }
    }
}

/// Up to a body or a semicolon.
fn item(tokens: &[TokenTree]) -> TokenStream {
    let is_end = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        other => other.to_string() == ";",
    };
    let end = tokens.iter().position(is_end).expect("an item ends");
    tokens[..=end].iter().cloned().collect()
}

/// Without `#[header(…)]`, which the compiler does not know and which the macro takes away.
fn without_headers(tokens: TokenStream) -> TokenStream {
    let mut kept: Vec<TokenTree> = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) if begins_with(&group, "header") => drop(kept.pop()),
            TokenTree::Group(group) => {
                kept.push(Group::new(group.delimiter(), without_headers(group.stream())).into());
            }
            other => kept.push(other),
        }
    }
    kept.into_iter().collect()
}

/// Whether it is reported; if so, nothing of the item is registered.
fn is_mistake(expanded: &str) -> bool {
    let reported = expanded.contains("compile_error");
    assert!(!reported || !expanded.contains("inventory"), "registered in spite of a mistake:\n{expanded}");
    reported
}

#[test]
fn a_handler_with_a_mistake_keeps_its_function() {
    let mut mistakes = 0;
    for Annotated { args, item, .. } in annotated("handler", "kafka_handler") {
        let function = without_headers(item.clone()).to_string();
        let expanded = crate::handler::attribute(args, item).to_string();
        assert!(expanded.contains(&function), "{function}\nis not in\n{expanded}");
        mistakes += usize::from(is_mistake(&expanded));
    }
    assert!(mistakes > 20 || mistakes == 0, "{mistakes} handlers with a mistake");
}

#[test]
fn a_type_with_a_mistake_keeps_the_traits_of_its_derive() {
    let mut mistakes = 0;
    for Annotated { name, args, item } in
        ["event", "failure", "handler"].iter().flat_map(|folder| annotated(folder, "derive"))
    {
        assert_eq!(name, "derive");
        let derives: Vec<_> = args.into_iter().map(|token| token.to_string()).collect();
        let input: DeriveInput = syn::parse2(item.clone()).expect("rustc asks for an item");
        let (of, generics) = (&input.ident, &input.generics);
        type Derive = fn(TokenStream) -> TokenStream;
        let all: [(&str, Derive, &str); 3] = [
            ("Event", crate::event::derive, ":: Event for"),
            ("EventData", crate::event::derive_data, ":: Serialize for"),
            ("Failure", crate::failure::derive, ":: Failing for"),
        ];
        for (name, derive, promised) in all.iter().filter(|(name, ..)| derives.iter().any(|one| one == name))
        {
            let expanded = derive(item.clone()).to_string();
            // The fate of an error with parameters cannot be registered, and so it has none.
            let kept = expanded.contains(&format!("{promised} {of}"))
                || *name == "Failure" && !generics.params.is_empty();
            assert!(kept, "no `{promised} {of}` in\n{expanded}");
            mistakes += usize::from(is_mistake(&expanded));
        }
    }
    assert!(mistakes > 20 || mistakes == 0, "{mistakes} types with a mistake");
}
