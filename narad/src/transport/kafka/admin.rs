//! Topic administration: which topics there are, and making those that are missing. Blocks; never called on
//! an async thread.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic as NativeTopic, OwnedResourceSpecifier,
    ResourceSpecifier, TopicReplication,
};
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::metadata::{Metadata, MetadataPartition, MetadataTopic};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::ffi::{Handle, LoggedIn, group_members, leaders};
use super::said;
use crate::error::{Error, Result};
use crate::transport::ClientProperties;
use crate::transport::admin::{Admin, NewTopic, Refused, Topic};

/// A request to the brokers has so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a start waits to hear of the members of its groups.
const MEMBERS: Duration = Duration::from_secs(2);
/// It is made again after this, where the connection broke.
const AGAIN: Duration = Duration::from_millis(100);

/// A client for administration. It is made, used and dropped on one thread of the caller's, which is none of
/// an async runtime.
pub(crate) struct KafkaAdmin {
    client: LoggedIn<AdminClient<Quiet>>,
}

/// Faults of this client are faults of the producer's, which says them.
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(target: "librdkafka", facility, "{}", said(text));
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason);
    }

    fn stats_raw(&self, _: &[u8]) {}
}

impl KafkaAdmin {
    pub(super) fn open(properties: &ClientProperties) -> Result<Self> {
        let client = properties
            .native()
            .and_then(|config| Ok(AdminClient::from_config_and_context(&config, Quiet)?))
            .map_err(|refusal| Error::Config(properties.worded(refusal)))?;
        let client = LoggedIn::new(client, properties.tokens(), |client| Handle::of(client.inner()));
        Ok(Self { client })
    }
}

impl Admin for KafkaAdmin {
    fn topics(&self) -> Result<Vec<Topic>> {
        let list = || self.client.inner().fetch_metadata(None, PATIENCE);
        let metadata = insist("the topics cannot be listed", list)?;
        let mut topics: Vec<Topic> = metadata
            .topics()
            .iter()
            .filter(|topic| topic.error().is_none() && !topic.name().starts_with("__"))
            .map(|topic| Topic { name: topic.name().to_owned(), partitions: topic.partitions().len() })
            .collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    fn names(&self) -> Result<BTreeSet<String>> {
        let list = || self.client.inner().fetch_metadata(None, PATIENCE);
        let metadata = insist("the topics cannot be listed", list)?;
        let is_there =
            |topic: &&MetadataTopic| topic.error().map(Code::from) != Some(Code::UnknownTopicOrPartition);
        let names = metadata.topics().iter().filter(is_there).map(|topic| topic.name().to_owned());
        Ok(names.filter(|name| !name.starts_with("__")).collect())
    }

    fn group_members(&self, groups: &[&str]) -> BTreeMap<String, usize> {
        group_members(self.client.inner(), groups, MEMBERS)
    }

    fn is_denied(&self, topic: &str) -> bool {
        self.client.inner().fetch_metadata(Some(topic), PATIENCE).is_ok_and(|metadata| {
            metadata
                .topics()
                .iter()
                .any(|shown| shown.error().map(Code::from) == Some(Code::TopicAuthorizationFailed))
        })
    }

    fn create(&self, topics: &[NewTopic]) -> Result<()> {
        // librdkafka refuses a request about nothing.
        if topics.is_empty() {
            return Ok(());
        }
        let refused = self.request(topics)?;
        if !refused.is_empty() {
            return Err(Error::Start(format!("topics cannot be created: {}", Refused::list(&refused))));
        }
        match topics.iter().find(|topic| !await_leaders(self.client.inner(), &topic.name, PATIENCE)) {
            Some(topic) => Err(Error::Start(format!(
                "topic {} was created, but no broker answers for all of its partitions",
                topic.name
            ))),
            None => Ok(()),
        }
    }

    fn request(&self, topics: &[NewTopic]) -> Result<Vec<Refused>> {
        let sizes: Vec<Option<String>> =
            topics.iter().map(|topic| topic.max_message_bytes.map(|bytes| bytes.to_string())).collect();
        let natives: Vec<NativeTopic<'_>> = topics
            .iter()
            .zip(&sizes)
            .map(|(topic, size)| {
                let native = NativeTopic::new(&topic.name, -1, TopicReplication::Fixed(-1));
                match size {
                    Some(size) => native.set("max.message.bytes", size),
                    None => native,
                }
            })
            .collect();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE));
        // What was made by a request whose answer got lost is there for the next.
        let create = || block_on(self.client.create_topics(&natives, &options));
        let results = insist("topics cannot be created", create)?;
        let refused =
            results.into_iter().filter_map(Result::err).filter(|(_, code)| *code != Code::TopicAlreadyExists);
        Ok(refused
            .map(|(topic, code)| Refused { topic, fault: code.into(), mendable: is_mendable(code) })
            .collect())
    }

    fn max_message_bytes(&self, topics: &[&str]) -> Result<HashMap<String, u64>> {
        if topics.is_empty() {
            return Ok(HashMap::new());
        }
        let resources: Vec<ResourceSpecifier<'_>> =
            topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let describe = || block_on(self.client.describe_configs(&resources, &options));
        let described = insist("topics cannot be described", describe)?;
        let limit = |config: ConfigResource| match config.specifier {
            OwnedResourceSpecifier::Topic(ref topic) => {
                Some((topic.clone(), config.get("max.message.bytes")?.value.as_deref()?.parse().ok()?))
            }
            _ => None,
        };
        Ok(described.into_iter().filter_map(|config| limit(config.ok()?)).collect())
    }
}

