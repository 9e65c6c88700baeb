//! The proxy before a server that sends each frame back.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::batch::crc32c;
use super::{Api, Blocked, Flip, Proxy, Speed};
use crate::wait;

/// What begins both a request of this API and its answer: the echo has API and version where an answer has
/// its correlation id.
fn frame_of(api: Api, rest: &[u8]) -> Vec<u8> {
    let id = [0, api as u8, 0, 9];
    [&id, &id, rest].concat()
}

/// Sends all back, on a port of its own, for as long as there is somebody who connects.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
    address
}

struct Client(TcpStream);

impl Client {
    fn of(proxy: &Proxy) -> Self {
        Self(TcpStream::connect(proxy.address()).unwrap())
    }

    fn send(&self, frame: &[u8]) {
        (&self.0).write_all(&[&(frame.len() as u32).to_be_bytes(), frame].concat()).unwrap();
    }

    fn hears(&self) -> Vec<u8> {
        self.0.set_read_timeout(Some(wait::DEADLINE)).unwrap();
        let mut length = [0; 4];
        (&self.0).read_exact(&mut length).unwrap();
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        (&self.0).read_exact(&mut frame).unwrap();
        frame
    }

    /// Nothing arrives for a while, and the connection is still open.
    fn hears_nothing(&self) {
        self.0.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let error = (&self.0).read(&mut [0]).expect_err("a connection that is open and silent");
        assert!(
            matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
            "{error}"
        );
    }
}

/// A batch whose records are these bytes.
fn batch(codec: u8, records: &[u8]) -> Vec<u8> {
    let mut checked = vec![0, codec];
    checked.resize(61 - 21, 0);
    checked.extend(records);
    let mut batch = 42_i64.to_be_bytes().to_vec();
    batch.extend((checked.len() as u32 + 9).to_be_bytes());
    batch.extend([0, 0, 0, 0, 2]);
    batch.extend(crc32c(&checked).to_be_bytes());
    batch.extend(checked);
    batch
}

#[test]
fn the_checksum_is_that_of_kafka() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}

#[test]
fn a_network_that_is_blocked_keeps_its_connections_and_delivers_later() {
    let proxy = Proxy::before(&echo());
    for blocked in [Blocked::ToBroker, Blocked::FromBroker, Blocked::Both] {
        let old = Client::of(&proxy);
        old.send(b"0123456789");
        assert_eq!(old.hears(), b"0123456789");
        proxy.block(blocked);
        let new = Client::of(&proxy);
        for client in [&old, &new] {
            client.send(b"later12345");
        }
        old.hears_nothing();
        new.hears_nothing();
        proxy.block(Blocked::Nothing);
        assert_eq!(
            (old.hears(), new.hears()),
            (b"later12345".to_vec(), b"later12345".to_vec()),
            "{blocked:?}"
        );
    }
}

#[test]
fn a_connection_can_be_cut_while_nothing_passes() {
    let proxy = Proxy::before(&echo());
    let client = Client::of(&proxy);
    client.send(b"0123456789");
    client.hears();
    proxy.block(Blocked::Both);
    client.send(b"lost567890");
    proxy.cut();
    client.0.set_read_timeout(Some(wait::DEADLINE)).unwrap();
    assert_eq!((&client.0).read(&mut [0]).unwrap_or(0), 0);
}

#[test]
fn a_slow_link_takes_its_time_and_changes_nothing() {
    let proxy = Proxy::before(&echo());
    let client = Client::of(&proxy);
    let frame = frame_of(Api::Produce, &[7; 2_000]);
    let speed = Some(Speed { bytes_per_second: 20_000, slice: 16 });
    for slow in [Proxy::slow_requests, Proxy::slow_answers] {
        slow(&proxy, speed);
        let start = Instant::now();
        client.send(&frame);
        assert_eq!(client.hears(), frame);
        assert!(
            start.elapsed() > Duration::from_millis(70),
            "{:?} for 2,000 bytes at 20,000 a second",
            start.elapsed()
        );
        slow(&proxy, None);
    }
}

#[test]
fn one_bit_of_the_records_is_flipped_in_as_many_fetch_answers_as_asked_for() {
    let proxy = Proxy::before(&echo());
    let client = Client::of(&proxy);
    let heard = |api, rest: &[u8]| {
        client.send(&frame_of(api, rest));
        client.hears()[8..].to_vec()
    };
    let (plain, packed) = (batch(0, &[5; 100]), batch(3, &[6; 100]));
    let both = [b"topic", &plain[..], &packed[..], b"end"].concat();
    let bits = |heard: &[u8]| both.iter().zip(heard).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();

    proxy.flip(Flip::Records, 1);
    assert_eq!(heard(Api::Fetch, b"an answer without records"), b"an answer without records");
    assert_eq!(heard(Api::Produce, &both), both);
    assert_eq!(proxy.to_flip(), 1);
    let broken = heard(Api::Fetch, &both);
    assert_eq!((bits(&broken), proxy.to_flip(), proxy.flipped()), (1, 0, vec![42]));
    assert_eq!(broken[5 + plain.len()..], both[5 + plain.len()..], "the first batch it is");
    assert_eq!(heard(Api::Fetch, &both), both);

    proxy.flip(Flip::Compressed, 1);
    let broken = heard(Api::Fetch, &both);
    assert_eq!((bits(&broken), &broken[..5 + plain.len()]), (1, &both[..5 + plain.len()]));

    proxy.flip(Flip::CompressedWithRightChecksum, u32::MAX);
    for _ in 0..2 {
        let broken = heard(Api::Fetch, &both);
        let packed = &broken[5 + plain.len()..5 + plain.len() + packed.len()];
        assert_eq!(packed[17..21], crc32c(&packed[21..]).to_be_bytes());
        assert!(bits(&broken) > 1);
    }
    proxy.flip(Flip::Records, 0);
    assert_eq!(heard(Api::Fetch, &both), both);
}
