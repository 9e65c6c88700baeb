//! What a literal may hold: names of topics, placeholders, patterns.

use std::fmt::Display;

use narad_syntax::placeholder::{self, Part};
use narad_syntax::topic;
use syn::LitStr;

use crate::diagnostics::Diagnostics;

fn accepted<T>(literal: &LitStr, value: Result<T, impl Display>, diagnostics: &Diagnostics) -> Option<T> {
    value.map_err(|why| diagnostics.on(literal, why)).ok()
}

/// Checks what of a topic's name is known before the placeholders are resolved.
pub(crate) fn check_topic(literal: &LitStr, diagnostics: &Diagnostics) {
    let text = literal.value();
    let Some(parts) = around_placeholders(literal, diagnostics) else { return };
    accepted(literal, topic::check(&text, &parts.concat()), diagnostics);
}

/// Checks a text in which only placeholders have a meaning.
pub(crate) fn check_text(literal: &LitStr, what: &str, diagnostics: &Diagnostics) {
    if literal.value().is_empty() {
        diagnostics.on(literal, format!("{what} cannot be empty"));
    } else {
        around_placeholders(literal, diagnostics);
    }
}

/// Checks a pattern as Narad will read it. Whether it grows too large when it is compiled is found at start.
pub(crate) fn check_pattern(literal: &LitStr, diagnostics: &Diagnostics) {
    // A name stands for each placeholder: the pattern around it must be whole without it.
    let Some(parts) = around_placeholders(literal, diagnostics) else { return };
    if let Err(error) = regex_syntax::parse(&parts.join("x")) {
        diagnostics.on(literal, format!("this pattern is not a regular expression: {error}"));
    }
}

/// The parts of a text around its placeholders.
fn around_placeholders(literal: &LitStr, diagnostics: &Diagnostics) -> Option<Vec<String>> {
    let text = literal.value();
    let parts = accepted(literal, placeholder::parts(&text), diagnostics)?;
    Some(known(&parts))
}

/// What stands between the placeholders, and before and behind them.
fn known(parts: &[Part<'_>]) -> Vec<String> {
    let mut known = vec![String::new()];
    for part in parts {
        match part {
            Part::Text(text) => known.last_mut().expect("one at least").push_str(text),
            Part::Variable { .. } => known.push(String::new()),
        }
    }
    known
}
