//! How the log is written.

/// How the log is written where the application has set up none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// `text`: for people.
    #[default]
    Text,
    /// `json`: each line is an object with `timestamp`, `level`, `target`, `message`, the `fields` of the
    /// text by their names, and the `spans` around it.
    Json,
}
