//! Text that never reaches a log.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Text that prints as `***`, also in `Debug`: a password, a user name.
///
/// ```
/// let password = narad::Secret::from("hunter2");
/// assert_eq!(format!("{password} {password:?}"), "*** ***");
/// assert_eq!(password.reveal(), "hunter2");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What is not read of a file that is said to hold a secret.
const LONGEST: u64 = 1 << 20;

/// What stands in a file.
///
/// # Errors
/// When it cannot be read: why, with its path and without its content.
pub(super) fn content(path: &Path) -> Result<Secret, String> {
    let wrong = |cause: &str| format!("{} cannot be read: {cause}", shown(path));
    let file = File::open(path).map_err(|error| wrong(&error.to_string()))?;
    let metadata = file.metadata().map_err(|error| wrong(&error.to_string()))?;
    if !metadata.is_file() {
        return Err(wrong("it is not a file"));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| wrong(&error.to_string()))?;
    if bytes.len() as u64 > LONGEST {
        return Err(wrong("it is larger than 1 MiB"));
    }
    // The error would hold the bytes.
    String::from_utf8(bytes).map(Secret::from).map_err(|_| wrong("it is not UTF-8"))
}

/// The secret that a file holds alone. Most ways of writing one end the line, which is no part of it.
///
/// # Errors
/// When it cannot be read or is empty.
pub(super) fn of_file(path: &Path) -> Result<Secret, String> {
    let text = content(path)?;
    let secret = text.reveal().trim_end_matches(['\r', '\n']);
    if secret.is_empty() { Err(format!("{} is empty", shown(path))) } else { Ok(secret.into()) }
}

/// Whether a text that stands where a path or a name is expected may be a secret, or a part of one: it is not
/// repeated then.
pub(super) fn looks_secret(text: &str) -> bool {
    let is_base64 = |character: char| character.is_ascii_alphanumeric() || "+/=".contains(character);
    text.contains(['\n', '\r'])
        || text.contains("--BEGIN")
        || text.contains("-----")
        || text.contains("PRIVATE KEY")
        // `-----BEGIN` and the beginning of a key, in base64.
        || text.contains("LS0tLS1CRUdJT")
        || (text.starts_with("MII") && text.len() >= 16 && text.chars().all(is_base64))
        || (text.len() >= 64 && text.chars().all(is_base64))
        || text.len() > 1024
}

/// A path for people to read; where it looks as if it were a secret, that it does.
pub(super) fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    if looks_secret(&text) { "a path that looks like a PEM, and is not shown," } else { &text }.to_owned()
}
