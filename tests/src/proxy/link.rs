//! What passes one connection, frame by frame.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Api, Faults, Hold, Speed, batch, lock};

/// How often a frame that waits looks whether it may go on.
const LOOK: Duration = Duration::from_millis(5);

/// How far a slow link may catch up on what it slept too long.
const SLACK: Duration = Duration::from_millis(20);

/// One direction of all connections.
#[derive(Debug, Default)]
pub(super) struct Link {
    blocked: AtomicBool,
    speed: Mutex<Option<Speed>>,
    /// When the last slice that was written is through; `None` before the first.
    free: Mutex<Option<Instant>>,
}

impl Link {
    pub(super) fn block(&self, blocked: bool) {
        self.blocked.store(blocked, Relaxed);
    }

    pub(super) fn slow(&self, speed: Option<Speed>) {
        *lock(&self.speed) = speed;
    }

    /// Waits while nothing passes; `false` when the proxy ends.
    fn is_open(&self, stopped: &AtomicBool) -> bool {
        while self.blocked.load(Relaxed) && !stopped.load(Relaxed) {
            std::thread::sleep(LOOK);
        }
        !stopped.load(Relaxed)
    }

    /// Writes at the speed of the link; an error when the proxy ends.
    fn write(&self, to: &mut TcpStream, mut bytes: &[u8], stopped: &AtomicBool) -> io::Result<()> {
        while !bytes.is_empty() {
            if !self.is_open(stopped) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let speed = *lock(&self.speed);
            let (slice, rest) =
                bytes.split_at(speed.map_or(bytes.len(), |speed| speed.slice.clamp(1, bytes.len())));
            if let Some(speed) = speed {
                self.take_turn(slice.len(), speed);
            }
            to.write_all(slice)?;
            bytes = rest;
        }
        Ok(())
    }

    /// Sleeps until so many bytes are through, after those of the other connections.
    fn take_turn(&self, bytes: usize, speed: Speed) {
        let through = {
            let (mut free, now) = (lock(&self.free), Instant::now());
            let start = free.map_or(now, |free| free.max(now - SLACK));
            *free.insert(
                start + Duration::from_secs_f64(bytes as f64 / f64::from(speed.bytes_per_second.max(1))),
            )
        };
        std::thread::sleep(through.saturating_duration_since(Instant::now()));
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
            std::thread::sleep(LOOK);
        }
        false
    }

    /// Breaks a batch of the answer, where one is to be broken.
    fn break_batch(&self, frame: &mut [u8]) {
        if let Some((flip, left)) = &mut *lock(&self.flip)
            && *left > 0
            && let Some(base_offset) = batch::flip(frame, *flip)
        {
            // For ever is for ever.
            if *left < u32::MAX {
                *left -= 1;
            }
            lock(&self.flipped).push(base_offset);
        }
    }
}

/// Which API each request of a connection asked for, by its correlation id.
type Asked = Arc<Mutex<HashMap<[u8; 4], i16>>>;

/// Passes on what client and server say, in threads of their own.
pub(super) fn pass(faults: &Arc<Faults>, client: TcpStream, server: TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    lock(&faults.connections).extend([client.try_clone()?, server.try_clone()?]);
    let asked = Asked::default();
    let (requests, answers) = ((client.try_clone()?, server.try_clone()?), (server, client));
    let (noted, faulty) = (asked.clone(), faults.clone());
    std::thread::spawn(move || {
        frames(requests, &faulty.requests, &faulty.stopped, |frame| {
            // A request begins with its API, the API's version, and the correlation id.
            let [api0, api1, _, _, c0, c1, c2, c3, ..] = *frame else { return true };
            let api = i16::from_be_bytes([api0, api1]);
            lock(&noted).insert([c0, c1, c2, c3], api);
            Api::of(api).is_none_or(|api| faulty.passes(Hold::Request(api)))
        });
    });
    let faults = faults.clone();
    std::thread::spawn(move || {
        frames(answers, &faults.answers, &faults.stopped, |frame| {
            let delay = *lock(&faults.delay);
            std::thread::sleep(delay);
            let api = frame.first_chunk::<4>().and_then(|correlation| lock(&asked).remove(correlation));
            let Some(api) = api.and_then(Api::of) else { return true };
            match &mut *lock(&faults.swallow) {
                Some((wanted, left)) if *left > 0 && api == *wanted => {
                    *left -= 1;
                    return false;
                }
                _ => {}
            }
            if api == Api::Fetch {
                faults.break_batch(frame);
            }
            faults.passes(Hold::Answer(api))
        });
    });
    Ok(())
}

/// Passes frames on until one side ends or `passes` says no; then both sides end.
fn frames(
    (mut from, mut to): (TcpStream, TcpStream),
    link: &Link,
    stopped: &AtomicBool,
    mut passes: impl FnMut(&mut [u8]) -> bool,
) {
    // With the length before it, so that it is written at once.
    let mut frame = Vec::new();
    loop {
        frame.resize(4, 0);
        if from.read_exact(&mut frame).is_err() {
            break;
        }
        let length = frame.first_chunk().map_or(0, |length| u32::from_be_bytes(*length) as usize);
        frame.resize(4 + length, 0);
        if from.read_exact(&mut frame[4..]).is_err()
            || !passes(&mut frame[4..])
            || link.write(&mut to, &frame, stopped).is_err()
        {
            break;
        }
    }
    // A network through which nothing passes does not pass on that one side has hung up either.
    if link.is_open(stopped) {
        let _ = to.shutdown(Shutdown::Both);
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
