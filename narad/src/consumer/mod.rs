//! Consuming: the way of a record from its partition to its commit.
//!
//! ```text
//! broker ─► librdkafka ─► partition queue ─► lane ─► dispatch ─► handler ─► outcome ─► offsets ─► commit ─► broker
//!                │ "filled"                  │ a worker runs it, one at a time      │ retry, dead letter
//!                └──────────► ready lanes ◄──┘                                      └─► producer (acknowledged)
//! ```
//!
//! One thread per group polls (rebalances, errors) and never waits for a handler outside of a revoke; one
//! commits; the workers, shared by all groups, run the lanes.

mod begin;
mod cluster_topics;
mod control;
mod group;
mod groups;
mod letting_go;
mod patterns;
mod polling;
mod rebalance;
mod reset;
mod shared;
mod timer;

mod lane;
mod life;
mod ready;
mod workers;

mod blocking;
mod handler;
mod plan;
mod progress;

mod outage;
mod outages;
mod retry;

mod broken;
mod broken_log;
mod commit;
mod commit_gate;
mod commits;
mod coordinator;
mod counts;
mod failures;
mod lag;
mod log_ends;
mod refusals;
mod standing;
mod stats;
mod stills;
mod views;
mod watchdog;

#[cfg(test)]
mod memory_tests;
#[cfg(test)]
mod model;

pub(crate) use blocking::Threads;
pub(crate) use cluster_topics::ClusterTopics;
pub(crate) use group::GroupParts;
pub(crate) use groups::Groups;
pub(crate) use handler::Handler;
pub(crate) use lag::AskingEnds;
pub(crate) use log_ends::Onlookers;
pub(crate) use patterns::{Patterns, PlanFor};
pub(crate) use plan::TopicPlan;
pub(crate) use stats::GroupStats;
pub(crate) use views::Shown;
pub(crate) use workers::{Needed, Workers};
