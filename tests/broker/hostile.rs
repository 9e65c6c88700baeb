//! Records that nobody should have written: each costs itself only, and lands in the dead letter as it came.

use narad_tests::cluster::{Cluster, Stored};
use narad_tests::deployment::{Deployment, work_of};
use narad_tests::ledger::Step;
use rustix::process::Signal;

const BAD_KEY: &str = "user-1";

fn bad(value: impl Into<Vec<u8>>) -> Stored {
    Stored { partition: 0, value: Some(value.into()), ..work_of(BAD_KEY, 0) }
}

/// What cannot be decoded into the application's event, whichever way.
fn undecodable() -> Vec<Stored> {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    vec![
        bad(r#"{"type":"WORK","userId":"a""#),
        bad("not json at all"),
        bad(""),
        bad(format!(r#"{{"type":"WORK","userId":{}}}"#, nested(200))),
        bad(nested(100_000)),
        bad([0xff, 0xfe, 0x00, b'{', b'}']),
        bad(b"{\"type\":\"WORK\",\"userId\":\"\xff\xfe\",\"seq\":1}".to_vec()),
        bad(r#"{"type":"WORK","userId":"a","seq":99999999999999999999999999}"#),
        bad(r#"{"type":"WORK","userId":"a","seq":NaN}"#),
        bad(r#"{"type":"WORK","userId":"a","seq":-1}"#),
        bad(r#"{"type":"WORK","userId":"a"}"#),
        bad(r#"{"type":"WORK","userId":"a","seq":1}{"#),
        bad("\u{feff}{\"type\":\"WORK\",\"userId\":\"a\",\"seq\":1}"),
        bad(r#"[1,2,3]"#),
        bad("null"),
        Stored { value: None, ..bad("") },
    ]
}

/// What is odd, and still a record of the event.
fn odd() -> Vec<Stored> {
    let many: Vec<_> = (0..1_000).map(|n| (format!("header-{n}"), Some(vec![b'x'; 20]))).collect();
    let good =
        |key: Option<&[u8]>| Stored { partition: 0, key: key.map(<[u8]>::to_vec), ..work_of("odd", 0) };
    vec![
        Stored { headers: many, ..good(Some(b"many")) },
        Stored {
            headers: vec![
                ("null".into(), None),
                ("empty".into(), Some(Vec::new())),
                ("bytes".into(), Some(vec![0xff, 0])),
            ],
            ..good(Some(b"headers"))
        },
        good(Some(b"")),
        good(None),
        good(Some(&[0xff, 0xfe, 0x80])),
        Stored {
            value: Some(br#"{"type":"WORK","userId":"first","userId":"first","seq":1}"#.to_vec()),
            ..good(Some(b"twice"))
        },
        Stored {
            value: Some(
                format!(r#"{{"type":"WORK","userId":"{}","seq":1}}"#, "x".repeat(900_000)).into_bytes(),
            ),
            ..good(Some(b"large"))
        },
    ]
}

#[test]
fn hostile_records_cost_themselves_only_and_are_kept_as_they_came() {
    let Some(cluster) = Cluster::of_env() else { return };
    let deployment = Deployment::new(&cluster, env!("CARGO_BIN_EXE_app"), 1);
    let (mut all, mut wanted) = (Vec::new(), Vec::new());
    for (number, record) in undecodable().into_iter().enumerate() {
        all.push(Stored { partition: 0, ..work_of("good", number) });
        wanted.push(record.clone());
        all.push(record);
    }
    let odd = odd();
    // A field that is there twice is no event for serde.
    let duplicates: Vec<_> =
        odd.iter().filter(|record| record.key.as_deref() == Some(b"twice")).cloned().collect();
    wanted.extend(duplicates);
    all.extend(odd.iter().cloned());
    // A dead letter is larger than its record by its headers.
    let largest = bad(vec![b'x'; 1_048_576 - 200]);
    all.push(largest.clone());
    wanted.push(largest);
    let (count, handled) = (all.len(), undecodable().len() + odd.len() - 1);
    cluster.write(&deployment.topic, all);

    let mut process = deployment.start(&[]);
    deployment.await_committed(count);
    process.signal(Signal::TERM);
    process.ends_with(0);

    let ledger = deployment.ledger();
    assert_eq!(ledger.iter().filter(|entry| entry.step == Step::Ok).count(), handled, "{}", process.log());
    let dead = deployment.dead_letters();
    assert_eq!(dead.len(), wanted.len(), "{}", process.log());
    for record in &wanted {
        let found = dead.iter().any(|dead| {
            (&dead.key, &dead.value) == (&record.key, &record.value)
                && dead.headers[..record.headers.len()] == record.headers[..]
        });
        assert!(
            found,
            "no dead letter for {:?}",
            record
                .value
                .as_ref()
                .map(|value| String::from_utf8_lossy(&value[..value.len().min(80)]).into_owned())
        );
    }
    assert!(
        dead.iter().all(|record| !record.header("narad-dlq-error").contains("xxxxxxxx")),
        "no payload in an error's text"
    );
}
