//! A hundred types of event on one topic, each with its handler, on both sides; and the first of them alone.

use super::by_hand::{self, Head};
use super::{Measured, Meter, Task, narad};

/// Each type has a field of its own, which no record has: the compiler would make one of a hundred types that
/// are alike.
macro_rules! kinds {
    (@event $kind:ident) => {
        #[derive(Event)]
        #[serde(rename_all = "camelCase")]
        pub(crate) struct $kind {
            #[serde(rename = "userId")]
            _user_id: String,
            #[serde(rename = "ip")]
            _ip: String,
            #[serde(rename = "action")]
            _action: String,
            #[serde(rename = "attributes")]
            _attributes: HashMap<String, String>,
            pub(crate) seq: i64,
            $kind: Option<bool>,
        }
    };
    (@type $kind:ident) => {
        #[derive(Deserialize)]
        pub(crate) struct $kind {
            #[serde(rename = "userId")]
            _user_id: String,
            #[serde(rename = "ip")]
            _ip: String,
            #[serde(rename = "action")]
            _action: String,
            #[serde(rename = "attributes")]
            _attributes: HashMap<String, String>,
            pub(crate) seq: i64,
            $kind: Option<bool>,
        }
    };
    (@handler $kind:ident) => {
        #[kafka_handler(topic = "${BENCH_TOPIC:-bench}", group = "${BENCH_GROUP:-bench}-hundred")]
        async fn $kind(event: Envelope<events::$kind>) {
            METER.count(event.data.seq, event.id.map_or(0, |id| id.len()));
        }
    };
    (@arm $kind:ident, $meter:ident, $head:ident) => {{
        let event: types::$kind = serde_json::from_str($head.data.get()).expect("an event");
        $meter.count(event.seq, $head.id.len())
    }};
    ($first:ident $($kind:ident)*) => {
        /// Their types.
        pub(crate) const NAMES: [&str; 1 + [$(stringify!($kind)),*].len()] = [stringify!($first), $(stringify!($kind)),*];

        #[allow(non_snake_case, dead_code)]
        mod events {
            use std::collections::HashMap;

            use ::narad::prelude::*;

            kinds!(@event $first);
            $(kinds!(@event $kind);)*
        }

        #[allow(non_snake_case, dead_code)]
        mod types {
            use std::collections::HashMap;

            use serde::Deserialize;

            kinds!(@type $first);
            $(kinds!(@type $kind);)*
        }

        #[allow(non_snake_case)]
        mod handlers {
            use ::narad::prelude::*;

            use super::events;
            use super::narad::METER;

            #[kafka_handler(topic = "${BENCH_TOPIC:-bench}", group = "${BENCH_GROUP:-bench}-one")]
            async fn one(event: Envelope<events::$first>) {
                METER.count(event.data.seq, event.id.map_or(0, |id| id.len()));
            }

            kinds!(@handler $first);
            $(kinds!(@handler $kind);)*
        }

        fn handle_one(meter: &Meter, value: &[u8]) -> bool {
            let head: Head<'_> = serde_json::from_slice(value).expect("an envelope");
            match head.r#type.as_str() {
                stringify!($first) => kinds!(@arm $first, meter, head),
                other => panic!("unknown type {other}"),
            }
        }

        fn handle_hundred(meter: &Meter, value: &[u8]) -> bool {
            let head: Head<'_> = serde_json::from_slice(value).expect("an envelope");
            match head.r#type.as_str() {
                stringify!($first) => kinds!(@arm $first, meter, head),
                $(stringify!($kind) => kinds!(@arm $kind, meter, head),)*
                other => panic!("unknown type {other}"),
            }
        }
    };
}

kinds! {
    K00 K01 K02 K03 K04 K05 K06 K07 K08 K09
    K10 K11 K12 K13 K14 K15 K16 K17 K18 K19
    K20 K21 K22 K23 K24 K25 K26 K27 K28 K29
    K30 K31 K32 K33 K34 K35 K36 K37 K38 K39
    K40 K41 K42 K43 K44 K45 K46 K47 K48 K49
    K50 K51 K52 K53 K54 K55 K56 K57 K58 K59
    K60 K61 K62 K63 K64 K65 K66 K67 K68 K69
    K70 K71 K72 K73 K74 K75 K76 K77 K78 K79
    K80 K81 K82 K83 K84 K85 K86 K87 K88 K89
    K90 K91 K92 K93 K94 K95 K96 K97 K98 K99
}

pub(super) fn by_hand_one(task: &Task) -> Measured {
    let meter = Meter::new(task.records);
    by_hand::each(task, &meter, |value| handle_one(&meter, value))
}

pub(super) fn by_hand_hundred(task: &Task) -> Measured {
    let meter = Meter::new(task.records);
    by_hand::each(task, &meter, |value| handle_hundred(&meter, value))
}

pub(super) fn narad_one(task: &Task) -> Measured {
    narad::consume_with(task, "one")
}

pub(super) fn narad_hundred(task: &Task) -> Measured {
    narad::consume_with(task, "hundred")
}
