//! What the suites against a real broker share: the broker, the application under test, what its handlers
//! wrote, and the verdict.

pub mod cluster;
pub mod deployment;
pub mod kafka;
pub mod ledger;
pub mod members;
pub mod process;
pub mod proxy;
pub mod verifier;
pub mod wait;
