//! Where one call sent several records: each one's outcome.

use super::Result;
use crate::sent::Sent;

/// Some of several records were not acknowledged.
#[derive(Debug)]
pub struct SendAllError {
    outcomes: Vec<Result<Sent>>,
}

impl SendAllError {
    pub(crate) fn new(outcomes: Vec<Result<Sent>>) -> Self {
        Self { outcomes }
    }

    /// Each record's outcome, in the order in which they were given.
    pub fn outcomes(&self) -> &[Result<Sent>] {
        &self.outcomes
    }

    /// Each record's outcome, in the order in which they were given.
    pub fn into_outcomes(self) -> Vec<Result<Sent>> {
        self.outcomes
    }
}

impl std::fmt::Display for SendAllError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let failed = self.outcomes.iter().filter(|outcome| outcome.is_err()).count();
        write!(f, "{failed} of {} records were not acknowledged", self.outcomes.len())?;
        match self.outcomes.iter().find_map(|outcome| outcome.as_ref().err()) {
            Some(first) => write!(f, "; the first: {first}"),
            None => Ok(()),
        }
    }
}

/// The first one's.
impl std::error::Error for SendAllError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.outcomes.iter().find_map(|outcome| outcome.as_ref().err()).map(|first| first as _)
    }
}
