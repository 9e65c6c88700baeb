//! What a type is as an event: one event, or a closed set of them.

use heck::ToShoutySnakeCase;
use narad_syntax::suggest::{list, nearest};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DataEnum, DeriveInput, Expr, ExprLit, Field, Fields, Lit, LitStr, Member, Type, Variant,
};

use super::attr::{Encoding, EventArgs, Format, VariantArgs, refuse_on_fields};
use super::serde_attr::SerdeAttrs;
use crate::attr::{Text, as_literal, ungroup};
use crate::diagnostics::Diagnostics;

pub(crate) struct Model<'a> {
    pub(crate) args: &'a EventArgs,
    pub(crate) kind: Kind<'a>,
}

pub(crate) enum Kind<'a> {
    One(Box<One>),
    Set(Set<'a>),
}

/// An event of one type.
pub(crate) struct One {
    pub(crate) r#type: Text,
    pub(crate) version: Text,
    pub(crate) key: Option<Key>,
    pub(crate) fields: Known,
    /// A struct with named fields that ignores keys which it does not know.
    pub(crate) lenient: bool,
    pub(crate) format: Option<Format>,
    pub(crate) encoding: Encoding,
}

/// A closed set: each variant holds one event.
pub(crate) struct Set<'a> {
    pub(crate) events: Vec<Held<'a>>,
    pub(crate) other: Option<Other<'a>>,
    pub(crate) key: Option<Key>,
}

/// A variant of a closed set that holds an event.
pub(crate) struct Held<'a> {
    pub(crate) variant: &'a Ident,
    pub(crate) ty: &'a Type,
    /// What it overrides of the held event's type.
    pub(crate) r#type: Option<Text>,
}

impl Held<'_> {
    /// Whether the tokens say that both have one type.
    pub(crate) fn has_the_type_of(&self, other: &Self) -> bool {
        match (&self.r#type, &other.r#type) {
            (Some(Text::Literal(a)), Some(Text::Literal(b))) => a.value() == b.value(),
            (None, None) => self.ty == other.ty,
            _ => false,
        }
    }

    /// Where its type is said.
    pub(crate) fn type_span(&self) -> Span {
        self.r#type.as_ref().map_or_else(|| self.ty.span(), |text| text.span())
    }
}

/// The variant that takes all the rest.
pub(crate) struct Other<'a> {
    pub(crate) variant: &'a Ident,
    /// `Json<V>` or `Record`; `None` for a unit variant.
    pub(crate) ty: Option<&'a Type>,
}

/// Where the key comes from.
pub(crate) enum Key {
    Field(Member, Span),
    Expr(Expr),
}

impl Key {
    /// As it is written.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Field(member, _) => member.to_token_stream().to_string(),
            // Tokens are printed with blanks between them.
            Self::Expr(expr) => expr.to_token_stream().to_string().replace(" . ", ".").replace(" (", "("),
        }
    }
}

/// What is known of the fields on the wire.
pub(crate) enum Known {
    Named(Vec<String>),
    /// These, and those of types that the variants hold.
    Partly(Vec<String>),
    Open,
    Value,
}

impl<'a> Model<'a> {
    pub(crate) fn of(input: &'a DeriveInput, args: &'a EventArgs, diagnostics: &Diagnostics) -> Option<Self> {
        let is_set = matches!(input.data, Data::Enum(_)) && args.r#type.given().is_none();
        refuse_on_fields(&input.data, !is_set, diagnostics);
        let kind = match &input.data {
            Data::Enum(data) if data.variants.is_empty() => {
                diagnostics
                    .on(&input.ident, "this enum has no variants, so no event can be a value of it; add variants that hold one event each");
                return None;
            }
            Data::Enum(data) if is_set => {
                refuse_serde(&input.attrs, data, diagnostics);
                Kind::Set(set(data, args, diagnostics))
            }
            Data::Struct(data) => Kind::One(Box::new(one(input, args, Some(&data.fields), diagnostics))),
            Data::Enum(_) => Kind::One(Box::new(one(input, args, None, diagnostics))),
            Data::Union(data) => {
                diagnostics.on(data.union_token, "an event is a struct or an enum");
                return None;
            }
        };
        Some(Self { args, kind })
    }
}

fn one(input: &DeriveInput, args: &EventArgs, fields: Option<&Fields>, diagnostics: &Diagnostics) -> One {
    let container = SerdeAttrs::parse(&input.attrs);
    let known = if args.manual.given().is_some() { Known::Open } else { known(input, &container) };
    let default = |text: &str| Text::Literal(LitStr::new(text, Span::call_site()));
    let name = input.ident.unraw().to_string().to_shouty_snake_case();
    One {
        r#type: args.r#type.get().cloned().unwrap_or_else(|| default(&name)),
        version: args.version.get().cloned().unwrap_or_else(|| default("1.0")),
        key: args.key.get().and_then(|key| {
            self::key(
                key,
                fields,
                "an enum has no fields; write an expression, as in `key = self.id()`",
                diagnostics,
            )
        }),
        lenient: fields.is_some() && matches!(known, Known::Named(_)) && !container.deny_unknown_fields,
        fields: known,
        format: args.format.get().copied(),
        encoding: args.encoding.get().copied().unwrap_or_default(),
    }
}

