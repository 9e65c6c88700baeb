//! How the log is written.

/// The format of the log, if the application has not set up logging itself.
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
