//! The application as handlers have it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use narad::prelude::*;
use narad::{Error, Layer, Narad, Next};

use crate::{Run, Seen, application, config, sightings, sorted, until};

#[derive(Event, Debug)]
#[event(topic = "it.context", key = asks)]
struct Ask {
    asks: String,
}

#[kafka_handler(topic = "it.context", group = "it-context", retry(attempts = 1))]
async fn answer(ask: Ask, ctx: Context, seen: State<Seen>) -> narad::Result<()> {
    let narad = ctx.narad();
    match ask.asks.as_str() {
        "send" => {
            narad.publish_to("it.context.out", &ask).await?;
            narad.event(&ask).topic("it.context.out").id("1").send().await?;
            narad.raw("it.context.out", "bytes").key("raw").send().await?;
            narad.tombstone("it.context.out", "gone").await?;
            let known = (narad.is_connected(), narad.health().groups().len(), narad.groups().len());
            let _ = seen.send(("known", format!("{known:?}")));
        }
        "run" => {
            for error in [narad.run().await, narad.run_until(std::future::ready(())).await] {
                let _ = seen.send(("run", error.expect_err("it runs already").to_string()));
            }
        }
        _ => {
            narad.clone().disconnect().await?;
            // The end waits for the handler, which may send yet.
            narad.send("it.context.out", "after").await?;
            let _ = seen.send(("ends", String::new()));
        }
    }
    Ok(())
}

#[kafka_handler(topic = "it.context.out", group = "it-context-out")]
async fn out(record: Record, seen: State<Seen>) {
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or(b"none")).into_owned();
    let _ = seen.send(("out", text(record.key())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_has_all_that_the_application_can_send_and_no_run_of_it() {
    let (narad, mut seen) = application(&["it-context", "it-context-out"]).await;
    let run = Run::of(&narad);
    narad.publish(&Ask { asks: "send".into() }).await.expect("an acknowledgement");
    let all = sorted(&mut seen, 5).await;
    let all: Vec<_> = all.iter().map(|(what, text)| (*what, text.as_str())).collect();
    assert_eq!(
        all,
        [("known", "(true, 2, 2)"), ("out", "gone"), ("out", "raw"), ("out", "send"), ("out", "send")]
    );
    narad.publish(&Ask { asks: "run".into() }).await.expect("an acknowledgement");
    let text = "a context's application runs already: build another one to run it";
    let refused = ("run", text.to_owned());
    assert_eq!(sightings(&mut seen, 2).await, [refused.clone(), refused]);
    narad.publish(&Ask { asks: "end".into() }).await.expect("an acknowledgement");
    run.ended().await.expect("a clean drain");
    assert_eq!(sorted(&mut seen, 1).await, [("ends", String::new())]);
}

#[derive(Event, Debug)]
#[event(topic = "it.kept", key = n)]
struct Kept {
    n: u8,
}

static KEPT: Mutex<Vec<Context>> = Mutex::new(Vec::new());

#[kafka_handler(topic = "it.kept", group = "it-kept")]
async fn keep(kept: Kept, ctx: Context, seen: State<Seen>) {
    KEPT.lock().unwrap().push(ctx);
    let _ = seen.send(("kept", kept.n.to_string()));
}

/// Is there as long as what runs is.
struct Around(#[expect(dead_code, reason = "it is counted")] Arc<()>);

impl Layer for Around {
    async fn call<'a>(&'a self, _: &'a Context, next: Next<'a>) -> Outcome {
        next.run().await
    }
}

async fn with_a_layer() -> (Narad, tokio::sync::mpsc::UnboundedReceiver<(&'static str, String)>, Arc<()>) {
    let (seen, sighted) = tokio::sync::mpsc::unbounded_channel();
    let counted = Arc::new(());
    let builder = Narad::builder().config(config()).groups(["it-kept"]).state::<Seen>(seen);
    let narad = builder.layer(Around(counted.clone())).build().await.expect("an application");
    (narad, sighted, counted)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_that_is_kept_keeps_no_run_alive() {
    // One run is drained, the other one dropped.
    for (n, is_dropped) in [(1, false), (2, true)] {
        let (narad, mut seen, counted) = with_a_layer().await;
        narad.publish(&Kept { n }).await.expect("an acknowledgement");
        let run = Run::of(&narad);
        assert_eq!(sightings(&mut seen, 1).await, [("kept", n.to_string())]);
        until("the record is committed", || narad.groups().iter().any(|group| group.commits.ok > 0)).await;
        if is_dropped {
            run.abort().await;
        } else {
            run.stop().await.expect("a clean drain");
        }
        drop(narad);
        until("nothing of the run is left", || Arc::strong_count(&counted) == 1).await;
    }
    // One stays where it is.
    let narad = KEPT.lock().unwrap().remove(0).narad().clone();
    let ends = async move {
        assert!(matches!(narad.publish(&Kept { n: 3 }).await, Err(Error::NotConnected)));
        assert!(narad.run().await.is_err() && !narad.health().is_ready());
        narad.disconnect().await.expect("an end");
    };
    tokio::time::timeout(Duration::from_secs(60), ends).await.expect("in time");
    // The partitions are free for others.
    let (narad, mut seen, _) = with_a_layer().await;
    narad.publish(&Kept { n: 3 }).await.expect("an acknowledgement");
    let run = Run::of(&narad);
    assert_eq!(sightings(&mut seen, 1).await, [("kept", "3".to_owned())]);
    run.stop().await.expect("a clean drain");
}
