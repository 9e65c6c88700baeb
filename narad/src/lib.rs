#![doc = include_str!("docs/crate.md")]

// What the generated code of this crate's own tests names.
extern crate self as narad;

// From the top down: a module knows only those below it, see `layers.rs`.
// The application.
mod announce;
mod assemble;
mod config;
mod describe;
#[cfg(feature = "http")]
mod http;
mod logging;
#[cfg(feature = "http")]
mod metrics;
mod process;
mod run;
mod send;
mod topics;
// The way of a record, and what stands around an attempt.
mod consumer;
// What becomes of a record, decided: pure.
mod engine;
// Handlers, and what they are given.
mod application;
mod context;
mod handler;
mod layer;
mod registry;
// Sending.
mod connection;
mod dead_letter;
mod producer;
// What users declare, its bytes, and what is shown.
mod batch;
mod codec;
mod event;
mod health;
mod publish;
mod record;
mod view;
// librdkafka.
mod transport;
// What clients log in with.
mod login;
// What everybody may know.
mod clock;
mod discard;
mod envelope;
mod error;
mod json;
mod outcome;
mod runtime;
mod sent;
mod signals;
mod state;
mod stderr;
mod supervision;
mod sync;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod layers;

pub use application::Narad;
pub use batch::{Batch, BatchOutcome};
pub use config::{
    Config, Describe, Environment, HandlerOverrides, LogFormat, Pem, Profile, Properties, SaslMechanism,
    Secret, Variables,
};
pub use context::{Context, Fence};
pub use envelope::{Envelope, Meta};
pub use error::{Error, Result, SendAllError, SendError, SendErrorKind};
pub use event::{Event, EventKey, TopicEvent};
pub use handler::{Extract, FromRecord, IntoRejection, IntoReply};
pub use health::{GroupHealth, Health};
pub use json::Json;
pub use layer::{Layer, Next};
pub use login::{Token, Tokens};
#[cfg(feature = "http")]
pub use metrics::Collector;
#[doc = include_str!("docs/event.md")]
pub use narad_macros::Event;
#[doc = include_str!("docs/event_data.md")]
pub use narad_macros::EventData;
#[doc = include_str!("docs/failure.md")]
pub use narad_macros::Failure;
#[doc = include_str!("docs/kafka_handler.md")]
pub use narad_macros::kafka_handler;
pub use outcome::{Outcome, OutcomeKind};
pub use process::run;
pub use producer::{Sending, SendingAll};
pub use publish::{AnyEvent, Publish};
pub use record::Record;
pub use registry::{EventEntry, HandlerEntry, Registry, ReturnsEvent, TakesEvent, registry};
pub use run::Builder;
pub use send::{EventBuilder, MessageBuilder};
pub use sent::Sent;
pub use state::State;
pub use view::{
    Attempts, CallView, Commits, GroupState, GroupView, HandlerView, LanePhase, LaneView, OldestRecord,
    Rebalances, RecordStage, Settled, TopicView, Unhandled, WaitingRecords,
};
pub use {serde, serde_json};

// Not public API. They stand here so that the compiler's messages call them by these names.
#[doc(hidden)]
pub use event::{DecodeEvent, EventField, OtherEvent, SingleEvent};
#[doc(hidden)]
pub use handler::{Events, FromHeader, Param, Rejected, ReturnedError, SentError};

/// What a program that declares events and handlers uses.
pub mod prelude {
    pub use crate::{
        Batch, Context, Envelope, Event, EventData, Failure, Json, Meta, Outcome, Record, State,
        kafka_handler,
    };
    pub use tokio;
}

/// Names the crates whose handlers are to be linked: `narad::handlers!(my_lib);`.
#[macro_export]
macro_rules! handlers {
    ($($library:ident),+ $(,)?) => {
        $(use $library as _;)+
    };
}

/// Puts events with type or const parameters into the [`registry`], which knows all others by itself:
/// `narad::events!(Changed<Order>);`.
#[macro_export]
macro_rules! events {
    ($($event:ty),+ $(,)?) => {$(
        $crate::__private::inventory::submit! {
            $crate::__private::EventRegistration(&<$event as $crate::Event>::SHAPE)
        }
    )+};
}

/// What generated code reaches. Not public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::codec::{
        About, Body, DecodeError, EncodeError, Encoder, Encoding, Fields, Format, Shape, codecs,
    };
    pub use crate::event::{
        DecodeEvent, Event, EventField, EventKey, Held, NoEventHeld, OtherEvent, SingleEvent, TopicEvent,
        Unwritable, assert_type_differs, assert_types_differ, no_variant, variant_of,
    };
    pub use crate::handler::{
        Call, DeadLetterSpec, EventKind, Extracted, FromHeader, HandlerSpec, Input, IntoReply, Item, NoEvent,
        NotBesideBatch, OptionsSpec, Param, Probe, Reply, Returned, Returns, Slot, Takes, TopicsSpec,
        assert_batch, assert_fits, assert_no_batch, kind, result_into_reply, wait,
    };
    pub use crate::outcome::{Failing, FailureEntry, RetryOverride, Verdict};
    pub use crate::registry::{EventRegistration, Registration};
    /// For Narad's own tests, which are without unsafe code.
    pub use crate::transport::ffi::mock::begin as begin_mock_cluster;
    pub use crate::{Context, Record};
    pub use inventory;
    // The words of options.
    pub use narad_syntax::options::*;
    pub use serde;
    pub use std;
}

/// The Rust code of the repository's pages compiles.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../README.md")]
    mod readme {}
    #[doc = include_str!("../../docs/events.md")]
    mod events {}
    #[doc = include_str!("../../docs/handlers.md")]
    mod handlers {}
    #[doc = include_str!("../../docs/delivery.md")]
    mod delivery {}
    #[doc = include_str!("../../docs/sagas.md")]
    mod sagas {}
    #[doc = include_str!("../../docs/operations.md")]
    mod operations {}
    #[doc = include_str!("../../docs/from-kafkajs.md")]
    mod from_kafkajs {}
    #[doc = include_str!("../../docs/interop.md")]
    mod interop {}
    #[doc = include_str!("../../docs/assistants.md")]
    mod assistants {}
}
