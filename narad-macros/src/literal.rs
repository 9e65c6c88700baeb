//! What a literal may hold: durations, names of topics, placeholders, patterns.

use syn::LitStr;

use crate::diagnostics::Diagnostics;

/// Milliseconds of `"50ms"`, `"30s"`, `"1m"`, `"2h"`.
pub(crate) fn duration(literal: &LitStr, diagnostics: &Diagnostics) -> Option<u64> {
    let millis = milliseconds(&literal.value());
    if millis.is_none() {
        diagnostics.on(literal, "not a duration; write a whole number with `ms`, `s`, `m` or `h`, as in \"50ms\", \"30s\", \"1m\", \"2h\"");
    }
    millis
}

/// Milliseconds of both ends of `"100ms..30s"`.
pub(crate) fn range(literal: &LitStr, diagnostics: &Diagnostics) -> Option<(u64, u64)> {
    let text = literal.value();
    let ends = text.split_once("..").and_then(|(first, last)| Some((milliseconds(first.trim())?, milliseconds(last.trim())?)));
    match ends {
        None => diagnostics.on(literal, "not a range of durations; write the first and the longest wait, as in \"100ms..30s\""),
        Some((first, last)) if first > last => {
            diagnostics.on(literal, "the first wait is longer than the longest; write the shorter one first")
        }
        Some(ends) => return Some(ends),
    }
    None
}

fn milliseconds(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// At most so many characters may a topic's name have.
const MAX_TOPIC: usize = 249;

/// Checks what of a topic's name is known before the placeholders are resolved.
pub(crate) fn check_topic(literal: &LitStr, diagnostics: &Diagnostics) {
    let text = literal.value();
    let Some(parts) = split(literal, diagnostics) else { return };
    if let Some(bad) = parts.concat().chars().find(|c| !matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-')) {
        diagnostics.on(literal, format!("a topic's name cannot have {bad:?}; allowed are letters, digits, `.`, `_` and `-`"));
    } else if text.is_empty() {
        diagnostics.on(literal, "a topic's name cannot be empty");
    } else if text == "." || text == ".." {
        diagnostics.on(literal, format!("a topic cannot be called `{text}`"));
    } else if parts.concat().len() > MAX_TOPIC {
        diagnostics.on(literal, format!("this name has {} characters; a topic's name has at most {MAX_TOPIC}", parts.concat().len()));
    }
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
            diagnostics.on(literal, format!("`${{{inside}}}` is no placeholder; write `${{VAR}}` or `${{VAR:-default}}`"));
            return None;
        }
        parts.push(before.to_owned());
        rest = behind;
    }
    parts.push(rest.to_owned());
    Some(parts)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
