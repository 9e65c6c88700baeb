//! What a literal may hold: durations, names of topics, placeholders, patterns.

use std::fmt::Display;

use syn::LitStr;

use crate::diagnostics::Diagnostics;
use crate::limits;

/// Milliseconds of `"50ms"`, `"30s"`, `"1m"`, `"2h"`.
pub(crate) fn duration(literal: &LitStr, diagnostics: &Diagnostics) -> Option<u64> {
    accepted(literal, limits::duration(&literal.value()), diagnostics)
}

/// Milliseconds of a duration that an attempt can have.
pub(crate) fn timeout(literal: &LitStr, diagnostics: &Diagnostics) -> Option<u64> {
    accepted(literal, limits::timeout(&literal.value()), diagnostics)
}

/// Milliseconds of both ends of `"100ms..30s"`.
pub(crate) fn range(literal: &LitStr, diagnostics: &Diagnostics) -> Option<(u64, u64)> {
    accepted(literal, limits::backoff(&literal.value()), diagnostics)
}

fn accepted<T>(literal: &LitStr, value: Result<T, impl Display>, diagnostics: &Diagnostics) -> Option<T> {
    value.map_err(|why| diagnostics.on(literal, why)).ok()
}

/// Checks what of a topic's name is known before the placeholders are resolved.
pub(crate) fn check_topic(literal: &LitStr, diagnostics: &Diagnostics) {
    let text = literal.value();
    let Some(parts) = split(literal, diagnostics) else { return };
    accepted(literal, limits::topic(&text, &parts.concat()), diagnostics);
}

/// Checks a text in which only placeholders have a meaning.
pub(crate) fn check_text(literal: &LitStr, what: &str, diagnostics: &Diagnostics) {
    if literal.value().is_empty() {
        diagnostics.on(literal, format!("{what} cannot be empty"));
    } else {
        split(literal, diagnostics);
    }
}

/// Checks a pattern as Narad will compile it.
pub(crate) fn check_pattern(literal: &LitStr, diagnostics: &Diagnostics) {
    // A name stands for each placeholder: the pattern around it must be whole without it.
    let Some(parts) = split(literal, diagnostics) else { return };
    if let Err(error) = regex::Regex::new(&parts.join("x")) {
        diagnostics.on(literal, format!("this pattern is no regular expression: {error}"));
    }
}

/// The parts of a text between its placeholders `${VAR}` and `${VAR:-default}`.
fn split(literal: &LitStr, diagnostics: &Diagnostics) -> Option<Vec<String>> {
    let text = literal.value();
    let mut parts = vec![];
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inside, behind)) = after.split_once('}') else {
            diagnostics.on(literal, "a placeholder is not closed; write `${VAR}` or `${VAR:-default}`");
            return None;
        };
        let variable = inside.split_once(":-").map_or(inside, |(variable, _)| variable);
        if !is_variable(variable) {
            diagnostics.on(
                literal,
                format!("`${{{inside}}}` is no placeholder; write `${{VAR}}` or `${{VAR:-default}}`"),
            );
            return None;
        }
        parts.push(before.to_owned());
        rest = behind;
    }
    parts.push(rest.to_owned());
    Some(parts)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
