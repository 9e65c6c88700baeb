//! What is said without a log.

use std::io::{Write, stderr};

/// A line on stderr for the person in front of it. Where nobody reads stderr any more it is lost: `eprintln!`
/// would panic.
pub(crate) fn say(line: impl std::fmt::Display) {
    let _ = writeln!(stderr(), "{line}");
}
