//! The locks and atomics of what threads of the engine share: the standard library's, and in the unit tests
//! loom's, which runs every interleaving of a model (`consumer/model.rs`) through the very code that ships.

#[cfg(test)]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, atomic};
#[cfg(not(test))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic};
