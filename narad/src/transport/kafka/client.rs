//! One consumer client of librdkafka's, for one group.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, Statistics, TopicPartitionList};

use super::ffi::LoggedIn;
use super::{ffi, said};
use crate::transport::{
    Begin, ClientProperties, CommitError, Fault, GroupEvents, Member, OwnedMessage, Partition, ReadPosition,
    Signal,
};

pub(super) mod asking;
mod reading;

/// So many events are served in a row.
const SERVED_AT_ONCE: usize = 1_000;

/// As rdkafka takes an offset.
fn offset(at: ReadPosition) -> Offset {
    if at.next < 0 { Offset::Beginning } else { Offset::Offset(at.next) }
}

/// A member with a name has so long to say that it ends, where records keep its client.
const END: Duration = Duration::from_secs(2);

/// One consumer client. Polled and closed by the group's own thread; where records outlive the group, the
/// last of them takes it along.
pub(crate) struct Client {
    /// Shared only for the moment in which it is handed to the thread that drops it.
    consumer: LoggedIn<Arc<BaseConsumer<Events>>>,
    /// A member with a name of its own keeps its partitions over a restart: it does not leave.
    stays: bool,
    /// Events wait, or somebody wants who polls to look up.
    signal: Arc<Signal>,
    /// The thread that drops it may wait for brokers.
    may_wait: bool,
}

struct Events {
    client: OnceLock<Weak<Client>>,
    /// Partitions that the group gave and that were not assigned: librdkafka refuses to unassign them.
    left_out: Mutex<HashSet<(String, i32)>>,
    /// How many were served.
    rebalances: AtomicUsize,
    sink: Arc<dyn GroupEvents>,
}

impl Client {
    pub(crate) fn create(
        properties: &ClientProperties,
        sink: Arc<dyn GroupEvents>,
    ) -> Result<Arc<Self>, String> {
        let events = Events {
            client: OnceLock::new(),
            left_out: Mutex::default(),
            rebalances: AtomicUsize::new(0),
            sink,
        };
        let mut consumer = properties
            .native()
            .and_then(|config| Ok(config.create_with_context::<_, BaseConsumer<Events>>(events)?))
            .map_err(|refusal| properties.worded(refusal))?;
        let signal = Arc::<Signal>::default();
        let filled = signal.clone();
        consumer.set_nonempty_callback(move || filled.give());
        let stays = properties.get("group.instance.id").is_some();
        let consumer = LoggedIn::new(Arc::new(consumer), properties.tokens(), |consumer| {
            ffi::Handle::of(consumer.client())
        });
        let client = Arc::new(Self { consumer, stays, signal, may_wait: false });
        client.consumer.context().client.set(Arc::downgrade(&client)).ok();
        Ok(client)
    }

    /// Whether the partitions were lost, known before the callback that says so is served.
    pub(crate) fn is_assignment_lost(&self) -> bool {
        self.consumer.assignment_lost()
    }

    /// Always a list of names; patterns are resolved by the caller.
    pub(crate) fn subscribe(&self, topics: &[&str]) -> Result<(), String> {
        self.consumer.subscribe(topics).map_err(|error| error.to_string())
    }

    /// Leaves the group, as far as the next poll; a subscription joins it again.
    pub(crate) fn unsubscribe(&self) {
        self.consumer.unsubscribe();
    }

    /// Ends the wait of [`poll`](Self::poll).
    pub(crate) fn signal(&self) -> &Arc<Signal> {
        &self.signal
    }

    /// Waits for events, or the [signal](Self::signal), for at most this long, and serves all that is there:
    /// rebalances, errors, logs. Records come through the partitions' own queues.
    ///
    /// The wait is not rdkafka's, which nothing but an event ends: it would have to be cut short many times a
    /// second for a stop to be seen.
    pub(crate) fn poll(&self, timeout: Duration) {
        if !self.has_waiting() {
            self.signal.wait(timeout);
        }
        // Without an event, too: it tells librdkafka that the application is alive.
        self.serve_one();
        self.serve();
    }

