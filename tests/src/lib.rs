//! What the suites share: append-only ledgers, the pure verifier of the delivery invariants, and waiting for conditions.

pub mod ledger;
pub mod verifier;
pub mod wait;
