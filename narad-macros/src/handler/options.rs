//! The options of the list that an attribute has: read by their grammar, with the places where they stand.

use narad_syntax::options::{Grammar, OPTIONS, OptionSpec, Options, Place, Value};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::Expr;

use crate::attr::{Arg, Text, option};
use crate::diagnostics::Diagnostics;

/// The options that are written, in their order.
pub(crate) struct Written {
    /// What they are, without those whose value is wrong.
    pub(crate) values: Options<Text>,
    pub(crate) wrong: Vec<&'static str>,
    /// Where each stands, also one that is wrong: its name, and its value where that can be seen.
    places: Vec<(&'static str, Span, Option<Span>)>,
}

impl Default for Written {
    fn default() -> Self {
        Self { values: Options::NONE, wrong: Vec::new(), places: Vec::new() }
    }
}

/// The names of the options, a part of one by the name of the whole.
pub(crate) fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = OPTIONS.iter().map(|option| option.within.unwrap_or(option.field)).collect();
    names.dedup();
    names
}

impl Written {
    /// Takes an option, if it is one of the list.
    pub(crate) fn take(&mut self, arg: &Arg, diagnostics: &Diagnostics) -> bool {
        let key = arg.key();
        if let Some(option) = OPTIONS.iter().find(|option| option.within.is_none() && option.field == key) {
            self.take_one(option, arg, diagnostics);
            return true;
        }
        let parts = Self::of_parts(arg, diagnostics);
        let is_known = parts.is_some();
        if let Some((name, parts)) = parts
            && self.is_first(name, arg, diagnostics)
        {
            self.places.extend(parts.places);
            self.wrong.extend(parts.wrong);
            for option in OPTIONS {
                if let Some(value) = parts.values.get(option) {
                    self.values.set(option, value);
                }
            }
        }
        is_known
    }

    /// The parts of an option that has some, and its name.
    pub(crate) fn of_parts(arg: &Arg, diagnostics: &Diagnostics) -> Option<(&'static str, Self)> {
        let key = arg.key();
        let all: Vec<_> = OPTIONS.iter().filter(|option| option.within == Some(key.as_str())).collect();
        let name = all.first()?.within?;
        let usage: Vec<_> = all.iter().map(|option| option.usage()).collect();
        let mut parts = Self::default();
        for arg in arg.list(&format!("{name}({})", usage.join(", ")), diagnostics).unwrap_or_default() {
            match all.iter().find(|option| option.name() == arg.key()) {
                Some(option) => parts.take_one(option, &arg, diagnostics),
                None => {
                    let names: Vec<_> = all.iter().map(|option| option.name()).collect();
                    let what = format!("option `{}` of `{name}`", arg.key());
                    diagnostics.unknown(&arg.name, what, &arg.key(), &names);
                }
            }
        }
        Some((name, parts))
    }

    fn take_one(&mut self, option: &'static OptionSpec, arg: &Arg, diagnostics: &Diagnostics) {
        let value = read(option, arg, diagnostics);
        if self.is_first(option.field, arg, diagnostics) {
            match value {
                Some(value) => self.values.set(option, value),
                None => self.wrong.push(option.field),
            }
        }
    }

    fn is_first(&mut self, name: &'static str, arg: &Arg, diagnostics: &Diagnostics) -> bool {
        let is_first = self.given(name).is_none();
        if is_first {
            self.places.push((name, arg.name.span(), arg.value_span()));
        } else {
            diagnostics.on(&arg.name, format!("`{}` is given twice; keep one", arg.name));
        }
        is_first
    }

    /// Where an option stands.
    pub(crate) fn given(&self, name: &str) -> Option<Span> {
        self.place(name, Place::Name)
    }

    pub(crate) fn place(&self, name: &str, place: Place) -> Option<Span> {
        let (_, name, value) = self.places.iter().find(|(given, ..)| *given == name)?;
        Some(if place == Place::Value { value.unwrap_or(*name) } else { *name })
    }

    /// The fields of `OptionsSpec`.
    pub(crate) fn fields(&self, private: &TokenStream) -> TokenStream {
        let mut fields = TokenStream::new();
        for spec in OPTIONS {
            if let Some(value) = self.values.get(spec) {
                let (field, value) = (format_ident!("{}", spec.field), tokens(&value, private));
                let value = option(private, Some(value));
                fields.extend(quote!(#field: #value,));
            }
        }
        fields
    }
}

/// The value of an option in the form of an attribute.
fn read(option: &OptionSpec, arg: &Arg, diagnostics: &Diagnostics) -> Option<Value<Text>> {
    let usage = option.usage();
    match option.grammar {
        Grammar::Count => arg.count(&usage, diagnostics).map(Value::Count),
        Grammar::Topic(_) => topic_or_word(option, arg, &usage, diagnostics),
        Grammar::Duration | Grammar::Timeout | Grammar::Backoff | Grammar::Words(_) => {
            let literal = arg.literal(&usage, diagnostics)?;
            let text = literal.value();
            match option.read(&text, &format!("{text:?}")) {
                Ok(value) => Some(value.map(|_| Text::Literal(literal.clone()))),
                Err(why) => {
                    diagnostics.on(&literal, why);
                    None
                }
            }
        }
    }
}

fn topic_or_word(
    option: &OptionSpec,
    arg: &Arg,
    usage: &str,
    diagnostics: &Diagnostics,
) -> Option<Value<Text>> {
    let value = arg.expr(usage, diagnostics)?;
    if let Expr::Path(path) = value
        && let Some(ident) = path.path.get_ident()
    {
        let written = ident.to_string();
        match option.read(&written, "") {
            Ok(Value::Word(word)) => return Some(Value::Word(word)),
            // The name of a constant is in capitals.
            _ if written.starts_with(|c: char| c.is_lowercase()) => {
                diagnostics.on(ident, option.unknown(&written, &format!("`{written}`")));
                return None;
            }
            _ => {}
        }
    }
    Text::of(value, usage, diagnostics).map(Value::Topic)
}

fn tokens(value: &Value<Text>, private: &TokenStream) -> TokenStream {
    match value {
        Value::Count(count) => quote!(#count),
        Value::Duration(duration) => {
            let millis = duration.as_millis() as u64;
            quote!(#private::std::time::Duration::from_millis(#millis))
        }
        Value::Backoff(first, longest) => quote!((#first, #longest)),
        Value::Word(word) => {
            let path: Vec<_> = word.path.split("::").map(|part| format_ident!("{part}")).collect();
            quote!(#private::#(#path)::*)
        }
        Value::Topic(topic) => quote!(#private::DeadLetterSpec::Topic(#topic)),
    }
}
