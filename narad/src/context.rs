//! The context of one attempt: where the record came from, who handles it, and the way out.

use std::sync::Arc;

use crate::application::Narad;
use crate::codec::Shape;
use crate::codec::{Body, DecodeError, Outline};
use crate::event::TopicEvent;
use crate::producer::{Producer, Sending};
use crate::record::Record;
use crate::state::{State, States};

/// The context of one attempt at a record. Owned and cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    record: Record,
    outline: Outline,
    scope: Arc<Scope>,
    attempt: u32,
}

/// A fencing token, to tell the writes of a partition's owners apart: a later owner has a higher generation,
/// and within one generation a later record of a key has a higher offset. With static membership
/// (`group.instance.id`), a process that takes over the instance id of another one within the session also
/// takes over its generation: the token cannot tell these two apart.
///
/// The generation counts the rebalances of the group; with `group.protocol=consumer` it is the member's
/// epoch. It begins again at the start if the broker has forgotten the group (`offsets.retention.minutes`
/// after its last member left).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Fence {
    /// The generation of the group when the partition was assigned to this process; -1 if the broker did not
    /// say it.
    pub generation: i32,
    /// The record's partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
}

/// What all attempts of one handler share.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) handler: String,
    pub(crate) group: Arc<str>,
    /// The shape of the handler's event.
    pub(crate) shape: Option<&'static Shape>,
    /// It takes several records at once.
    pub(crate) is_batch: bool,
    pub(crate) states: Arc<States>,
    pub(crate) narad: Narad,
}

impl Context {
    pub(crate) fn new(record: Record, outline: Outline, scope: Arc<Scope>, attempt: u32) -> Self {
        Self { record, outline, scope, attempt }
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    pub(crate) fn outline(&self) -> Outline {
        self.outline
    }

    pub(crate) fn shape(&self) -> &'static Shape {
        self.scope.shape.unwrap_or(&Shape::UNKNOWN)
    }

    pub(crate) fn body(&self) -> Body<'_> {
        Body { record: &self.record, outline: self.outline }
    }

    /// What is wrong with the record as a whole, where the handler takes an event of it; that is found by who
    /// decodes the event, if nobody else has looked.
    pub(crate) fn malformed_event(&self) -> Option<DecodeError> {
        self.scope.shape?;
        let body = self.body().completed();
        if body.outline.is_malformed() { body.check().err() } else { None }
    }

    /// Whether it is of the first of several records.
    pub(crate) fn is_of_a_batch(&self) -> bool {
        self.scope.is_batch
    }

    pub(crate) fn producer(&self) -> &Producer {
        self.scope.narad.producer()
    }

    pub(crate) fn client_id(&self) -> &str {
        self.producer().client_id()
    }

    pub(crate) fn shared_state<S: Send + Sync + 'static>(&self) -> Option<State<S>> {
        self.scope.states.get()
    }

    /// The topic the record was read from.
    pub fn topic(&self) -> &str {
        self.record.topic()
    }

    /// The partition the record was read from.
    pub fn partition(&self) -> i32 {
        self.record.partition()
    }

    /// The record's offset in its partition.
    pub fn offset(&self) -> i64 {
        self.record.offset()
    }

    /// The record's key; an empty key is `Some`, a missing one `None`.
    pub fn key(&self) -> Option<&[u8]> {
        self.record.key()
    }

    /// The record's timestamp, in milliseconds since the Unix epoch.
    pub fn timestamp(&self) -> Option<i64> {
        self.record.timestamp()
    }

    /// The value of the last header of this name; `None` where there is none or its value is null.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.record.header(name)
    }

    /// All headers in their order, with duplicates and nulls.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.record.headers()
    }

    /// The consumer group.
    pub fn group(&self) -> &str {
        &self.scope.group
    }

    /// The handler's name.
    pub fn handler(&self) -> &str {
        &self.scope.handler
    }

    /// Which attempt at the record this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether this process still owns the record's partition, as far as it knows: `false` once the partition
    /// was revoked or lost. A suspended process learns of a loss only shortly after it resumes. For writes
    /// that a former owner must not make, use the [`fence`](Self::fence).
    pub fn is_owned(&self) -> bool {
        self.record.assignment().is_current()
    }

    /// The fencing token of this attempt, for conditional writes: if a store accepts no generation below the
    /// last one that it accepted for the partition, it refuses the writes of a former owner.
    ///
    /// ```
    /// # use narad::{Fence, prelude::*};
    /// # #[derive(Event)] struct Paid { order: String }
    /// # struct Store;
    /// # impl Store { async fn pay(&self, _: &str, _: Fence) -> Result<(), String> { Ok(()) } }
    /// #[kafka_handler(topic = "payments", group = "ledger")]
    /// async fn book(event: Paid, ctx: Context, store: State<Store>) -> Result<(), String> {
    ///     // UPDATE orders SET paid = true, generation = $1, offset = $2 WHERE id = $3 AND (generation, offset) < ($1, $2)
    ///     store.pay(&event.order, ctx.fence()).await
    /// }
    /// ```
    pub fn fence(&self) -> Fence {
        Fence {
            generation: self.record.assignment().membership.generation,
            partition: self.partition(),
            offset: self.offset(),
        }
    }

    /// The state of this type that was given to the builder; `None` if there is none.
    pub fn state<S: Send + Sync + 'static>(&self) -> Option<&S> {
        self.scope.states.get_ref()
    }

    /// The application: everything that it can send, and its health and views. It sends at once, whether or
    /// not the attempt succeeds. A returned event is acknowledged before the record counts as done, and has
    /// the same id in a second run for the record. This application is already running:
    /// [`run`](crate::Narad::run) is an error, and [`disconnect`](crate::Narad::disconnect) starts the stop
    /// and resolves at once, because the stop waits for the handler. It may be kept: after the end of the run
    /// its sends fail with [`NotConnected`](crate::Error::NotConnected).
    ///
    /// ```
    /// # use narad::prelude::*;
    /// # #[derive(Event)] struct Uploaded { name: String }
    /// #[kafka_handler(topic = "uploads", group = "thumbnails")]
    /// async fn shrink(uploaded: Uploaded, ctx: Context) -> narad::Result<()> {
    ///     ctx.narad().raw("thumbnails", [0_u8; 16]).key(uploaded.name).send().await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn narad(&self) -> &Narad {
        &self.scope.narad
    }

    /// Publishes an event to its topic, as [`Narad::publish`](crate::Narad::publish) does.
    ///
    /// # Errors
    /// As [`Narad::publish`](crate::Narad::publish).
    pub fn publish<E: TopicEvent>(&self, event: &E) -> Sending {
        self.producer().publish(event)
    }
}
