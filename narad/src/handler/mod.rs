//! A handler as the engine sees it: what it takes, how it is called, what it gives back.

mod input;
mod param;
mod rejection;
mod reply;
mod slot;

use std::time::Duration;

use crate::codec::About;

pub use input::Input;
pub use param::{
    EventKind, FromRecord, NoEvent, NotBesideBatch, Param, Probe, Takes, assert_batch, assert_fits,
    assert_no_batch,
};
pub(crate) use rejection::Rejection;
pub use reply::{Events, IntoReply, Reply, Returned, ReturnedError, Returns, SentError, result_into_reply};
pub use slot::Slot;

/// How the engine calls a handler: the adapter that `#[kafka_handler]` generates.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Call {
    /// An `async fn`: puts the attempt into the slot.
    Async(fn(&mut Slot, Input)),
    /// A plain `fn`: runs on a thread of Narad's own.
    Blocking(fn(Input) -> Reply),
}

/// A handler as written: everything that its attribute and its signature say.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct HandlerSpec {
    /// The function's name, or `name = "…"`.
    pub name: &'static str,
    /// `module_path!()` of the function.
    pub module: &'static str,
    pub about: &'static About,
    pub topics: TopicsSpec,
    pub group: Option<&'static str>,
    pub options: OptionsSpec,
    pub call: Call,
    /// What each parameter takes, in order; functions, so that the compiler does not work it out where nobody
    /// asks.
    pub params: &'static [fn() -> Takes],
    /// What it may return.
    pub returns: fn(&mut Returns),
}

impl HandlerSpec {
    /// What each parameter takes, in order.
    pub fn takes(&self) -> impl Iterator<Item = Takes> {
        self.params.iter().map(|takes| takes())
    }

    /// What it may return.
    pub fn returned(&self) -> Returns {
        let mut returns = Returns::default();
        (self.returns)(&mut returns);
        returns
    }
}

/// `topic`, `topics` or `pattern`; placeholders not resolved yet.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum TopicsSpec {
    Names(&'static [&'static str]),
    Pattern(&'static str),
}

/// The options as written; `None` where the attribute does not have it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct OptionsSpec {
    /// `default`: takes what no typed handler takes.
    pub default: bool,
    pub ordering: Option<Ordering>,
    pub concurrency: Option<u32>,
    pub retry_attempts: Option<u32>,
    /// Milliseconds: first, longest.
    pub retry_backoff: Option<(u64, u64)>,
    pub dead_letter: Option<DeadLetterSpec>,
    pub timeout: Option<Duration>,
    pub batch_max: Option<u32>,
    pub batch_wait: Option<Duration>,
    pub start: Option<Start>,
}

impl OptionsSpec {
    /// Nothing written.
    pub const NONE: Self = Self {
        default: false,
        ordering: None,
        concurrency: None,
        retry_attempts: None,
        retry_backoff: None,
        dead_letter: None,
        timeout: None,
        batch_max: None,
        batch_wait: None,
        start: None,
    };
}

/// Which records of a partition may run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Ordering {
    Key,
    Partition,
    None,
}

/// `dead_letter = …` as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum DeadLetterSpec {
    Topic(&'static str),
    Off,
    Skip,
}

/// Where a new group begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Start {
    Earliest,
    Latest,
}
