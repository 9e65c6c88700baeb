//! Narad's values and those that the application sets, made to go together.
//!
//! librdkafka compares some properties, and only when a client is made. So a value of Narad's steps aside of
//! one that the application sets, what is meant for one client stops no other, and clients are made for a
//! moment to find out what does not go together at all.

use super::Config;
use super::kind::ClientKind;
use super::properties::{named, refused, same, variable_of};
use crate::error::{Error, Result};
use crate::transport::{ClientProperties, Kind, Refusal};

/// A value that may not be above another one.
struct Pair {
    lower: &'static str,
    upper: &'static str,
    /// What has to lie between them.
    room: i64,
    /// The most that librdkafka takes for the upper one.
    most: i64,
}

/// What Narad sets and librdkafka compares, each value before those that it may lower.
const PAIRS: [Pair; 2] = [
    Pair { lower: "fetch.max.bytes", upper: "receive.message.max.bytes", room: 512, most: 2_147_483_647 },
    Pair { lower: "reconnect.backoff.ms", upper: "reconnect.backoff.max.ms", room: 0, most: 3_600_000 },
];

/// librdkafka's default for `message.max.bytes`, and the least that it takes.
const MESSAGE_MAX_BYTES: i64 = 1_000_000;
const MESSAGE_LEAST_BYTES: i64 = 1_000;

/// Puts what the application sets over what Narad has set.
pub(super) fn put<'a>(
    client: &mut ClientProperties,
    own: impl Iterator<Item = (&'a str, &'a str)>,
    kind: ClientKind<'_>,
) {
    let is_consumer = matches!(kind, ClientKind::Consumer { .. });
    // A bound of what is sent. A consumer's own is `fetch.max.bytes`, which librdkafka wants to be above it.
    let own: Vec<_> = own.filter(|(name, _)| !(is_consumer && *name == "message.max.bytes")).collect();
    for (name, value) in &own {
        for other in same(name) {
            client.remove(other);
        }
        client.set(*name, *value);
    }
    let is_own = |name: &str| own.iter().any(|(own, _)| *own == name);
    for Pair { lower, upper, room, most } in PAIRS {
        let (Some(low), Some(up)) = (number(client, lower), number(client, upper)) else { continue };
        match (is_own(lower), is_own(upper)) {
            _ if low + room <= up => {}
            (_, false) => drop(client.set(upper, (low + room).min(most).to_string())),
            (false, true) => drop(client.set(lower, (up - room).to_string())),
            // For librdkafka to refuse.
            (true, true) => {}
        }
    }
    if is_consumer
        && let Some(fetch) = number(client, "fetch.max.bytes").filter(|fetch| *fetch < MESSAGE_MAX_BYTES)
    {
        client.set("message.max.bytes", fetch.max(MESSAGE_LEAST_BYTES).to_string());
    }
}

fn number(client: &ClientProperties, name: &str) -> Option<i64> {
    client.get(name)?.parse().ok()
}

impl Config {
    /// Checks the properties that the application sets, for all clients that know them.
    ///
    /// # Errors
    /// One that librdkafka does not take, or not beside the others; the line names the variable.
    pub(super) fn check_properties(&self) -> Result<()> {
        if let Some((one, other)) = self.librdkafka.twice() {
            return Err(Error::Config(format!(
                "{} and {} are the same property: keep one of them",
                variable_of(one),
                variable_of(other)
            )));
        }
        for kind in [
            ClientKind::Producer,
            ClientKind::Consumer { group: "check", partitions: 1, groups: 1 },
            ClientKind::Admin,
        ] {
            let client = self.properties(kind);
            self.accepted(&client)?;
            // Narad's own values go together.
            if !self.librdkafka.is_empty()
                && let Err(error) = make(&client, kind)
            {
                return Err(Error::Config(self.blame(&error, kind)));
            }
        }
        Ok(())
    }