fn key(expr: &Expr, fields: Option<&Fields>, no_fields: &str, diagnostics: &Diagnostics) -> Option<Key> {
    let (member, span) = match ungroup(expr) {
        other if is_literal(other) => {
            diagnostics.on(other, same_for_every_event(other, fields));
            return None;
        }
        Expr::Path(path) if path.path.get_ident().is_some_and(|ident| ident != "self") => {
            let ident = path.path.get_ident()?;
            (Member::Named(ident.clone()), ident.span())
        }
        Expr::Lit(ExprLit { lit: Lit::Int(index), .. }) if index.suffix().is_empty() => match index
            .base10_parse::<u32>()
        {
            Ok(number) => (Member::Unnamed(syn::Index { index: number, span: index.span() }), index.span()),
            Err(error) => {
                diagnostics.add(error);
                return None;
            }
        },
        other if !mentions_self(other.to_token_stream()) => {
            diagnostics.on(
                other,
                "this is the same key for every event, since it does not use `self`; name a field, as in \
                 `key = user_id`, or write an \
                 expression over `self`, as in `key = self.id()`",
            );
            return None;
        }
        other => return Some(Key::Expr(other.clone())),
    };
    let Some(fields) = fields else {
        diagnostics.at(span, no_fields);
        return None;
    };
    if fields.members().any(|known| same(&known, &member)) {
        return Some(Key::Field(member, span));
    }
    let names: Vec<String> = fields.members().map(|member| shown(&member)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let wanted = shown(&member);
    let hint = match (nearest(&wanted, names.iter().copied()), names.is_empty()) {
        (Some(near), _) => format!("did you mean `{near}`? fields: {}", list(&names)),
        (None, false) => format!("fields: {}", list(&names)),
        (None, true) => "the type has no fields".to_owned(),
    };
    diagnostics.at(
        span,
        format!(
            "`key` names no field `{wanted}`; {hint}; anything but a field is written \
     as an expression over `self`"
        ),
    );
    None
}

/// Any literal but the index of a field.
fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(index), .. }) => !index.suffix().is_empty(),
        Expr::Lit(_) => true,
        Expr::Unary(unary) => matches!(ungroup(&unary.expr), Expr::Lit(_)),
        _ => false,
    }
}

/// What is wrong with a literal as key, and what was probably meant: everything else in the attribute is a
/// text.
fn same_for_every_event(literal: &Expr, fields: Option<&Fields>) -> String {
    // No more than a sign and a literal.
    let written = literal.to_token_stream().to_string().replace("- ", "-");
    let meant = as_literal(literal).and_then(|text| {
        let text = text.value();
        let is_field = fields.is_some_and(|fields| fields.members().any(|member| shown(&member) == text));
        let is_expression =
            syn::parse_str::<Expr>(&text).is_ok_and(|expr| mentions_self(expr.to_token_stream()));
        (is_field || is_expression).then_some(text)
    });
    match meant {
        Some(meant) => {
            format!("{written} is the same key for every event; write it without quotes: `key = {meant}`")
        }
        None => format!(
            "{written} is the same key for every event; name a field, as in `key = user_id`, or write an \
             expression over `self`, as in \
             `key = self.id()`"
        ),
    }
}

/// Also in the text of a `format!("{self}")`.
fn mentions_self(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "self",
        TokenTree::Literal(text) => text.to_string().contains("{self"),
        TokenTree::Group(group) => mentions_self(group.stream()),
        TokenTree::Punct(_) => false,
    })
}

fn same(a: &Member, b: &Member) -> bool {
    match (a, b) {
        (Member::Named(a), Member::Named(b)) => a.unraw() == b.unraw(),
        (Member::Unnamed(a), Member::Unnamed(b)) => a.index == b.index,
        _ => false,
    }
}

fn shown(member: &Member) -> String {
    match member {
        Member::Named(name) => name.unraw().to_string(),
        Member::Unnamed(index) => index.index.to_string(),
    }
}

/// The names that the type's serde representation has on the wire.
fn known(input: &DeriveInput, container: &SerdeAttrs) -> Known {
    if container.converted {
        return Known::Open;
    }
    match &input.data {
        // Serde writes a transparent struct as its one field, as it does a newtype.
        Data::Struct(data) if matches!(data.fields, Fields::Named(_)) && !container.transparent => {
            let fields: Vec<_> =
                data.fields.iter().map(|field| (field, SerdeAttrs::parse(&field.attrs))).collect();
            if fields.iter().any(|(_, attrs)| attrs.flatten) {
                return Known::Open;
            }
            let names = fields
                .iter()
                .flat_map(|(field, attrs)| attrs.wire_names(&name(field), &container.rename_all));
            Known::Named(distinct(container.tag.iter().cloned().chain(names)))
        }
        // A tag makes an object of every variant.
        Data::Enum(_) if container.tag.is_some() && container.content.is_some() => {
            Known::Named(distinct([container.tag.clone(), container.content.clone()].into_iter().flatten()))
        }
        Data::Enum(data) if container.tag.is_some() => of_variants(
            data,
            container
                .tag
                .iter()
                .cloned()
                .chain(data.variants.iter().flat_map(|variant| variant_names(variant, container))),
        ),
        Data::Enum(data)
            if container.untagged
                && data.variants.iter().all(|variant| matches!(variant.fields, Fields::Named(_))) =>
        {
            of_variants(data, data.variants.iter().flat_map(|variant| variant_names(variant, container)))
        }
        _ => Known::Value,
    }
}

