//! What `#[serde(…)]` says, as far as the derive has to know. Mistakes in it are serde's to report.

use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token, WherePredicate};

use crate::attr::{Arg, Value, as_literal, parse_args};
use crate::diagnostics::Diagnostics;

/// One value for writing, one for reading.
#[derive(Clone, Default)]
pub(crate) struct Both<T> {
    pub(crate) ser: T,
    pub(crate) de: T,
}

/// The attributes of a type, a variant or a field; each has only some of them.
#[derive(Default)]
pub(crate) struct SerdeAttrs {
    pub(crate) rename: Both<Option<String>>,
    pub(crate) rename_all: Both<Option<Rule>>,
    pub(crate) rename_all_fields: Both<Option<Rule>>,
    pub(crate) bound: Both<Option<Vec<WherePredicate>>>,
    /// Left out, or written by the user's own function: no bound follows from the field's type.
    pub(crate) skip: Both<bool>,
    pub(crate) with: Both<bool>,
    pub(crate) aliases: Vec<String>,
    pub(crate) flatten: bool,
    pub(crate) borrow: bool,
    /// `default` without a path
    pub(crate) default: bool,
    pub(crate) tag: Option<String>,
    pub(crate) content: Option<String>,
    pub(crate) untagged: bool,
    pub(crate) transparent: bool,
    /// `from`, `try_from` or `into`: the fields are those of another type.
    pub(crate) converted: bool,
    pub(crate) deny_unknown_fields: bool,
    pub(crate) krate: bool,
}

impl SerdeAttrs {
    pub(crate) fn parse(attrs: &[Attribute]) -> Self {
        // What cannot be read here is reported by serde, in its words.
        let silent = Diagnostics::default();
        let mut all = Self::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
            if let Meta::List(list) = &attr.meta {
                for arg in parse_args(list.tokens.clone(), &silent) {
                    all.take(&arg);
                }
            }
        }
        all
    }

    /// Whether a field with these attributes asks something else of its type than to be written and read by
    /// serde.
    pub(crate) fn changes_what_is_asked(&self) -> bool {
        self.skip.ser
            || self.skip.de
            || self.with.ser
            || self.with.de
            || self.bound.ser.is_some()
            || self.bound.de.is_some()
    }

    fn take(&mut self, arg: &Arg) {
        match arg.key().as_str() {
            "rename" => both(arg, &mut self.rename, Some),
            "rename_all" => both(arg, &mut self.rename_all, |text| Rule::of(&text)),
            "rename_all_fields" => both(arg, &mut self.rename_all_fields, |text| Rule::of(&text)),
            "bound" => both(arg, &mut self.bound, |text| predicates(&text)),
            "skip" => self.skip = Both { ser: true, de: true },
            "skip_serializing" => self.skip.ser = true,
            "skip_deserializing" => self.skip.de = true,
            "with" => self.with = Both { ser: true, de: true },
            "serialize_with" => self.with.ser = true,
            "deserialize_with" => self.with.de = true,
            "alias" => self.aliases.extend(text(arg)),
            "flatten" => self.flatten = true,
            "borrow" => self.borrow = true,
            "default" => self.default = matches!(arg.value, Value::None),
            "tag" => self.tag = text(arg),
            "content" => self.content = text(arg),
            "untagged" => self.untagged = true,
            "transparent" => self.transparent = true,
            "from" | "try_from" | "into" => self.converted = true,
            "deny_unknown_fields" => self.deny_unknown_fields = true,
            "crate" => self.krate = true,
            _ => {}
        }
    }

    /// The names on the wire of a field with these attributes.
    pub(crate) fn wire_names(&self, field: &str, rename_all: &Both<Option<Rule>>) -> Vec<String> {
        let name = |rename: &Option<String>, rule: Option<Rule>| match (rename, rule) {
            (Some(name), _) => name.clone(),
            (None, Some(rule)) => rule.apply(field),
            (None, None) => field.to_owned(),
        };
        let mut names = vec![];
        if !self.skip.ser {
            names.push(name(&self.rename.ser, rename_all.ser));
        }
        if !self.skip.de {
            names.push(name(&self.rename.de, rename_all.de));
            names.extend(self.aliases.iter().cloned());
        }
        names
    }
}

/// `name = "…"` for both ways, or `name(serialize = "…", deserialize = "…")`.
fn both<T: Clone>(arg: &Arg, target: &mut Both<Option<T>>, read: impl Fn(String) -> Option<T>) {
    match &arg.value {
        Value::Is(_) => {
            let value = text(arg).and_then(read);
            *target = Both { ser: value.clone(), de: value };
        }
        Value::List(_, tokens) => {
            for arg in parse_args(tokens.clone(), &Diagnostics::default()) {
                match arg.key().as_str() {
                    "serialize" => target.ser = text(&arg).and_then(&read),
                    "deserialize" => target.de = text(&arg).and_then(&read),
                    _ => {}
                }
            }
        }
        Value::None => {}
    }
}

fn text(arg: &Arg) -> Option<String> {
    match &arg.value {
        Value::Is(value) => as_literal(value).map(|literal| literal.value()),
        _ => None,
    }
}

fn predicates(text: &str) -> Option<Vec<WherePredicate>> {
    use syn::parse::Parser;
    let parser = Punctuated::<WherePredicate, Token![,]>::parse_terminated;
    parser.parse_str(text).ok().map(|predicates| predicates.into_iter().collect())
}

/// A `rename_all` rule, as serde applies it to fields.
#[derive(Clone, Copy)]
pub(crate) enum Rule {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl Rule {
    fn of(text: &str) -> Option<Self> {
        Some(match text {
            "lowercase" => Self::Lower,
            "UPPERCASE" => Self::Upper,
            "PascalCase" => Self::Pascal,
            "camelCase" => Self::Camel,
            "snake_case" => Self::Snake,
            "SCREAMING_SNAKE_CASE" => Self::ScreamingSnake,
            "kebab-case" => Self::Kebab,
            "SCREAMING-KEBAB-CASE" => Self::ScreamingKebab,
            _ => return None,
        })
    }

    fn apply(self, field: &str) -> String {
        match self {
            Self::Lower | Self::Snake => field.to_owned(),
            Self::Upper | Self::ScreamingSnake => field.to_ascii_uppercase(),
            Self::Kebab => field.replace('_', "-"),
            Self::ScreamingKebab => field.to_ascii_uppercase().replace('_', "-"),
            Self::Pascal => pascal(field),
            Self::Camel => {
                let pascal = pascal(field);
                match pascal.char_indices().nth(1) {
                    Some((second, _)) => pascal[..second].to_ascii_lowercase() + &pascal[second..],
                    None => pascal.to_ascii_lowercase(),
                }
            }
        }
    }
}

fn pascal(field: &str) -> String {
    let mut pascal = String::new();
    let mut capitalize = true;
    for c in field.chars() {
        if c == '_' {
            capitalize = true;
        } else if capitalize {
            pascal.push(c.to_ascii_uppercase());
            capitalize = false;
        } else {
            pascal.push(c);
        }
    }
    pascal
}
