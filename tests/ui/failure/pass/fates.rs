use std::fmt;

use narad::OutcomeKind;
use narad::prelude::*;

#[derive(Failure, Debug)]
enum CountError {
    #[retry]
    Busy,
    #[retry(attempts = 8, backoff = "200ms..1m")]
    Slow(u8),
    #[dead_letter]
    Broken { code: u8 },
    #[skip]
    Old,
    #[halt]
    Fatal(String),
}

impl fmt::Display for CountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

fn main() {
    let kind = |error: CountError| Outcome::from(error).kind();
    assert_eq!(kind(CountError::Busy), OutcomeKind::Retry);
    assert_eq!(kind(CountError::Slow(1)), OutcomeKind::Retry);
    assert_eq!(kind(CountError::Broken { code: 1 }), OutcomeKind::DeadLetter);
    assert_eq!(kind(CountError::Old), OutcomeKind::Skip);
    assert_eq!(kind(CountError::Fatal("x".into())), OutcomeKind::Halt);
}
