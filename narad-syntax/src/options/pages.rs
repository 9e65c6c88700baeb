//! The options as people read them: in the table at the start, and in the documentation.

use std::fmt::{self, Debug, Display, Write};

use super::{Grammar, InForce, OPTIONS, OptionSpec, Options};

impl<T: Clone + Display + PartialEq> InForce<T> {
    /// The columns of the table at the start: those that it always has, and what else is not the default.
    pub fn columns(&self) -> String {
        let defaults = Options::<T>::NONE.in_force(false);
        let mut columns = String::new();
        for option in OPTIONS {
            let value = self.get(option);
            if let Some(value) = value.filter(|value| {
                option.column.is_some() || defaults.get(option).is_none_or(|default| default != *value)
            }) {
                let _ = write!(columns, " {}={value}", option.column.unwrap_or(option.field));
            }
        }
        columns
    }
}

impl<T: Clone + Debug> Debug for InForce<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(OPTIONS.iter().map(|option| (option.field, self.get(option)))).finish()
    }
}

/// The row of an option in the tables of the documentation, by the name that an attribute has.
///
/// ```
/// let row = narad_syntax::options::row("retry").unwrap();
/// assert!(row.starts_with("| `retry` | `(attempts = 5, backoff = \"100ms..30s\")` | attempts in all"));
/// ```
pub fn row(name: &str) -> Option<String> {
    let of = |option: &&OptionSpec| option.within.unwrap_or(option.field) == name;
    let options: Vec<_> = OPTIONS.iter().filter(of).collect();
    let values = match options[..] {
        [] => return None,
        [option] if option.within.is_none() => values(option),
        _ => {
            let part = |option: &&OptionSpec| format!("{} = {}", option.name(), default(option));
            format!("`({})`", options.iter().map(part).collect::<Vec<_>>().join(", "))
        }
    };
    let docs: Vec<_> = options.iter().map(|option| option.doc.concat().trim().to_owned()).collect();
    Some(format!("| `{name}` | {values} | {} |", docs.join("; ")))
}

fn values(option: &OptionSpec) -> String {
    let default = default(option);
    match (option.shown, option.grammar) {
        (Some(shown), _) => shown.to_owned(),
        (None, Grammar::Words(words)) => {
            let others =
                words.iter().map(|word| format!("\"{}\"", word.word)).filter(|word| *word != default);
            let all: Vec<_> = [default.clone()].into_iter().chain(others).collect();
            all.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        }
        _ => format!("`{default}`"),
    }
}

fn default(option: &OptionSpec) -> String {
    let defaults = Options::<&str>::NONE.in_force(false);
    defaults.get(option).map_or_else(|| "none".to_owned(), |value| option.written(&value))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A page of the repository; outside of it there is nothing to compare with.
    fn page(path: &str) -> Option<String> {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).ok()
    }

    #[test]
    fn the_table_of_the_documentation_is_the_list() {
        let mut names: Vec<_> = OPTIONS.iter().map(|option| option.within.unwrap_or(option.field)).collect();
        names.dedup();
        let rows: Vec<_> = names.iter().filter_map(|name| row(name)).collect();
        let path = "narad/src/docs/kafka_handler.md";
        let Some(reference) = page(path) else { return };
        let rows = rows.join("\n");
        assert!(reference.contains(&rows), "{path} does not have these rows, one after the other:\n{rows}");
        for name in &names {
            assert_eq!(reference.matches(&format!("| `{name}` |")).count(), 1, "{path}: rows of {name}");
        }
        let Some(guide) = page("docs/handlers.md") else { return };
        for name in &names {
            assert!(!guide.contains(&format!("| `{name}` |")), "docs/handlers.md repeats the row of {name}");
        }
    }

    #[test]
    fn the_documentation_has_a_variable_for_each_option() {
        let Some(page) = page("docs/handlers.md") else { return };
        for option in OPTIONS {
            let line = format!("\nNARAD_HANDLER_BILL_{}=", option.variable());
            assert!(page.contains(&line), "docs/handlers.md has no example of {line}");
        }
    }
}
