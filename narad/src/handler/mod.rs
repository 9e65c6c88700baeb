//! A handler as the engine sees it: what it takes, how it is called, what it gives back.

mod extract;
mod extracted;
mod from_record;
mod header;
mod input;
mod item;
mod param;
mod rejection;
mod reply;
mod returning;
mod slot;
mod takes;

use crate::codec::About;

pub use extract::Extract;
pub use extracted::{Extracted, wait};
pub use from_record::FromRecord;
pub use header::FromHeader;
pub use input::Input;
pub use item::Item;
pub(crate) use narad_syntax::options::{LeftOver, Ordering, Start};
pub use param::{NoEvent, NotBesideBatch, Param, Probe, assert_batch, assert_fits, assert_no_batch, kind};
pub(crate) use rejection::Rejection;
pub use rejection::{IntoRejection, Rejected};
pub use reply::{Events, IntoReply, Reply, Returned, ReturnedError, Returns, SentError, result_into_reply};
pub(crate) use returning::Encoded;
pub use slot::Slot;
pub use takes::{EventKind, Takes};

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
    /// Whether it takes several records at once.
    pub fn is_batch(&self) -> bool {
        self.params.iter().any(|takes| matches!(takes(), Takes::Batch(_)))
    }

    /// What each parameter takes of a record, in order; a batch what it takes of each of its records.
    pub fn takes_of_a_record(&self) -> impl Iterator<Item = Takes> {
        self.takes().map(|takes| if let Takes::Batch(each) = takes { each() } else { takes })
    }

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

/// The options as the attribute has them.
#[doc(hidden)]
pub type OptionsSpec = narad_syntax::options::Options<&'static str>;

/// `dead_letter = …` as the attribute has it.
#[doc(hidden)]
pub type DeadLetterSpec = narad_syntax::options::DeadLetter<&'static str>;
