//! What builders of sends put into a record, read back.

use narad::prelude::*;
use narad::{Error, SendErrorKind};

use crate::{Run, Seen, application, sightings};

#[derive(Event, Debug)]
#[event(topic = "it.sending", key = key)]
struct Enveloped {
    key: String,
}

#[derive(Event, Debug)]
#[event(topic = "it.sending", key = key, format = "flat")]
struct Flat {
    key: String,
}

#[kafka_handler(topic = "it.sending", group = "it-sending", concurrency = 1, ordering = "partition")]
async fn sent(meta: Meta<'_>, record: Record, seen: State<Seen>) {
    let text = |bytes: Option<&[u8]>| {
        bytes.map_or("none".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    let headers: Vec<_> = record
        .headers()
        .map(|(name, value)| format!("{}={}", text(Some(name)), text(value)))
        .filter(|header| !header.starts_with("narad-version") && !header.starts_with("narad-source"))
        .collect();
    let shown = format!(
        "{} {} {:?} [{}]",
        meta.id.as_deref().unwrap_or("none"),
        text(record.key()),
        record.timestamp().filter(|timestamp| *timestamp < 2_000),
        headers.join(" ")
    );
    let _ = seen.send(("sent", shown));
    if record.payload().is_some_and(|payload| payload.starts_with(&[0xff])) {
        let _ = seen.send(("bytes", format!("{:?}", record.payload().unwrap_or_default())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_builder_sets_id_key_headers_partition_and_the_records_own_timestamp() {
    let (narad, mut seen) = application(&["it-sending"]).await;
    macro_rules! send {
        ($builder:expr) => {{
            let builder = $builder.key("b").header("x", "1").header("x", [b'2']);
            let sent = builder.partition(0).timestamp(1_234).id("id \"7\"").send().await;
            assert_eq!(sent.expect("an acknowledgement").partition(), Some(0));
        }};
    }
    send!(narad.event(&Enveloped { key: "a".into() }));
    send!(narad.event(&Flat { key: "a".into() }));
    send!(narad.message("it.sending", 5));
    send!(narad.raw("it.sending", [0xff, 0, 1]));
    narad.raw("it.sending", "bytes").partition(0).timestamp(1).send().await.expect("an acknowledgement");
    let no_key = narad.event(&Enveloped { key: "a".into() }).key(None::<String>).id("8").timestamp(2);
    no_key.partition(0).send().await.expect("an acknowledgement");
    let run = Run::of(&narad);
    let seen: Vec<_> = sightings(&mut seen, 7).await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        seen,
        [
            "id \"7\" b Some(1234) [x=1 x=2]",
            "id \"7\" b Some(1234) [narad-id=id \"7\" x=1 x=2]",
            "id \"7\" b Some(1234) [narad-id=id \"7\" x=1 x=2]",
            "id \"7\" b Some(1234) [narad-id=id \"7\" x=1 x=2]",
            "[255, 0, 1]",
            "none none Some(1) []",
            "8 none Some(2) []",
        ]
    );
    run.stop().await.expect("a clean drain");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timestamp_below_1_is_an_error_and_nothing_is_sent() {
    let (narad, _) = application(&["it-sending"]).await;
    for timestamp in [0, -1, i64::MIN] {
        for sending in [
            narad.event(&Enveloped { key: "a".into() }).timestamp(timestamp).send(),
            narad.message("it.sending.none", 5).timestamp(timestamp).send(),
            narad.raw("it.sending.none", "bytes").timestamp(timestamp).send(),
        ] {
            let Err(Error::Send(error)) = sending.await else { panic!("it was sent") };
            assert_eq!(error.kind(), SendErrorKind::Other);
            assert!(error.topic().is_some_and(|topic| topic.starts_with("it.sending")), "{error}");
            assert!(error.to_string().contains(&format!("timestamp {timestamp}: ")), "{error}");
        }
    }
}