    fn serve_one(&self) {
        let sink = &self.consumer.context().sink;
        match self.consumer.poll(Duration::ZERO) {
            None => {}
            Some(Ok(message)) => {
                let owned = OwnedMessage {
                    offset: message.offset(),
                    timestamp: message.timestamp().to_millis(),
                    key: message.key().map(<[u8]>::to_vec),
                    payload: message.payload().map(<[u8]>::to_vec),
                    headers: super::ffi::headers(&message),
                };
                sink.stray(message.topic(), message.partition(), owned);
            }
            // The event says that there is a fatal error, the client which.
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                match self.consumer.client().fatal_error() {
                    Some((code, reason)) => sink.error(Some(code.into()), true, &reason),
                    None => sink.error(Some(code.into()), true, "the client gave up"),
                }
            }
            // Told with its reason already, by `Events::error`.
            Some(Err(_)) => {}
        }
    }

    /// Serves all that waits to be served now; whether a rebalance was among it. It is answered by its own
    /// callback then: librdkafka takes every assignment for an answer, so whoever makes one beside the
    /// callbacks serves first, and leaves it to a later round where there was one.
    pub(crate) fn serve(&self) -> bool {
        let rebalances = || self.consumer.context().rebalances.load(Relaxed);
        let before = rebalances();
        // A poll takes one event. What keeps coming is left to the next round.
        for _ in 0..SERVED_AT_ONCE {
            if !self.has_waiting() {
                break;
            }
            self.serve_one();
        }
        rebalances() != before
    }

    /// Whether something waits to be served, as a rebalance.
    pub(crate) fn has_waiting(&self) -> bool {
        ffi::waiting_events(self.handle()) > 0
    }

    /// How many partitions a topic has.
    pub(crate) fn partitions(&self, topic: &str, timeout: Duration) -> Result<usize, String> {
        let metadata =
            self.consumer.fetch_metadata(Some(topic), timeout).map_err(|error| error.to_string())?;
        Ok(metadata.topics().iter().map(|topic| topic.partitions().len()).sum())
    }

    /// Leaves the group as far as the next poll, unless the member has a name of its own: it keeps its
    /// partitions over a restart.
    pub(crate) fn unsubscribe_unless_named(&self) {
        if !self.stays {
            self.consumer.unsubscribe();
        }
    }

    /// Whether the group's coordinator answers within so long; it is asked what is committed of a partition.
    pub(crate) fn answers(&self, partition: (&str, i32), patience: Duration) -> bool {
        match self.committed(&[partition], patience) {
            Ok(_) => true,
            Err(CommitError::Refused(fault)) => fault.of_broker,
            Err(_) => false,
        }
    }

    /// Leaves the group and destroys the client, on the calling thread. Called while the coordinator answers;
    /// where it does not, this waits for it. Records that the application still holds keep the client: it
    /// goes with the last of them.
    pub(crate) fn close(self: Arc<Self>, patience: Duration) {
        // The group is left first, so that the partitions go on elsewhere whatever is still held here.
        self.unsubscribe_unless_named();
        let deadline = Instant::now() + patience;
        let mut client = self;
        loop {
            match Arc::try_unwrap(client) {
                Ok(mut only) => {
                    only.may_wait = true;
                    return drop(only);
                }
                Err(shared) if Instant::now() < deadline => {
                    shared.poll(Duration::from_millis(10));
                    client = shared;
                }
                Err(shared) => {
                    tracing::warn!(
                        "records outlive their consumer group; its client goes when the last of them is \
                         dropped"
                    );
                    return shared.end_membership();
                }
            }
        }
    }

    /// Ends the membership of one that did not leave: nobody polls it any more, and it would keep its
    /// partitions for `max.poll.interval.ms`. What was fetched stays readable.
    fn end_membership(&self) {
        if !self.stays {
            return;
        }
        if let Err(error) = self.consumer.close_queue() {
            return tracing::debug!("the member cannot be ended: {error}");
        }
        let deadline = Instant::now() + END;
        while !self.consumer.closed() && Instant::now() < deadline {
            self.poll(Duration::from_millis(10));
        }
    }
}

