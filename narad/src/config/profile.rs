//! What the clients are tuned for.

/// What the clients are tuned for. Both profiles keep every guarantee and the limit of memory. A property
/// that the application sets itself wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// `latency`: a record is sent and fetched as soon as possible. Under load, records collect in batches
    /// while earlier ones are on their way.
    #[default]
    Latency,
    /// `throughput`: records wait up to 5 ms to be sent together, and a broker may hold a fetch for up to 50
    /// ms until it has 64 KiB: fewer requests, less processor time for brokers, better compression. Use it
    /// for services that send without waiting for each acknowledgement; a task that waits for each of them
    /// gets slower.
    Throughput,
}

impl Profile {
    /// The properties of a consumer.
    pub(super) fn consumer(self) -> &'static [(&'static str, &'static str)] {
        match self {
            // librdkafka's own: an answer as soon as there is a byte.
            Self::Latency => &[],
            Self::Throughput => &[("fetch.min.bytes", "65536"), ("fetch.wait.max.ms", "50")],
        }
    }

    /// The properties of a producer.
    pub(super) fn producer(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Latency => &[("linger.ms", "0")],
            // Java's own. With 20, `publish_all` of 10,000 events at a time ran at half of the rate: each
            // waits for its last batch.
            Self::Throughput => &[("linger.ms", "5")],
        }
    }
}
