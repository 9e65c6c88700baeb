//! What `narad` and its macros both read: an attribute when a program is built, a variable when it starts.
//! What one of them refuses the other one refuses in the same words.
//!
//! Not public API: it changes with each version of `narad`, which names exactly one of it. It has no
//! dependencies, since every program that uses Narad builds it twice.

pub mod duration;
pub mod options;
pub mod placeholder;
pub mod suggest;
pub mod topic;