    /// Why no client is made, by the variable without which it is.
    fn blame(&self, error: &Refusal, kind: ClientKind<'_>) -> String {
        let without = |name: &str| {
            let mut config = self.clone();
            config.librdkafka.remove(name);
            make(&config.properties(kind), kind).is_ok()
        };
        let text = error.to_string();
        // Those of which it speaks come first.
        let own = || self.librdkafka.names();
        let mut first = own().filter(|name| named(&text).any(|word| same(name).any(|same| same == word)));
        match first.find(|name| without(name)).or_else(|| own().find(|name| without(name))) {
            Some(name) => format!("{}: {}", variable_of(name), reason(&refused(error))),
            None => refused(error),
        }
    }
}

/// A refusal without the variable that it names by itself.
fn reason(refusal: &str) -> &str {
    let is_variable = |name: &str| {
        name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    refusal.split_once(": ").filter(|(name, _)| is_variable(name)).map_or(refusal, |(_, reason)| reason)
}

/// Makes a client that knows no brokers, so that it connects to none, and ends it.
fn make(client: &ClientProperties, kind: ClientKind<'_>) -> Result<(), Refusal> {
    client.check_client(match kind {
        ClientKind::Consumer { .. } => Kind::Consumer,
        ClientKind::Producer | ClientKind::Admin => Kind::Producer,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::dotenv::File;
    use super::super::env::from_vars;
    use super::super::properties::Properties;
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Config> {
        from_vars(
            &vars
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect::<BTreeMap<_, _>>(),
            &File::default(),
        )
    }

    const KINDS: [ClientKind<'_>; 4] = [
        ClientKind::Producer,
        ClientKind::Consumer { group: "g", partitions: 1, groups: 1 },
        ClientKind::Consumer { group: "g", partitions: 1000, groups: 100 },
        ClientKind::Admin,
    ];

    #[test]
    fn narads_values_step_aside_and_what_one_client_is_to_do_stops_no_other() {
        for vars in [
            &[("NARAD_KAFKA_MESSAGE_MAX_BYTES", "16777216")][..],
            &[("NARAD_KAFKA_MESSAGE_MAX_BYTES", "1000000000")],
            &[("NARAD_KAFKA_MESSAGE_MAX_BYTES", "16777216"), ("NARAD_KAFKA_FETCH_MAX_BYTES", "65536")],
            &[("NARAD_KAFKA_FETCH_MAX_BYTES", "200000000")],
            &[("NARAD_KAFKA_FETCH_MAX_BYTES", "2147483135")],
            &[("NARAD_KAFKA_FETCH_MAX_BYTES", "65536")],
            &[("NARAD_KAFKA_RECEIVE_MESSAGE_MAX_BYTES", "1000000")],
            &[("NARAD_KAFKA_RECONNECT_BACKOFF_MS", "6000")],
            &[("NARAD_KAFKA_RECONNECT_BACKOFF_MAX_MS", "10")],
            &[("NARAD_KAFKA_ENABLE_GAPLESS_GUARANTEE", "true")],
            &[("NARAD_KAFKA_GROUP_PROTOCOL", "consumer")],
            &[("NARAD_PROFILE", "throughput"), ("NARAD_KAFKA_LINGER_MS", "0")],
        ] {
            let config = read(vars).unwrap_or_else(|error| panic!("{vars:?}: {error}"));
            for kind in KINDS {
                make(&config.properties(kind), kind)
                    .unwrap_or_else(|error| panic!("{vars:?} {kind:?}: {error}"));
            }
        }
        let config = read(&[
            ("NARAD_KAFKA_MESSAGE_MAX_BYTES", "16777217"),
            ("NARAD_KAFKA_FETCH_MAX_BYTES", "9000000"),
        ])
        .unwrap();
        assert_eq!(config.properties(KINDS[0]).get("message.max.bytes"), Some("16777217"));
        assert_eq!(config.properties(KINDS[1]).get("fetch.max.bytes"), Some("9000000"));
    }

    #[test]
    fn what_does_not_go_together_is_an_error_of_the_build_that_names_a_variable_that_was_set() {
        for vars in [
            &[("NARAD_KAFKA_MAX_POLL_INTERVAL_MS", "10000")][..],
            &[("NARAD_KAFKA_SESSION_TIMEOUT_MS", "3600000")],
            &[("NARAD_KAFKA_LINGER_MS", "400000")],
            &[("NARAD_KAFKA_QUEUE_BUFFERING_MAX_MS", "400000")],
            &[("NARAD_KAFKA_MAX_IN_FLIGHT", "10")],
            &[("NARAD_KAFKA_MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION", "10")],
            &[("NARAD_KAFKA_RETRIES", "0")],
            &[("NARAD_KAFKA_RECEIVE_MESSAGE_MAX_BYTES", "1000")],
            &[
                ("NARAD_KAFKA_FETCH_MAX_BYTES", "10000000"),
                ("NARAD_KAFKA_RECEIVE_MESSAGE_MAX_BYTES", "9000000"),
            ],
            &[("NARAD_KAFKA_RECONNECT_BACKOFF_MS", "100"), ("NARAD_KAFKA_RECONNECT_BACKOFF_MAX_MS", "50")],
            &[("NARAD_KAFKA_PARTITION_ASSIGNMENT_STRATEGY", "fair")],
            &[("NARAD_KAFKA_LINGER_MS", "1"), ("NARAD_KAFKA_QUEUE_BUFFERING_MAX_MS", "2")],
        ] {
            // What goes well beside it is not blamed.
            let all =
                [vars, &[("NARAD_KAFKA_CLIENT_RACK", "a"), ("NARAD_KAFKA_STATISTICS_INTERVAL_MS", "0")]]
                    .concat();
            let said = read(&all).expect_err(&format!("{vars:?}")).to_string();
            assert!(
                vars.iter().any(|(name, _)| said.starts_with(name)) && !said.contains('\n'),
                "{vars:?}: {said}"
            );
        }
    }

    #[test]
    fn the_other_name_of_a_property_is_that_property() {
        // Of two names of one property librdkafka takes that which comes last, in the order of a hash.
        for _ in 0..20 {
            let config = read(&[
                ("NARAD_KAFKA_COMPRESSION_CODEC", "gzip"),
                ("NARAD_KAFKA_QUEUE_BUFFERING_MAX_MS", "7"),
            ])
            .unwrap();
            let native =
                config.properties(ClientKind::Producer).native().unwrap().create_native_config().unwrap();
            assert_eq!(
                (
                    native.get("compression.codec").unwrap().as_str(),
                    native.get("linger.ms").unwrap().as_str()
                ),
                ("gzip", "7")
            );
            let config = read(&[("NARAD_KAFKA_MAX_PARTITION_FETCH_BYTES", "70000")]).unwrap();
            let native = config.properties(KINDS[1]).native().unwrap().create_native_config().unwrap();
            assert_eq!(native.get("fetch.message.max.bytes").unwrap(), "70000");
        }
    }

    /// Each property alone, with values of which librdkafka takes some: the build refuses by name, or all
    /// clients can be made.
    #[test]
    fn no_value_of_a_property_stops_a_client_later_than_the_build() {
        for name in Properties::settable().filter(|name| !name.contains("plugin")) {
            let variable = variable_of(name);
            for value in ["0", "1", "999", "100000", "2147483647", "true", "x"] {
                match read(&[(&variable, value)]) {
                    Err(error) => {
                        assert!(error.to_string().starts_with(&variable), "{variable}={value}: {error}")
                    }
                    Ok(config) => {
                        for kind in KINDS {
                            let made = make(&config.properties(kind), kind);
                            assert!(made.is_ok(), "{variable}={value} {kind:?}: {made:?}");
                        }
                    }
                }
            }
        }
    }
}
