//! A log that is not what it was: where to go on, and what can be said of it.
//!
//! Pure. Where nothing tells what became of the records, the lowest offset is the answer: then records are
//! repeated, and none is skipped.

use crate::engine::NextOffset;
use crate::transport::Unread;

/// What is known of a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Break {
    /// The leader has no record at the offset that was asked for.
    OutOfRange { wanted: i64 },
    /// The leader's log ends, for the leader epoch of what was read, below what was read.
    Diverged { at: i64, epoch: i32 },
    /// The leader does not know the leader epoch of what was read, nor one before it.
    UnknownEpoch,
}

/// What the leader has: its lowest offset, the next one, and its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) low: i64,
    pub(super) high: i64,
    pub(super) epoch: i32,
}

/// Where to go on, and why there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GoesOn {
    pub(super) at: NextOffset,
    pub(super) because: &'static str,
}

impl Break {
    /// What librdkafka reports. Of a log that was cut off it says where in its error's text only.
    pub(super) fn of(unread: &Unread) -> Self {
        let text = &unread.reason;
        let number_after = |mark: &str| {
            let (_, rest) = text.split_once(mark)?;
            let end = rest
                .char_indices()
                .find(|(at, digit)| !(digit.is_ascii_digit() || *at == 0 && *digit == '-'));
            rest[..end.map_or(rest.len(), |(at, _)| at)].parse::<i64>().ok()
        };
        let validated = text.contains("truncation detected") || text.contains("No epoch found");
        match (number_after("broker end offset is "), number_after("(leader epoch ")) {
            (Some(at), Some(epoch)) if validated && at >= 0 => {
                Self::Diverged { at, epoch: epoch.try_into().unwrap_or(-1) }
            }
            (Some(_), _) if validated => Self::UnknownEpoch,
            _ => Self::OutOfRange { wanted: unread.offset },
        }
    }

    /// Where to go on in the log that the leader has, of which the lane has read what lies below `next`.
    pub(super) fn goes_on(self, log: Log, next: i64) -> GoesOn {
        let lowest = |because| GoesOn { at: NextOffset(log.low), because };
        match self {
            // A log is cut off by a new leader, which has a new epoch.
            Self::Diverged { at, epoch } if log.epoch > epoch && (log.low..=log.high).contains(&at) => {
                // It parts from what librdkafka had fetched. Of that the lane may have read less, where a
                // pause threw the rest away, which is no reason to pass over it.
                GoesOn {
                    at: NextOffset(at.min(next.max(log.low))),
                    because: "the log was cut off below what was read, as by an unclean leader election: \
                     going on where it parts; \
                          what was read above that is not in the topic any more",
                }
            }
            Self::Diverged { .. } | Self::UnknownEpoch => lowest(
                "the topic was made anew, its log is not the one that was read: going on at its lowest \
                 offset",
            ),
            Self::OutOfRange { wanted } if wanted < log.low => lowest(
                "the offset to read from is not in the log: going on at the lowest; what lay between is \
                 gone from the topic",
            ),
            Self::OutOfRange { wanted } if wanted > log.high => lowest(
                "the offset to read from is beyond the end of the log, which was cut off or made anew; \
                 where it parts is not known: \
                 going on at the lowest, so that records may be repeated and none is skipped",
            ),
            Self::OutOfRange { .. } => lowest(
                "the offset to read from is not in the log, says a broker, and by now it is: going on at \
                 the lowest, so that records may be \
                 repeated and none is skipped",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{Class, Fault};

    fn unread(offset: i64, reason: &str) -> Unread {
        Unread { fault: Fault::of(Class::LogChanged), offset, reason: reason.to_owned() }
    }

    const CUT: &str = "Partition log truncation detected at offset 950 (leader epoch 3): broker end offset \
     is 900 (offset leader epoch 2). \
                       Reset to INVALID.: Local: Partition log truncation detected (broker 1)";
    const NO_EPOCH: &str = "No epoch found less or equal to offset 950 (leader epoch 3): broker end offset \
     is -1 (offset leader epoch -1). \
                            Reset using configured policy.: Local: Partition log truncation detected (broker 1)";
    const RANGE: &str = "fetch failed due to requested offset not available on the broker: Broker: Offset \
     out of range (broker 1)";

    #[test]
    fn the_text_of_librdkafka_says_where_a_log_parts() {
        assert_eq!(Break::of(&unread(-1001, CUT)), Break::Diverged { at: 900, epoch: 3 });
        assert_eq!(Break::of(&unread(950, NO_EPOCH)), Break::UnknownEpoch);
        assert_eq!(Break::of(&unread(950, RANGE)), Break::OutOfRange { wanted: 950 });
        assert_eq!(Break::of(&unread(7, "broker end offset is ?")), Break::OutOfRange { wanted: 7 });
    }

    #[test]
    fn a_log_that_was_cut_off_goes_on_where_it_parts() {
        let goes_on = Break::of(&unread(-1001, CUT)).goes_on(Log { low: 10, high: 920, epoch: 4 }, 950);
        assert_eq!(goes_on.at, NextOffset(900));
        assert!(goes_on.because.contains("cut off below"));
    }

    /// librdkafka had fetched more than was read of it, and a pause threw that away. What was not read below
    /// the place where the log parts is in the new one, too.
    #[test]
    fn a_log_that_was_cut_off_above_what_was_read_goes_on_where_it_was_read_up_to() {
        let log = Log { low: 10, high: 920, epoch: 4 };
        for (next, at) in [(870, 870), (900, 900), (901, 900), (5, 10), (-1, 10)] {
            assert_eq!(
                Break::of(&unread(-1001, CUT)).goes_on(log, next).at,
                NextOffset(at),
                "read up to {next}"
            );
        }
    }

    /// The same epoch and less of it, or none of its epochs: it is another log, and all of it is new.
    #[test]
    fn a_log_that_was_made_anew_is_read_from_its_lowest_offset() {
        for (text, epoch) in [(CUT, 3), (CUT, -1), (NO_EPOCH, 0)] {
            let goes_on = Break::of(&unread(-1001, text)).goes_on(Log { low: 0, high: 920, epoch }, 950);
            assert_eq!(goes_on.at, NextOffset(0));
            assert!(goes_on.because.contains("made anew"));
        }
    }

    #[test]
    fn only_what_retention_has_taken_is_called_gone() {
        let log = Log { low: 100, high: 200, epoch: 0 };
        for (wanted, gone) in [(99, true), (201, false), (150, false), (-1001, true)] {
            let goes_on = Break::OutOfRange { wanted }.goes_on(log, wanted);
            assert_eq!(goes_on.at, NextOffset(100));
            assert_eq!(goes_on.because.contains("gone from the topic"), gone, "{wanted}");
        }
    }
}
