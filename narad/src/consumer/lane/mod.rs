//! The lane of one assigned partition: what was read of it, what runs, what is finished.
//!
//! A lane belongs to one assignment; the next assignment of the same partition has a lane of its own, so that
//! whatever ends late in an old lane commits nothing (this is the epoch). One worker at a time runs a lane
//! and owns its state meanwhile; all others send it a sign and make it ready.

mod ahead;
mod inlet;
mod position;
mod schedule;
mod share;
mod state;
mod woken;

mod looked;
mod looks;
mod parts;
mod watched;

mod batch;
mod read;
mod run;
mod start;
mod step;

mod broken;
mod call;
mod close;
mod turn;

#[cfg(test)]
mod attach_tests;
#[cfg(test)]
mod memory_tests;

pub(crate) use self::close::{BEFORE_THE_RUNTIME, Closed, MOMENT};
pub(crate) use self::parts::{Lane, LaneParts, ReadyLanes};
pub(crate) use self::share::Limits;

/// What the races are modelled with.
#[cfg(test)]
pub(super) mod model {
    pub(crate) use super::position::Positions;
    pub(crate) use super::schedule::Schedule;
    pub(crate) use super::woken::{Mark, Woken};
    pub(crate) use crate::consumer::life::{Life, Phase};
}
