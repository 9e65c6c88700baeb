//! What becomes of the records of a partition, decided: who gets one, what waits for what, what follows an
//! attempt, and what may be committed.
//!
//! Pure. What it decides on is handed in: also the time, and what is left to chance. It runs nothing and
//! waits for nothing; `consumer` does, asks here what to do, and tells what happened.

mod partition;

mod dispatch;
mod gathering;
mod isolation;
mod keys;
mod order;
mod pending;
mod shown;

mod part;
mod policy;

mod ledger;
mod next_offset;
mod note;
mod offsets;
mod settled;
mod stage;

mod budget;
mod held;

pub(crate) use budget::{MemoryBudget, Reservation};
pub(crate) use dispatch::{Routes, Taking};
pub(crate) use keys::{Hashed, key_hash};
pub(crate) use next_offset::NextOffset;
#[cfg(test)]
pub(crate) use note::Map;
pub(crate) use note::{Bound, Note, began, without_map};
pub(crate) use offsets::OffsetTracker;
pub(crate) use partition::{Id, Next, Partition, Retried};
pub(crate) use pending::{Pending, Way};
pub(crate) use policy::{After, Backoff, BatchPolicy, Policy};
pub(crate) use settled::{Settled, Tally, Unhandled};
pub(crate) use shown::{shown_headers, shown_type};
pub(crate) use stage::Stage;
