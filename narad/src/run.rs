//! `narad::run()`, the builder, and the application that they make.

use crate::error::Result;

/// The application.
#[derive(Clone, Debug)]
pub struct Narad {}

/// Builds a [`Narad`].
#[derive(Debug, Default)]
pub struct Builder {}

impl Narad {
    /// A builder with the configuration of the environment.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// Runs the registered handlers until SIGINT or SIGTERM.
///
/// # Errors
/// When the configuration is wrong, nothing is registered, or no broker answers.
pub async fn run() -> Result<()> {
    unimplemented!()
}
