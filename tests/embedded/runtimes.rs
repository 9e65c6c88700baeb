//! The runtimes that applications have, or do not have.

use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use narad::prelude::*;
use narad::{Error, Narad};
use tokio::runtime::Builder;

use crate::{Run, Seen, application, config, sightings};

#[derive(Event)]
#[event(topic = "it.runtimes", key = number)]
struct Number {
    number: u32,
}

#[kafka_handler(topic = "it.runtimes", group = "it-runtimes", retry(attempts = 3, backoff = "1ms..5ms"))]
async fn number(number: Number, ctx: Context, seen: State<Seen>) -> Result<(), String> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    if ctx.attempt() == 1 {
        return Err("the first attempt fails".into());
    }
    let _ = seen.send(("number", number.number.to_string()));
    Ok(())
}

/// Waits for a future as a thread without a runtime does.
fn wait_for<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop()))
        {
            return output;
        }
        assert!(Instant::now() < deadline, "it waits in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn said(outcome: Result<(), Error>) -> String {
    let said = outcome.expect_err("it cannot run").to_string();
    assert!(!said.contains('\n'), "{said}");
    said
}

#[test]
fn without_a_runtime_everything_works_but_the_run_which_says_what_it_wants() {
    wait_for(async {
        let narad =
            Narad::builder().config(config()).groups(["it-nobody"]).build().await.expect("an application");
        narad.connect().await.expect("a broker");
        let sent =
            narad.publish_to("it.runtimes.alone", &Number { number: 1 }).await.expect("an acknowledgement");
        assert!(sent.offset().is_some());
        for _ in 0..2 {
            assert!(said(narad.run_until(async {}).await).contains("#[tokio::main]"));
            assert!(said(narad.run().await).contains("#[tokio::main]"));
        }
        narad.disconnect().await.expect("a clean end");
    });
}

#[test]
fn a_runtime_without_timers_or_io_is_named() {
    let narad = || async {
        Narad::builder().config(config()).groups(["it-nobody"]).build().await.expect("an application")
    };
    let bare = Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let error = bare.block_on(async { narad().await.run_until(async {}).await });
    assert!(said(error).contains("enable_all"));
    let without_io = Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime");
    let error = without_io.block_on(async { narad().await.run().await });
    assert!(said(error).contains("enable_io"));
}

#[test]
fn a_runtime_of_one_thread_is_enough() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (narad, mut seen) = application(&["it-runtimes"]).await;
        for number in 0..20 {
            narad.publish(&Number { number }).await.expect("an acknowledgement");
        }
        let run = Run::of(&narad);
        assert_eq!(sightings(&mut seen, 20).await.len(), 20);
        run.stop().await.expect("a clean drain");
    });
}
