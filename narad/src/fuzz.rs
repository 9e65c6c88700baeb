//! Fuzzing inside the tests: what others wrote, bent by a small mutator, against what a reader has to hold
//! to.
//!
//! Bounded where nobody asks for more; `NARAD_TEST_FUZZ=60` lets each target run for so many seconds, each
//! time with other inputs. A failure prints the input.

use std::time::{Duration, Instant};

use fastrand::Rng;

/// So many inputs for each target: moments also on a machine that has other things to do.
const INPUTS: usize = 10_000;

/// Gives a target the seeds and what becomes of them.
pub(crate) fn run(seeds: &[&[u8]], mut target: impl FnMut(&[u8])) {
    struct Shown<'i>(&'i [u8]);
    impl Drop for Shown<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("the input was \"{}\"", self.0.escape_ascii());
            }
        }
    }
    let mut rng = if seconds().is_some() { Rng::new() } else { Rng::with_seed(0x006e_6172_6164) };
    let mut check = |input: &[u8]| {
        let shown = Shown(input);
        target(input);
        drop(shown);
    };
    seeds.iter().copied().for_each(&mut check);
    rounds(INPUTS).for_each(|_| check(&mutated(&mut rng, seeds)));
}

/// So many rounds where nobody asks for more, else as many as fit into the time.
pub(crate) fn rounds(bound: usize) -> impl Iterator<Item = usize> {
    let (time, began) = (seconds(), Instant::now());
    (0..).take_while(move |round| time.map_or(*round < bound, |time| began.elapsed() < time))
}

fn seconds() -> Option<Duration> {
    let seconds = std::env::var("NARAD_TEST_FUZZ").ok()?;
    Some(Duration::from_secs(seconds.parse().expect("seconds")))
}

/// One seed, with one to eight changes.
fn mutated(rng: &mut Rng, seeds: &[&[u8]]) -> Vec<u8> {
    let seed = |rng: &mut Rng| seeds[rng.usize(..seeds.len())];
    let mut bytes = seed(rng).to_vec();
    for _ in 0..rng.usize(1..=8) {
        let at = rng.usize(..=bytes.len());
        let end = (at + rng.usize(..=8)).min(bytes.len());
        match rng.u8(..8) {
            0 => bytes.insert(at, rng.u8(..)),
            1 => drop(bytes.drain(at..end)),
            2 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << rng.u8(..8);
                }
            }
            // A piece once more.
            3 => {
                let piece = bytes[at..end].to_vec();
                let to = rng.usize(..=bytes.len());
                bytes.splice(to..to, piece);
            }
            // A piece of another seed.
            4 => {
                let other = seed(rng);
                let from = rng.usize(..=other.len());
                let to = (from + rng.usize(..=16)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            5 => bytes.truncate(at),
            6 => {
                let sign = *rng.choice(b"{}[]\",:\\u0-.eE+ \n\x00\xff").unwrap_or(&b'"');
                bytes.insert(at, sign);
            }
            _ => {
                let words = [
                    r#""type":"#,
                    r#""data":{"#,
                    r"\ud83d",
                    r"\ude00",
                    "1e9",
                    "5.0",
                    "-0",
                    "null",
                    "99999999999999999999",
                    "\u{e9}",
                ];
                let word = rng.choice(words).unwrap_or_default();
                bytes.splice(at..at, word.bytes());
            }
        }
    }
    bytes
}
