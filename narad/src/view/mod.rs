//! What an application tells of itself while it runs, for the person who looks after it. The `Display` of a
//! view is for a terminal, its `Serialize` for programs.
//!
//! Views are values: whoever fills one reads counters and what others have told, and waits for nobody.

mod failure;
mod group;
mod handler;
mod lane;
mod state;
pub(crate) mod time;

pub(crate) use failure::{FailureView, Inside};
pub(crate) use group::Stood;
pub use group::{Commits, GroupView, Rebalances};
pub use handler::{Attempts, HandlerView, Settled, TopicView, Unhandled};
pub use lane::{CallView, LanePhase, LaneView, OldestRecord, RecordStage, WaitingRecords};
pub(crate) use state::GroupEvent;
pub use state::GroupState;
