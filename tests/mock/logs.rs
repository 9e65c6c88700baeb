//! What Narad says, of all tests in one place; a test finds its own lines by its group or the address of its
//! cluster.

use std::io::Write;
use std::sync::{Mutex, Once, PoisonError};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

impl Write for Lines {
    /// The subscriber writes an event at once.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        LINES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(String::from_utf8_lossy(line).trim_end().to_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(crate) fn begin() {
    static BEGIN: Once = Once::new();
    BEGIN.call_once(|| {
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
            .with_writer(|| Lines)
            .init();
    });
}

/// The lines that hold this text.
pub(crate) fn with(text: &str) -> Vec<String> {
    LINES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .filter(|line| line.contains(text))
        .cloned()
        .collect()
}

/// Those of them that the default level shows, and that are no mere information.
pub(crate) fn complaints_with(text: &str) -> Vec<String> {
    with(text).into_iter().filter(|line| line.contains(" WARN ") || line.contains("ERROR ")).collect()
}
