//! A TCP proxy on loopback between the application and the broker: it cuts, delays, and swallows the answers of one API.
//!
//! It stands before one of the broker's extra listeners, which advertises the proxy's address, so that clients never go around it.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::cluster::variable;

/// The number of an API in Kafka's protocol (<https://kafka.apache.org/protocol#protocol_api_keys>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Records to the broker.
    Produce = 0,
    /// The offsets of a group.
    OffsetCommit = 8,
}

impl Api {
    fn of(number: i16) -> Option<Self> {
        [Self::Produce, Self::OffsetCommit].into_iter().find(|api| *api as i16 == number)
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

/// What the proxy does to what passes.
#[derive(Debug, Default)]
struct Faults {
    /// Answers of this API that are still to be swallowed, each with its connection.
    swallow: Mutex<Option<(Api, u32)>>,
    /// A frame of this API that is to be held, and whether one is.
    hold: Mutex<Option<Hold>>,
    held: AtomicBool,
    delay_ms: AtomicI64,
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
            Some((TcpListener::bind(address).ok()?, address.to_owned(), broker.to_owned()))
        });
        let (listener, address, broker) = free.expect("a lane that is free");
        let faults = Arc::new(Faults::default());
        let shared = faults.clone();
        let thread = std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.stopped.load(Relaxed) {
                    return;
                }
                // A broker that is down is one that refuses.
                let Ok(server) = TcpStream::connect(&broker) else { continue };
                if let Err(error) = pass(&shared, client, server) {
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
        self.faults.delay_ms.store(delay.as_millis() as i64, Relaxed);
    }

    /// Swallows the next answers of an API: the broker has done it, and the client never hears of it; its connection breaks.
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

impl Faults {
    /// Holds the frame if it is the one that is waited for; `false` then, when the proxy ends.
    fn passes(&self, frame: Hold) -> bool {
        if lock(&self.hold).take_if(|wanted| *wanted == frame).is_none() {
            return true;
        }
        self.held.store(true, Relaxed);
        while !self.stopped.load(Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which API each request of a connection asked for, by its correlation id.
type Asked = Arc<Mutex<HashMap<[u8; 4], i16>>>;

fn pass(faults: &Arc<Faults>, client: TcpStream, server: TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    lock(&faults.connections).extend([client.try_clone()?, server.try_clone()?]);
    let asked = Asked::default();
    let (requests, answers) = ((client.try_clone()?, server.try_clone()?), (server, client));
    let (noted, faulty) = (asked.clone(), faults.clone());
    std::thread::spawn(move || {
        frames(requests, |frame| {
            // A request begins with its API, the API's version, and the correlation id.
            let [api0, api1, _, _, c0, c1, c2, c3, ..] = *frame else { return true };
            let api = i16::from_be_bytes([api0, api1]);
            lock(&noted).insert([c0, c1, c2, c3], api);
            Api::of(api).is_none_or(|api| faulty.passes(Hold::Request(api)))
        });
    });
    let faults = faults.clone();
    std::thread::spawn(move || {
        frames(answers, |frame| {
            let delay = faults.delay_ms.load(Relaxed);
            if delay > 0 {
                std::thread::sleep(Duration::from_millis(delay as u64));
            }
            let api = frame.first_chunk::<4>().and_then(|correlation| lock(&asked).remove(correlation));
            let Some(api) = api.and_then(Api::of) else { return true };
            match &mut *lock(&faults.swallow) {
                Some((wanted, left)) if *left > 0 && api == *wanted => {
                    *left -= 1;
                    return false;
                }
                _ => {}
            }
            faults.passes(Hold::Answer(api))
        });
    });
    Ok(())
}

/// Passes frames on until one side ends or `passes` says no; then both sides end.
fn frames((mut from, mut to): (TcpStream, TcpStream), mut passes: impl FnMut(&[u8]) -> bool) {
    let mut frame = Vec::new();
    loop {
        let mut length = [0; 4];
        if from.read_exact(&mut length).is_err() {
            break;
        }
        frame.resize(u32::from_be_bytes(length) as usize, 0);
        if from.read_exact(&mut frame).is_err() || !passes(&frame) || to.write_all(&length).is_err() || to.write_all(&frame).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
