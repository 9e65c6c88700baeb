//! Sending, as a transport does it: records go with tickets, and with a ticket comes back what became of its
//! record. One call into a transport hands over all records of a call of the application's.

use std::ffi::CStr;
use std::sync::Arc;
use std::time::Duration;

use super::admin::{NewTopic, Refused};
use super::fault::Fault;
use super::message::Outgoing;
use super::properties::ClientProperties;
use crate::error::Result as NaradResult;

/// What travels with a record and comes back with what became of it, in the size of one pointer.
pub(crate) enum Ticket<Whole, Part> {
    /// Shared by all that know of the call.
    Whole(Arc<Whole>),
    /// One of several of a call.
    Part(Box<Part>),
}

/// One call of the application's: records for one topic.
pub(crate) trait Call: Send + Sync + Sized + 'static {
    type Part: Send + Sync + 'static;

    /// The topic's name, as C has it.
    fn topic(&self) -> &CStr;

    /// What travels with the record at this place.
    fn ticket(self: &Arc<Self>, index: usize, record: &Outgoing) -> TicketOf<Self>;
}

pub(crate) type TicketOf<C> = Ticket<C, <C as Call>::Part>;

/// What a producer's client reports, on the thread that serves it or on its own ones.
pub(crate) trait Deliveries: Send + Sync + 'static {
    type Call: Call;

    /// A broker has taken a record. Below zero the offset is not known, and then nothing is proved.
    fn written(&self, ticket: TicketOf<Self::Call>, partition: i32, offset: i64);

    /// A record that was taken over has no acknowledgement.
    fn failed(&self, ticket: TicketOf<Self::Call>, fault: Fault);

    /// A record was not taken over, and never will be.
    fn refused(&self, ticket: TicketOf<Self::Call>, fault: Fault);

    /// Something is wrong with a connection, or with the client.
    fn disturbed(&self, fault: Option<Fault>, reason: &str);

    /// No broker is connected.
    fn all_down(&self);
}

/// What is known of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It is there, and its leaders have answered, or were waited for.
    There,
    /// It cannot be used: it is not there, as a rule.
    Not(Fault),
}

/// The client of a producer. What it is asked may block; records are handed over without waiting.
pub(crate) trait ProducerClient<D: Deliveries>: Asks {
    /// Whom it reports to.
    fn deliveries(&self) -> &D;

    /// Takes over the records of a call, from this place on; of several, those that are taken are emptied.
    /// Gives the place of the first that it does not take for now: a full queue, or a client that gave up.
    fn enqueue(&self, call: &Arc<D::Call>, records: &mut [Outgoing], from: usize) -> usize;

    /// Reports what there is to be reported, and waits for it for at most this long.
    fn serve(&self, patience: Duration);

    /// How many records were taken over and not reported.
    fn in_flight(&self) -> usize;

    /// Why it takes nothing any more and never will, if that is so.
    fn gave_up(&self) -> Option<(Fault, String)>;

    /// The cluster's id, where brokers have told it; waits for nothing.
    fn cluster_id(&self) -> Option<String>;

    /// Gives up all that is in flight: it is reported soon.
    fn purge(&self);

    /// What a broker says of a topic; none is asked of a name that no topic can have.
    ///
    /// # Errors
    /// Why none said it.
    fn look(&self, topic: &str, patience: Duration) -> Result<Seen, String>;

    /// Waits until each partition of a topic has a leader that answers for it; `false`: not in this time.
    fn await_leaders(&self, topic: &str, patience: Duration) -> bool;
}

/// Who can be asked whether a broker is there.
pub(crate) trait Asks: Send + Sync {
    /// Asks any broker for nothing but a sign of life, and waits for the answer: the addresses that the
    /// brokers advertise. Blocks.
    fn ask(&self, patience: Duration) -> Result<Vec<String>, Fault>;
}

/// A certificate of a broker's that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadCertificate {
    /// OpenSSL's error (`X509_V_ERR_…`).
    pub(crate) error: i32,
    /// How far it is from the broker's own, which is 0.
    pub(crate) depth: i32,
    pub(crate) der: Vec<u8>,
}

/// Where producers get their clients.
pub(crate) trait Producers<D: Deliveries>: Send + Sync {
    /// # Errors
    /// Why there is no client, in words for whoever set the properties.
    fn producer(
        &self,
        properties: &ClientProperties,
        deliveries: D,
    ) -> Result<Arc<dyn ProducerClient<D>>, String>;

    /// Another connection with the same properties, over which nothing is written; `None` where there is
    /// none.
    fn second(&self, properties: &ClientProperties) -> Option<Box<dyn Asks>>;

    /// The first certificate that is not accepted in a handshake to which neither a user nor a certificate of
    /// the client goes. Blocks.
    fn bad_certificate(&self, properties: &ClientProperties, patience: Duration) -> Option<BadCertificate>;

    /// Asks the brokers to make a topic; gives whether they refuse. Blocks.
    fn create(&self, properties: &ClientProperties, topic: &NewTopic) -> NaradResult<Vec<Refused>>;

    /// Makes a topic on the broker inside this process. Blocks.
    fn create_embedded(&self, topic: &str) -> NaradResult<()>;
}
