//! What librdkafka writes into its log, before it goes into this process's.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a limit that lasts is told of.
const REPEATED: Duration = Duration::from_secs(60);

/// A line of librdkafka's as it may be logged. What concerns the whole process is told here: librdkafka tries
/// for ever, and says why at a level that nobody sees.
pub(crate) fn said(line: &str) -> &str {
    static TOLD: Mutex<Option<Instant>> = Mutex::new(None);
    if line.contains("Too many open files")
        && is_due(&mut TOLD.lock().unwrap_or_else(PoisonError::into_inner), Instant::now())
    {
        tracing::error!(
            target: "narad",
            "no file descriptor is left for a connection to a broker: the process goes on with those that \
             it has, and connects once there is one; \
             raise its limit (ulimit -n, LimitNOFILE), or see in /proc/<pid>/fd what holds them"
        );
    }
    without_pem(line)
}

/// Whether it is time to tell it, for the first time or again; notes that it was told.
fn is_due(told: &mut Option<Instant>, now: Instant) -> bool {
    let due = told.is_none_or(|told| now.duration_since(told) >= REPEATED);
    if due {
        *told = Some(now);
    }
    due
}

/// A line up to where a PEM begins in it: with `debug=conf` librdkafka prints certificates.
fn without_pem(line: &str) -> &str {
    line.find("-----BEGIN").map_or(line, |start| &line[..start])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pem_is_cut_off() {
        assert_eq!(said("ssl.certificate.pem = -----BEGIN CERTIFICATE-----\nx"), "ssl.certificate.pem = ");
        assert_eq!(said("Connected"), "Connected");
    }

    #[test]
    fn what_lasts_is_told_once_in_a_while() {
        let (mut told, start) = (None, Instant::now());
        let due: Vec<_> = [0, 1, 59, 60, 61, 200]
            .map(|second| is_due(&mut told, start + Duration::from_secs(second)))
            .into();
        assert_eq!(due, [true, false, false, true, false, true]);
    }
}
