//! The properties of librdkafka's clients: security, Narad's defaults with the reason beside each, and what
//! the application sets itself.

use std::time::Duration;

use super::kind::ClientKind;
use super::properties::{CLASSIC_ONLY, Scope, refused};
use super::{Config, fit};
use crate::error::{Error, Result};
use crate::transport::{ClientProperties, EMBEDDED};

/// What the partitions that a consumer expects to have may prefetch together, in bytes and in records; each
/// has a queue and so a limit of its own. Where it has more of them, each gets less
/// (`consumer/lane/share.rs`). With half of it, small records were consumed at 0.7 of the rate: partitions
/// sat out fetches while their lane was at work.
///
/// librdkafka counts the bytes of values alone. A number that would be safe for records with large headers,
/// 1,024, takes two thirds of the rate of small records, with whatever pause between two looks at a full
/// queue: of such records a lane counts itself what is fetched ahead (`consumer/lane/ahead.rs`).
const PREFETCH: usize = 32 << 20;
const PREFETCH_RECORDS: usize = 90_000;
/// Of so many groups of a process each has that; more share what these have: 256 MiB.
const FULL_GROUPS: usize = 8;
/// What one fetch of all partitions may bring.
const HELPINGS: usize = 64 << 20;

impl Config {
    /// The properties of a client.
    ///
    /// # Errors
    /// A property that librdkafka does not take; the line names the variable.
    pub(crate) fn client_config(&self, kind: ClientKind<'_>) -> Result<ClientProperties> {
        let mut client = self.properties(kind);
        let brokers = if self.is_embedded() { EMBEDDED.to_owned() } else { self.addresses().join(",") };
        client.set("bootstrap.servers", brokers);
        self.accepted(&client)?;
        Ok(client)
    }

    /// librdkafka checks names and values together.
    pub(super) fn accepted(&self, client: &ClientProperties) -> Result<()> {
        client.check().map_err(|refusal| Error::Config(client.worded(refusal)))
    }

    pub(super) fn properties(&self, kind: ClientKind<'_>) -> ClientProperties {
        let mut client = ClientProperties::new(refused);
        client.set("client.id", &self.client_id);
        self.secure(&mut client);
        for (name, value) in [
            // Small requests do not wait for others.
            ("socket.nagle.disable", "true"),
            // Connections that balancers cut idle are found.
            ("socket.keepalive.enable", "true"),
            // Doubled up to the longest. librdkafka waits for half of it before it connects to a broker that
            // it has just heard of, so that its default of 100 costs a start 50 ms for each client.
            ("reconnect.backoff.ms", "20"),
            ("reconnect.backoff.max.ms", "5000"),
            // Topics are made by Narad, where that is allowed, and by nobody's typing error.
            ("allow.auto.create.topics", "false"),
            // A new partition or leader is known within this.
            ("topic.metadata.refresh.interval.ms", "30000"),
        ] {
            client.set(name, value);
        }
        let scope = match kind {
            ClientKind::Consumer { group, partitions, groups } => {
                self.consume(&mut client, group, partitions, groups);
                Scope::Consumer
            }
            ClientKind::Producer => {
                self.produce(&mut client);
                Scope::Producer
            }
            ClientKind::Admin => Scope::Both,
        };
        let new_protocol = self.librdkafka.get("group.protocol") == Some("consumer");
        fit::put(&mut client, self.librdkafka.of(scope), kind);
        if new_protocol {
            for name in CLASSIC_ONLY {
                client.remove(name);
            }
        }
        client
    }

    /// Whether the application says itself what may be fetched ahead of a partition.
    pub(crate) fn sets_prefetch(&self) -> bool {
        ["queued.max.messages.kbytes", "queued.min.messages"]
            .iter()
            .any(|name| self.librdkafka.get(name).is_some())
    }

    /// How long a member may go without a poll before the group goes on without it.
    pub(crate) fn max_poll_interval(&self) -> Duration {
        self.milliseconds("max.poll.interval.ms", 300_000)
    }

    /// How long the coordinator waits for a member that it hears nothing of.
    pub(crate) fn session_timeout(&self) -> Duration {
        self.milliseconds("session.timeout.ms", 45_000)
    }

    /// A property that the application may set, or librdkafka's default.
    fn milliseconds(&self, property: &str, default: u64) -> Duration {
        let set = self.librdkafka.get(property).and_then(|value| value.parse().ok());
        Duration::from_millis(set.unwrap_or(default))
    }

    fn secure(&self, client: &mut ClientProperties) {
        if self.is_embedded() {
            client.set("security.protocol", "plaintext");
            return;
        }
        let protocol = match (self.ssl, self.has_login()) {
            (false, false) => "plaintext",
            (true, false) => "ssl",
            (false, true) => "sasl_plaintext",
            (true, true) => "sasl_ssl",
        };
        client.set("security.protocol", protocol);
        if self.ssl {
            // `probe` looks where the systems keep their authorities; the vendored OpenSSL knows none.
            if self.ssl_ca.is_none() {
                client.set("ssl.ca.location", "probe");
            }
            client.set("ssl.endpoint.identification.algorithm", "https");
            client.set("enable.ssl.certificate.verification", "true");
            for (name, pem) in
                [("ssl.ca", &self.ssl_ca), ("ssl.certificate", &self.ssl_cert), ("ssl.key", &self.ssl_key)]
            {
                if let Some(pem) = pem {
                    let (form, value) = pem.property();
                    client.set(format!("{name}.{form}"), value);
                }
            }
            if let Some(password) = &self.ssl_key_password {
                client.set("ssl.key.password", password.reveal());
            }
        }
        self.log_in(client);
    }

