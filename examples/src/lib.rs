//! Runnable programs, in the order of a tutorial.