/// The fields of a variant that holds another type, or flattens one, are not known.
fn of_variants(data: &DataEnum, names: impl Iterator<Item = String>) -> Known {
    let holds = |field: &Field| field.ident.is_none() || SerdeAttrs::parse(&field.attrs).flatten;
    let names = distinct(names);
    if data.variants.iter().any(|variant| variant.fields.iter().any(holds)) {
        Known::Partly(names)
    } else {
        Known::Named(names)
    }
}

fn variant_names(variant: &Variant, container: &SerdeAttrs) -> Vec<String> {
    let mut rules = SerdeAttrs::parse(&variant.attrs).rename_all;
    rules.ser = rules.ser.or(container.rename_all_fields.ser);
    rules.de = rules.de.or(container.rename_all_fields.de);
    let named = variant.fields.iter().filter(|field| field.ident.is_some());
    named.flat_map(|field| SerdeAttrs::parse(&field.attrs).wire_names(&name(field), &rules)).collect()
}

fn name(field: &Field) -> String {
    field.ident.as_ref().map(|ident| ident.unraw().to_string()).unwrap_or_default()
}

fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut distinct = vec![];
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}

/// What serde's attributes say of a closed set would be ignored without a word.
fn refuse_serde(attrs: &[Attribute], data: &DataEnum, diagnostics: &Diagnostics) {
    let variants = data.variants.iter().flat_map(|variant| {
        [&variant.attrs].into_iter().chain(variant.fields.iter().map(|field| &field.attrs))
    });
    for (attrs, on_the_set) in
        [(attrs, true)].into_iter().chain(variants.map(|attrs| (attrs.as_slice(), false)))
    {
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
            diagnostics.on(
                attr,
                if on_the_set {
                    "serde writes the events of a closed set, not the set itself: put `#[serde(…)]` on the types of the events, and rename a variant's type by `#[event(type = \"…\")]` on the variant; an enum that is one event as a whole has a \
                      `type` of its own: `#[event(type = \"…\")]`"
                } else {
                    "serde writes the event that this variant holds, not the variant itself: put `#[serde(…)]` on the event's type, and rename it by `#[event(type = \"…\")]` on the variant"
                },
            );
        }
    }
}

fn set<'a>(data: &'a DataEnum, args: &EventArgs, diagnostics: &Diagnostics) -> Set<'a> {
    let no_fields = "a closed set has no fields: each event in it has its own key; leave `key` out, or write an expression over `self`";
    let key = args.key.get().and_then(|key| self::key(key, None, no_fields, diagnostics));
    let mut set = Set { events: vec![], other: None, key };
    for variant in &data.variants {
        let args = VariantArgs::parse(&variant.attrs, diagnostics);
        if args.other.given().is_some() {
            if let Some(span) = args.r#type.given() {
                diagnostics.at(span, "the `other` variant takes every type; leave `type` out");
            }
            if set.other.is_some() {
                diagnostics
                    .on(&variant.ident, "a closed set has at most one `other` variant; remove this one");
            } else if let Some(ty) = other_type(variant, diagnostics) {
                set.other = Some(Other { variant: &variant.ident, ty });
            }
        } else if let Some(ty) = single(variant) {
            set.events.push(Held { variant: &variant.ident, ty, r#type: args.r#type.get().cloned() });
        } else {
            diagnostics.on(
                &variant.ident,
                format!(
                    "a variant of a closed set holds one event: `{0}(SomeEvent)`; mark the variant for all other types with `#[event(other)]`, \
                     or give the enum a `type` if it is one event as a whole",
                    variant.ident
                ),
            );
        }
    }
    set
}

fn single(variant: &Variant) -> Option<&Type> {
    match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Some(&fields.unnamed[0].ty),
        _ => None,
    }
}

fn other_type<'a>(variant: &'a Variant, diagnostics: &Diagnostics) -> Option<Option<&'a Type>> {
    match &variant.fields {
        Fields::Unit => Some(None),
        _ => match single(variant) {
            Some(ty) => Some(Some(ty)),
            None => {
                diagnostics.on(
                    &variant.fields,
                    format!("the `other` variant is `{0}`, `{0}(Json<V>)` or `{0}(Record)`", variant.ident),
                );
                None
            }
        },
    }
}
