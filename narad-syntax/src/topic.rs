//! Names of topics, as Kafka allows them.

/// At most so many characters may a topic's name have.
pub const MAX_LENGTH: usize = 249;

/// The rule, as an error says it behind a name that breaks it.
pub const RULE: &str = "1 to 249 characters of a-z, A-Z, 0-9, `.`, `_`, `-`";

/// Whether a topic's name may have this character.
pub fn allows(character: char) -> bool {
    matches!(character, 'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-')
}

/// Whether Kafka takes this as a topic's name.
///
/// ```
/// assert!(narad_syntax::topic::is_name("user.events"));
/// assert!(!narad_syntax::topic::is_name("user events"));
/// ```
pub fn is_name(text: &str) -> bool {
    check(text, text).is_ok()
}

/// Checks a topic's name as far as it is `known`: what stands for a placeholder in `text` is not.
///
/// # Errors
/// What the name may not have or be.
pub fn check(text: &str, known: &str) -> Result<(), String> {
    if let Some(odd) = known.chars().find(|character| !allows(*character)) {
        Err(format!("a topic's name cannot have {odd:?}; allowed are letters, digits, `.`, `_` and `-`"))
    } else if text.is_empty() {
        Err("a topic's name cannot be empty".to_owned())
    } else if text == "." || text == ".." {
        Err(format!("a topic cannot be called `{text}`"))
    } else if known.len() > MAX_LENGTH {
        Err(format!("this name has {} characters; a topic's name has at most {MAX_LENGTH}", known.len()))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_kafka_takes_and_names_that_it_does_not() {
        for name in ["orders", "user.events.login", "a_b-c", "9", "...", &"x".repeat(MAX_LENGTH)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", "a b", "a/b", "a$", "ü", &"x".repeat(MAX_LENGTH + 1)] {
            assert!(!is_name(name), "{name}");
        }
        assert!(RULE.contains(&MAX_LENGTH.to_string()));
    }

    #[test]
    fn what_stands_for_a_placeholder_is_not_checked() {
        assert_eq!(check("${REGION}", ""), Ok(()));
        assert!(check("${REGION} x", " x").is_err());
    }
}