impl Drop for Client {
    /// Destroying it waits for brokers, and whoever drops the last record may be a thread of the
    /// application's runtime.
    fn drop(&mut self) {
        if self.may_wait {
            return;
        }
        let mut consumer = Arc::clone(&self.consumer);
        let end = move || loop {
            match Arc::try_unwrap(consumer) {
                Ok(only) => return drop(only),
                // Whoever dropped the client is about to let go of it.
                Err(shared) => {
                    consumer = shared;
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        };
        if std::thread::Builder::new().name("narad-end".to_owned()).spawn(end).is_err() {
            // Without a thread it stays until the process ends.
            std::mem::forget(Arc::clone(&self.consumer));
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let message = said(message);
        // Connection errors come once an attempt; the outage itself is told once, by `error`.
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: "librdkafka", facility, "{message}")
            }
            _ => tracing::debug!(target: "librdkafka", facility, "{message}"),
        }
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        // A fatal one comes out of `poll` as well, and is told there.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::Fatal) {
            self.sink.error(error.rdkafka_error_code().map(Fault::from), false, reason);
        }
    }
}

impl ConsumerContext for Events {
    // rdkafka's own ignores what assign and unassign answer.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, kind: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let Some(client) = self.client.get().and_then(Weak::upgrade) else {
            // The client is being closed: its partitions are let go already.
            return report(consumer.unassign());
        };
        self.rebalances.fetch_add(1, Relaxed);
        self.sink.paused(&*client);
        let member: Arc<dyn Member> = client.clone();
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let mut partitions: Vec<Partition> = list
            .elements()
            .iter()
            .map(|element| Partition {
                topic: element.topic().to_owned(),
                partition: element.partition(),
                begin: Begin::Committed,
            })
            .collect();
        match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                self.sink.assigned(&member, &mut partitions);
                for partition in &partitions {
                    self.leave_out(partition, partition.begin == Begin::Nowhere);
                }
                // In the order of the list: rdkafka's own way looks for each from the first one on.
                for (element, partition) in list.elements().iter_mut().zip(&partitions) {
                    report(match partition.begin {
                        Begin::Committed | Begin::Nowhere => Ok(()),
                        Begin::Beginning => element.set_offset(Offset::Beginning),
                        Begin::At(position) => element.set_offset(offset(position)),
                    });
                }
                let narrowed = self.narrowed(list);
                let list = narrowed.as_ref().unwrap_or(list);
                report(if cooperative { consumer.incremental_assign(list) } else { consumer.assign(list) });
                client.validate(&partitions);
                self.sink.began();
            }
            _ => {
                // Read before unassigning, which forgets it.
                if consumer.assignment_lost() {
                    self.sink.lost(&member, &partitions);
                } else {
                    self.sink.revoked(&member, &partitions);
                }
                let narrowed = self.narrowed(list);
                let list = narrowed.as_ref().unwrap_or(list);
                partitions.iter().for_each(|partition| self.leave_out(partition, false));
                report(if cooperative { consumer.incremental_unassign(list) } else { consumer.unassign() });
            }
        }
    }
}

impl Events {
    fn leave_out(&self, partition: &Partition, out: bool) {
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (partition.topic.clone(), partition.partition);
        if out {
            left_out.insert(place);
        } else {
            left_out.remove(&place);
        }
    }

    /// The list without what is not to be assigned, or was not; `None` where that is all of it. The list
    /// itself is librdkafka's.
    fn narrowed(&self, list: &TopicPartitionList) -> Option<TopicPartitionList> {
        let left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        let is_out = |element: &TopicPartitionListElem<'_>| {
            left_out.contains(&(element.topic().to_owned(), element.partition()))
        };
        let elements = list.elements();
        if left_out.is_empty() || !elements.iter().any(is_out) {
            return None;
        }
        let mut others = TopicPartitionList::with_capacity(elements.len());
        for element in elements.iter().filter(|element| !is_out(element)) {
            report(others.add_partition(element.topic(), element.partition()).set_offset(element.offset()));
        }
        Some(others)
    }
}

fn report(result: KafkaResult<()>) {
    if let Err(error) = result {
        tracing::error!("the consumer refused its assignment: {error}");
    }
}

#[cfg(test)]
mod pauses;
#[cfg(test)]
mod tests;
