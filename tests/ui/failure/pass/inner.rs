//! A variant has the fate of the error that it holds, at any depth.

use std::fmt;
use std::sync::Arc;

use narad::OutcomeKind;
use narad::prelude::*;

#[derive(Failure, Debug)]
enum StoreError {
    #[retry(attempts = 8)]
    Busy,
    #[skip]
    Outdated,
}

#[derive(Failure, Debug)]
enum BankError {
    #[fate(inner)]
    Store(StoreError),
    #[halt]
    Fatal,
}

#[derive(Failure, Debug)]
enum PayError {
    #[fate(inner)]
    Only(StoreError),
    #[fate(inner)]
    Marked(u8, #[source] BankError),
    #[fate(inner)]
    From(#[from] Box<BankError>, u8),
    #[fate(inner)]
    Named { source: Arc<BankError>, key: u64 },
    #[fate(inner)]
    MarkedBeforeNamed {
        source: u64,
        #[source]
        error: Arc<Box<StoreError>>,
    },
    #[fate(inner)]
    Again(Box<Self>),
    #[dead_letter]
    Unknown,
}

macro_rules! shown {
    ($($error:ty),+) => {$(
        impl fmt::Display for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self:?}")
            }
        }
    )+};
}

shown!(StoreError, BankError, PayError);

fn main() {
    let kind = |error: PayError| Outcome::from(error).kind();
    let busy = || BankError::Store(StoreError::Busy);
    let outdated = || BankError::Store(StoreError::Outdated);
    assert_eq!(kind(PayError::Only(StoreError::Outdated)), OutcomeKind::Skip);
    assert_eq!(kind(PayError::Only(StoreError::Busy)), OutcomeKind::Retry);
    assert_eq!(kind(PayError::Marked(0, outdated())), OutcomeKind::Skip);
    assert_eq!(kind(PayError::Marked(0, BankError::Fatal)), OutcomeKind::Halt);
    assert_eq!(kind(PayError::From(Box::new(outdated()), 0)), OutcomeKind::Skip);
    assert_eq!(kind(PayError::Named { source: Arc::new(busy()), key: 0 }), OutcomeKind::Retry);
    assert_eq!(kind(PayError::Named { source: Arc::new(outdated()), key: 0 }), OutcomeKind::Skip);
    let error = Arc::new(Box::new(StoreError::Outdated));
    assert_eq!(kind(PayError::MarkedBeforeNamed { source: 0, error }), OutcomeKind::Skip);
    assert_eq!(kind(PayError::Again(Box::new(PayError::Unknown))), OutcomeKind::DeadLetter);
    assert_eq!(kind(PayError::Again(Box::new(PayError::Marked(0, outdated())))), OutcomeKind::Skip);
}
