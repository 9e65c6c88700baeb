//! What the clients are tuned for.

/// What the clients are tuned for. Both keep every guarantee and the bound of memory; a property that the
/// application sets itself wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// `latency`: a record goes out and comes in as soon as it can. Under load batches form by themselves,
    /// behind those that are on their way.
    #[default]
    Latency,
    /// `throughput`: records wait up to 5 ms to be sent together, and brokers up to 50 ms to have 64 KiB to
    /// answer with: fewer requests, less processor for brokers, better compression. For services that send
    /// without waiting for each acknowledgement: a task that does waits longer.
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