    fn consume(&self, client: &mut ClientProperties, group: &str, partitions: usize, groups: usize) {
        let partitions = partitions.max(1);
        // A broker answers a partition with whole batches or, beyond the first, with nothing: with less than
        // a batch, which 256 KiB is under load, a fetch brings one partition's records only. At 64 KiB, 256
        // partitions were consumed at half of the rate.
        let helping = (HELPINGS / partitions).clamp(64 << 10, 256 << 10);
        // A queue that is nearly full takes one more helping, and an answer stays in memory as long as one of
        // its records does. Beside many partitions that would be two whole batches of each: there a queue is
        // filled when it is empty.
        let bytes = PREFETCH * FULL_GROUPS / groups.max(FULL_GROUPS);
        let queued = (bytes / partitions).min(4 << 20).saturating_sub(2 * helping).max(1 << 10);
        for (name, value) in [
            ("group.id", group.to_owned()),
            // Nothing is stored or committed but by Narad.
            ("enable.auto.commit", "false".to_owned()),
            ("enable.auto.offset.store", "false".to_owned()),
            // A bit that flipped on the way or on a disk is found out before a handler sees it.
            ("check.crcs", "true".to_owned()),
            // Narad goes to the earliest by itself, and says so.
            ("auto.offset.reset", "error".to_owned()),
            // Nothing of an open or aborted transaction is handled.
            ("isolation.level", "read_committed".to_owned()),
            // Says where a partition is drained: what lies before that and is no record is committed, too.
            ("enable.partition.eof", "true".to_owned()),
            // Partitions that stay are not interrupted.
            ("partition.assignment.strategy", "cooperative-sticky".to_owned()),
            // librdkafka's 1000 lets a drained consumer idle for a second.
            ("fetch.queue.backoff.ms", "10".to_owned()),
            // A broker has one fetch at a time, and one that asks for idle partitions only, while the busy
            // ones have enough, waits this long for them: with librdkafka's 500, a million small records took
            // 1.4 times as long. Each empty fetch costs about 40 µs, here and at the broker: many groups
            // together ask no more often than fourteen. A broker answers at once where there is a record; a
            // new partition of a broker waits for what was asked before.
            ("fetch.wait.max.ms", (7 * groups).clamp(100, 1_000).to_string()),
            ("queued.max.messages.kbytes", (queued >> 10).to_string()),
            // librdkafka's own bookkeeping outweighs small records.
            ("queued.min.messages", (PREFETCH_RECORDS / partitions).clamp(500, PREFETCH_RECORDS).to_string()),
            // What a partition adds to a response.
            ("fetch.message.max.bytes", helping.to_string()),
            ("fetch.max.bytes", (8 << 20).to_string()),
            // Has to hold a response of that size, and the largest single record that a broker takes.
            ("receive.message.max.bytes", (100 << 20).to_string()),
        ] {
            client.set(name, value);
        }
        for (name, value) in self.profile.consumer() {
            client.set(*name, *value);
        }
        if self.is_embedded() {
            // The mock cluster holds an empty fetch for this long, whatever comes meanwhile.
            client.set("fetch.wait.max.ms", "10");
            // And it has whoever joins after somebody has left wait for a session less a second.
            client.set("session.timeout.ms", "3000").set("heartbeat.interval.ms", "300");
        }
    }

    fn produce(&self, client: &mut ClientProperties) {
        for (name, value) in [
            ("acks", "all"),
            ("enable.idempotence", "true"),
            // As Java's and KafkaJS's clients place keys.
            ("partitioner", "murmur2_random"),
            // Memory of a producer is bounded.
            ("queue.buffering.max.kbytes", "32768"),
            ("queue.buffering.max.messages", "200000"),
            // The broker's limit decides.
            ("message.max.bytes", "16777216"),
            ("compression.type", "none"),
            // What a consumer takes of a partition at once, see HELPINGS.
            ("batch.size", "262144"),
        ] {
            client.set(name, value);
        }
        for (name, value) in self.profile.producer() {
            client.set(*name, *value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(groups: usize, partitions: usize, property: &str) -> usize {
        let client = Config::default().properties(ClientKind::Consumer { group: "g", partitions, groups });
        client.get(property).and_then(|value| value.parse().ok()).unwrap()
    }

    #[test]
    fn many_groups_of_a_process_share_what_a_few_may_prefetch() {
        for groups in [1, 8, 9, 20, 100, 400] {
            let all = groups * 16 * (of(groups, 16, "queued.max.messages.kbytes") << 10);
            assert!(all <= 256 << 20, "{groups} groups: {all} bytes");
            assert!(of(groups, 1_000, "queued.max.messages.kbytes") >= 1, "librdkafka takes no less");
        }
        assert_eq!(of(1, 16, "queued.max.messages.kbytes"), of(8, 16, "queued.max.messages.kbytes"));
    }

    #[test]
    fn many_idle_groups_ask_no_more_often_than_fourteen() {
        assert_eq!(
            [1, 14, 40, 100, 500].map(|groups| of(groups, 1, "fetch.wait.max.ms")),
            [100, 100, 280, 700, 1_000]
        );
    }
}
