//! A broker's address, as it is given, as metadata show it, and as librdkafka names it in its faults.

use std::fmt;

/// Where a broker is.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    /// `host:port`.
    pub(crate) address: String,
    /// It has a number: it was learnt from another broker, by the address that it advertises.
    learnt: bool,
}

/// Brokers are one where their addresses are.
impl PartialEq for Broker {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
    }
}

impl Eq for Broker {}

impl Broker {
    /// From `host:port`, with the protocol before it and the broker's number behind it or not:
    /// `sasl_ssl://kafka-1:9093/1: what is wrong with it`.
    pub(crate) fn of(text: &str) -> Self {
        let name = text.split_once(": ").map_or(text, |(name, _)| name);
        let name = name.split_once("://").map_or(name, |(_, name)| name);
        let (address, number) = name.split_once('/').unwrap_or((name, ""));
        Self {
            address: address.trim().to_ascii_lowercase(),
            learnt: !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()),
        }
    }

    /// Whether it was learnt from another broker.
    pub(crate) fn is_learnt(&self) -> bool {
        self.learnt
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_from_what_stands_around_it() {
        for text in [
            "Kafka-1:9093",
            "kafka-1:9093/1",
            "kafka-1:9093/bootstrap: Disconnected",
            "SASL_SSL://kafka-1:9093/2147483647: no: reason",
        ] {
            assert_eq!(Broker::of(text).address, "kafka-1:9093", "{text}");
        }
        assert!(Broker::of("kafka-1:9093/12: Connect to ipv4#10.0.0.1:9093 failed").is_learnt());
        assert!(
            !Broker::of("kafka-1:9093/bootstrap: Connect to ipv4#10.0.0.1:9093 failed").is_learnt()
                && !Broker::of("kafka-1:9093").is_learnt()
        );
        assert_eq!(Broker::of("[::1]:9092/3: Connect to ipv6#[::1]:9092 failed").address, "[::1]:9092");
    }
}