/// Whether the same request may go through later.
fn is_mendable(code: Code) -> bool {
    !matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::InvalidTopic
            | Code::PolicyViolation
            | Code::InvalidConfig
            | Code::InvalidReplicationFactor
            | Code::InvalidPartitions
    )
}

/// Waits until each partition of a topic has a leader that answers for it; `false`: not within this time.
/// Blocks.
///
/// A broker that metadata names as the leader of a new partition refuses it until it has learnt of it itself,
/// and a producer may lose the first records that are refused so (see the producer's `delivery`).
pub(crate) fn await_leaders<C: ClientContext>(client: &Client<C>, topic: &str, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    let is_led =
        |metadata: Metadata| metadata.topics().iter().any(|shown| leaders_answer(client, shown, patience));
    while !client.fetch_metadata(Some(topic), patience).is_ok_and(is_led) {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
    true
}

/// Whether each partition of a topic, as metadata show it, has a leader that answers for it. Blocks.
pub(crate) fn leaders_answer<C: ClientContext>(
    client: &Client<C>,
    topic: &MetadataTopic,
    timeout: Duration,
) -> bool {
    topic.error().is_none()
        && !topic.partitions().is_empty()
        && leaders::answer(
            client,
            topic.name(),
            topic.partitions().iter().map(MetadataPartition::id),
            timeout,
        )
}

/// Asks again where the connection broke: librdkafka fails what was asked over it, and connects anew.
fn insist<T>(what: &str, ask: impl Fn() -> KafkaResult<T>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Err(error) if is_of_a_connection(&error) && Instant::now() < deadline => thread::sleep(AGAIN),
            asked => return asked.map_err(|error| failed(what, &error)),
        }
    }
}

fn is_of_a_connection(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::NetworkException)
    )
}

fn failed(what: &str, error: &KafkaError) -> Error {
    Error::Start(match error.rdkafka_error_code() {
        Some(code) => format!("{what}: {code}"),
        None => format!("{what}: {error}"),
    })
}

/// The futures of rdkafka's admin client are resolved by its own thread, so that a thread without a runtime
/// can wait for them.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
#[path = "admin_tests.rs"]
mod tests;
