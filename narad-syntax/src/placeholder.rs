//! `${VAR}` and `${VAR:-default}` in topics, patterns, groups and dead letters.

/// A part of a text with placeholders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'t> {
    /// What stands as it is.
    Text(&'t str),
    /// `${name}` or `${name:-default}`
    Variable {
        /// The variable's name.
        name: &'t str,
        /// What counts where the variable is not set.
        default: Option<&'t str>,
    },
}

/// The parts of a text, in order.
///
/// # Errors
/// A placeholder that is not closed, or has no variable's name.
///
/// ```
/// use narad_syntax::placeholder::{Part, parts};
/// let region = Part::Variable { name: "REGION", default: Some("eu") };
/// assert_eq!(parts("orders.${REGION:-eu}"), Ok(vec![Part::Text("orders."), region]));
/// ```
pub fn parts(text: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inside, behind)) = after.split_once('}') else {
            return Err("a placeholder is not closed; write `${VAR}` or `${VAR:-default}`".to_owned());
        };
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        if !is_variable(name) {
            return Err(format!(
                "`${{{inside}}}` is not a placeholder; write `${{VAR}}` or `${{VAR:-default}}`"
            ));
        }
        parts.extend((!before.is_empty()).then_some(Part::Text(before)));
        parts.push(Part::Variable { name, default });
        rest = behind;
    }
    parts.extend((!rest.is_empty()).then_some(Part::Text(rest)));
    Ok(parts)
}

/// As a shell has them.
fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_stand_anywhere_in_a_text() {
        assert_eq!(parts(""), Ok(vec![]));
        assert_eq!(parts("^user\\..*$"), Ok(vec![Part::Text("^user\\..*$")]));
        let [a, b] = [("A", None), ("B_2", Some(""))].map(|(name, default)| Part::Variable { name, default });
        assert_eq!(parts("${A}-${B_2:-}."), Ok(vec![a, Part::Text("-"), b, Part::Text(".")]));
    }

    #[test]
    fn what_is_no_placeholder() {
        for text in ["${A", "${}", "${A B}", "${:-x}", "${1A}", "${A-x}"] {
            assert!(parts(text).is_err(), "{text}");
        }
    }
}
