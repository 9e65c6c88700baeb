//! A TCP proxy on loopback between the application and the broker: it cuts, delays, slows down, lets nothing
//! pass, swallows the answers of one API, and breaks record batches.
//!
//! It stands before one of the broker's extra listeners, which advertises the proxy's address, so that
//! clients never go around it.

mod batch;
mod link;
#[cfg(test)]
mod tests;

use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::cluster::variable;
use link::Link;

/// The number of an API in Kafka's protocol (<https://kafka.apache.org/protocol#protocol_api_keys>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Records to the broker.
    Produce = 0,
    /// Records from the broker.
    Fetch = 1,
    /// The offsets of a group.
    OffsetCommit = 8,
}

impl Api {
    fn of(number: i16) -> Option<Self> {
        [Self::Produce, Self::Fetch, Self::OffsetCommit].into_iter().find(|api| *api as i16 == number)
    }
}

/// A frame that the proxy holds: nothing of its connection passes it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// A request of this API: the broker never hears of it.
    Request(Api),
    /// An answer of this API: the broker has done it, and the client does not know.
    Answer(Api),
}

/// In which direction nothing passes, while all connections stay open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// All passes.
    Nothing,
    /// Requests wait, answers to earlier ones arrive.
    ToBroker,
    /// The broker does what it is asked for, and nobody hears of it.
    FromBroker,
    /// Nothing passes at all.
    Both,
}

/// How one bit of a record batch in a Fetch answer is flipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flip {
    /// Among the records, so that the batch's checksum is wrong.
    Records,
    /// The same, in batches that are compressed only.
    Compressed,
    /// In a compressed batch, and the checksum is made right again: only who unpacks it finds out.
    CompressedWithRightChecksum,
}

/// How fast a slow link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speed {
    /// Of each direction, over all connections.
    pub bytes_per_second: u32,
    /// What is written at once, in bytes: frames arrive in slices of this size.
    pub slice: usize,
}

/// What the proxy does to what passes.
#[derive(Debug, Default)]
struct Faults {
    /// Answers of this API that are still to be swallowed, each with its connection.
    swallow: Mutex<Option<(Api, u32)>>,
    /// A frame of this API that is to be held, and whether one is.
    hold: Mutex<Option<Hold>>,
    held: AtomicBool,
    delay: Mutex<Duration>,
    /// Fetch answers that are still to be broken; base offsets of the batches that were.
    flip: Mutex<Option<(Flip, u32)>>,
    flipped: Mutex<Vec<i64>>,
    requests: Link,
    answers: Link,
    connections: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
}

/// A running proxy; it ends, and cuts all its connections, when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    faults: Arc<Faults>,
    address: String,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts at a lane that no other proxy of this process has; for a cluster of one node.
    ///
    /// # Panics
    /// When no lane is free.
    pub fn start() -> Self {
        let lanes = variable("NARAD_TEST_LANES");
        let free = lanes.split(' ').find_map(|lane| {
            let (address, broker) = lane.split_once('=').expect("a lane is `proxy=broker`");
            Some((TcpListener::bind(address).ok()?, broker.to_owned()))
        });
        let (listener, broker) = free.expect("a lane that is free");
        Self::serve(listener, broker)
    }

    /// Starts at a free port before a server that does not advertise addresses: one that is no Kafka.
    ///
    /// # Panics
    /// When no port is free.
    pub fn before(server: &str) -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").expect("a free port"), server.to_owned())
    }

    fn serve(listener: TcpListener, broker: String) -> Self {
        let address = listener.local_addr().expect("a bound listener").to_string();
        let faults = Arc::new(Faults::default());
        let shared = faults.clone();
        let thread = std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.stopped.load(Relaxed) {
                    return;
                }
                // A broker that is down is one that refuses.
                let Ok(server) = TcpStream::connect(&broker) else { continue };
                if let Err(error) = link::pass(&shared, client, server) {
                    eprintln!("proxy: {error}");
                }
            }
        });
        Self { faults, address, thread: Some(thread) }
    }

    /// Where clients connect.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Resets every connection that there is.
    pub fn cut(&self) {
        for connection in lock(&self.faults.connections).drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Lets each answer wait.
    pub fn delay(&self, delay: Duration) {
        *lock(&self.faults.delay) = delay;
    }

    /// From now on nothing passes in this direction, as where a firewall forgets its connections: they stay
    /// open, and new ones are accepted and hang. What waits passes once it is allowed to.
    pub fn block(&self, blocked: Blocked) {
        self.faults.requests.block(matches!(blocked, Blocked::ToBroker | Blocked::Both));
        self.faults.answers.block(matches!(blocked, Blocked::FromBroker | Blocked::Both));
    }

    /// How fast requests pass from now on; `None` for as fast as they can.
    pub fn slow_requests(&self, speed: Option<Speed>) {
        self.faults.requests.slow(speed);
    }

    /// How fast answers pass from now on; `None` for as fast as they can.
    pub fn slow_answers(&self, speed: Option<Speed>) {
        self.faults.answers.slow(speed);
    }

    /// Flips a bit in one batch of each of the next so many Fetch answers that have one of this kind;
    /// `u32::MAX` for all of them, 0 for no more.
    pub fn flip(&self, flip: Flip, answers: u32) {
        *lock(&self.faults.flip) = Some((flip, answers));
    }

    /// How many Fetch answers are still to be broken.
    pub fn to_flip(&self) -> u32 {
        lock(&self.faults.flip).map_or(0, |(_, answers)| answers)
    }

    /// The base offsets of the batches that were broken so far, in order.
    pub fn flipped(&self) -> Vec<i64> {
        lock(&self.faults.flipped).clone()
    }

    /// Swallows the next answers of an API: the broker has done it, and the client never hears of it; its
    /// connection breaks.
    pub fn swallow(&self, api: Api, answers: u32) {
        *lock(&self.faults.swallow) = Some((api, answers));
    }

    /// Holds the next frame of this kind, until the proxy ends.
    pub fn hold(&self, frame: Hold) {
        *lock(&self.faults.hold) = Some(frame);
    }

    /// Whether the frame that is to be held is there.
    pub fn holds(&self) -> bool {
        self.faults.held.load(Relaxed)
    }

    /// How many answers are still to be swallowed.
    pub fn to_swallow(&self) -> u32 {
        lock(&self.faults.swallow).map_or(0, |(_, answers)| answers)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.faults.stopped.store(true, Relaxed);
        self.cut();
        // Wakes the accepting thread.
        drop(TcpStream::connect(&self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
