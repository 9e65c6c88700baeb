//! `${VAR}` and `${VAR:-default}` in the topics and groups of handlers.

use std::collections::BTreeMap;
use std::fmt;

use narad_syntax::placeholder::{Part, parts};

use crate::error::{Error, Result};

/// Values for `${VAR}` in topics and groups, besides those of the process environment; these come first.
///
/// ```
/// let mut config = narad::Config::default();
/// config.variables.set("REGION", "eu");
/// ```
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Sets one value.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// The value that was set here, if there is one.
    pub(super) fn own(&self, name: &str) -> Option<&String> {
        self.0.get(name)
    }

    /// The value of a variable, if it has one.
    pub(crate) fn lookup(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned().or_else(|| std::env::var(name).ok())
    }
}

impl fmt::Debug for Variables {
    /// Names only: a value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Replaces each placeholder; an empty variable counts as one that is not set, as in a shell.
///
/// # Errors
/// When a variable without a default is not set, or a placeholder is not well-formed; `place` says where the
/// text stands.
pub(crate) fn resolve_placeholders(
    text: &str,
    place: &str,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<String> {
    let wrong = |why: String| Error::Start(format!("{place}: {text:?}{why}"));
    let mut resolved = String::with_capacity(text.len());
    for part in parts(text).map_err(|why| wrong(format!(": {why}")))? {
        match part {
            Part::Text(text) => resolved.push_str(text),
            Part::Variable { name, default } => {
                match (lookup(name).filter(|value| !value.is_empty()), default) {
                    (Some(value), _) => resolved.push_str(&value),
                    (None, Some(default)) => resolved.push_str(default),
                    (None, None) => {
                        return Err(wrong(format!(" needs the variable {name}, which is not set")));
                    }
                }
            }
        }
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn resolve(text: &str) -> Result<String> {
        let lookup = |name: &str| match name {
            "REGION" => Some("eu".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        resolve_placeholders(text, "topic of handler count_login", lookup)
    }

    #[test]
    fn placeholders_are_replaced() {
        for (text, wanted) in [
            ("orders", "orders"),
            ("${REGION}.orders", "eu.orders"),
            ("orders.${REGION:-us}-${STAGE:-dev}", "orders.eu-dev"),
            ("${EMPTY:-x}${STAGE:-}", "x"),
            ("^user\\..*$", "^user\\..*$"),
        ] {
            assert_eq!(resolve(text).unwrap(), wanted);
        }
    }

    #[test]
    fn a_missing_variable_names_itself_and_its_place() {
        for text in ["${STAGE}.orders", "${EMPTY}", "${REGION", "${}", "${A B}", "${:-x}"] {
            assert!(resolve(text).is_err(), "{text}");
        }
        let error = resolve("${STAGE}.orders").unwrap_err().to_string();
        assert_eq!(
            error,
            "topic of handler count_login: \"${STAGE}.orders\" needs the variable STAGE, which is not set"
        );
    }

    proptest! {
        #[test]
        fn text_without_placeholders_stays_as_it_is(text in "[^$]{0,30}") {
            prop_assert_eq!(resolve(&text).unwrap(), text);
        }

        #[test]
        fn no_text_panics(text in "[${}:a-zA-Z-]{0,30}") {
            let _ = resolve(&text);
        }
    }
}
