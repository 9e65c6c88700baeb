//! What grows while the loop by hand and Narad are compared: partitions, handlers, keys. A ratio that stays
//! says that the cost grows with the work.

use crate::data::{Data, Types};

/// One dimension: the same data for both sides at both of its ends.
pub(crate) struct Growth {
    pub(crate) what: &'static str,
    pub(crate) ends: [End; 2],
}

pub(crate) struct End {
    pub(crate) label: &'static str,
    pub(crate) data: Data,
    /// By hand, and Narad.
    pub(crate) sides: [&'static str; 2],
}

impl Growth {
    pub(crate) fn all(records: usize) -> [Self; 3] {
        let data = Data { records, ..Data::default() };
        let users = ["consume-by-hand", "consume-narad"];
        let end = |label, data, sides| End { label, data, sides };
        // As many partitions as there are keys at least: the spread stays the same, and with it the work of
        // each thread.
        let keys = |keys| Data { keys, partitions: 10, ..data.clone() };
        let kinds = |kinds| Data { types: Types::Kinds(kinds), ..data.clone() };
        [
            Self {
                what: "partitions",
                ends: [
                    end("8 partitions", data.clone(), users),
                    end("256 partitions", Data { partitions: 256, ..data.clone() }, users),
                ],
            },
            Self {
                what: "handlers",
                ends: [
                    end("1 handler", kinds(1), ["one-kind-by-hand", "one-kind-narad"]),
                    end("100 handlers", kinds(100), ["hundred-kinds-by-hand", "hundred-kinds-narad"]),
                ],
            },
            Self {
                what: "keys",
                ends: [end("10 keys", keys(10), users), end("1,000,000 keys", keys(1_000_000), users)],
            },
        ]
    }

    pub(crate) fn about(&self) -> String {
        let [before, after] = &self.ends;
        format!("{} to {}", before.label, after.label)
    }

    /// How the ratio changed between the ends, in a line.
    pub(crate) fn change(&self, before: f64, after: f64) -> String {
        format!(
            "{}: ratio {before:.2} to {after:.2}, a change of {:+.1} %\n",
            self.about(),
            (after / before - 1.0) * 100.0
        )
    }
}
