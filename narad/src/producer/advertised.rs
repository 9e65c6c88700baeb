//! The addresses that brokers advertise: the given ones may answer where these cannot be reached, and then
//! nothing works.

use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::connection::{Broker, Cause, Connection};

/// A connection has so long.
const PATIENCE: Duration = Duration::from_millis(500);

/// So many of them are tried.
const MOST: usize = 4;

/// What is wrong where none of the addresses can be reached, by the first of them. Blocks.
///
/// librdkafka connects to them only once it has something to send there, and a consumer's first request would
/// wait without a word.
pub(super) fn unreachable(connection: &Connection, advertised: &[String]) -> Option<Cause> {
    let brokers: Vec<Broker> = advertised.iter().map(|address| Broker::of(address)).collect();
    if brokers.iter().any(|broker| connection.is_given(broker)) {
        return None;
    }
    let mut first = None;
    for broker in brokers.into_iter().take(MOST) {
        let cause = reach(&broker.address)?;
        first.get_or_insert(Cause::Advertised(broker, Box::new(cause)));
    }
    first
}

/// Why an address cannot be reached; `None` where it can.
fn reach(address: &str) -> Option<Cause> {
    let Ok(mut addresses) = address.to_socket_addrs() else { return Some(Cause::Dns) };
    let mut cause = Cause::Dns;
    let reached = addresses.any(|address| match TcpStream::connect_timeout(&address, PATIENCE) {
        Ok(_) => true,
        Err(error) => {
            cause =
                if error.kind() == ErrorKind::ConnectionRefused { Cause::Refused } else { Cause::TimedOut };
            false
        }
    });
    (!reached).then_some(cause)
}
