//! What happens when a handler fails: retries, fates, dead letters, and how to read the dead letters back.
//!
//! ```text
//! cargo run --example failures
//! ```
//!
//! Runs on the embedded broker, or on the cluster of `KAFKA_BROKERS`, and ends by itself.
//!
//! It prints each attempt, then the three dead letters with why they are there: a payment that failed every
//! attempt, one that was refused at once, and a record that is no event at all.

use std::fmt;

use narad::Narad;
use narad::prelude::*;
use narad_examples::{Progress, config, run_id};

/// A payment to make.
#[derive(Event, Debug)]
#[event(topic = "payments-due", type = "PAYMENT_DUE", key = payment_id)]
#[serde(rename_all = "camelCase")]
struct PaymentDue {
    payment_id: String,
    scenario: String,
}

#[derive(Debug)]
struct BankError(&'static str);

impl fmt::Display for BankError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Stands for a call that may fail.
async fn transfer(payment: &PaymentDue, attempt: u32) -> Result<(), BankError> {
    match (payment.scenario.as_str(), attempt) {
        ("busy", 1 | 2) => Err(BankError("the bank is busy")),
        ("down", _) => Err(BankError("the bank is down")),
        _ => Ok(()),
    }
}

/// Three attempts in all. `?` makes a retry of any error that can be displayed; the other fates are said with
/// `Outcome`.
#[kafka_handler(topic = "payments-due", group = "failures", retry(attempts = 3, backoff = "20ms..200ms"))]
async fn pay(payment: PaymentDue, ctx: Context, progress: State<Progress>) -> Result<(), Outcome> {
    println!("attempt {} to pay {:?}", ctx.attempt(), payment.scenario);
    match payment.scenario.as_str() {
        // No attempt mends this one: to the dead letter at once.
        "blocked" => return Err(Outcome::dead_letter("the account is blocked")),
        // Not worth keeping: dropped, counted and logged.
        "test" => {
            println!("skipped {:?}: only a test", payment.scenario);
            progress.count();
            return Err(Outcome::skip("a test payment"));
        }
        _ => {}
    }
    transfer(&payment, ctx.attempt()).await?;
    println!("paid {:?}", payment.scenario);
    progress.count();
    Ok(())
}

/// Reads the dead letters back, from `<topic>.<group>.dlq`. Key, value and headers are those of the record;
/// `narad-dlq-` headers say what happened. A handler that took `PaymentDue` here could pay them now, but then
/// a record that is no event would fail again.
#[kafka_handler(topic = "payments-due.failures.dlq", group = "failures-dead-letters")]
async fn inspect(dead: Record, progress: State<Progress>) {
    let header = |name: &str| String::from_utf8_lossy(dead.header(name).unwrap_or_default()).into_owned();
    println!(
        "dead letter: {}/{} offset {}, handler {:?}, attempts {}: {}",
        header("narad-dlq-topic"),
        header("narad-dlq-partition"),
        header("narad-dlq-offset"),
        header("narad-dlq-handler"),
        header("narad-dlq-attempts"),
        header("narad-dlq-error"),
    );
    println!("             {}", String::from_utf8_lossy(dead.payload().unwrap_or_default()));
    progress.count();
}

#[tokio::main]
async fn main() -> narad::Result<()> {
    let progress = Progress::default();
    let narad = Narad::builder().config(config()?).state(progress.clone()).build().await?;

    let run = run_id();
    for scenario in ["fine", "busy", "down", "blocked", "test"] {
        narad
            .publish(&PaymentDue { payment_id: format!("{run}-{scenario}"), scenario: scenario.to_owned() })
            .await?;
    }
    // No JSON object: there is nothing to dispatch on, so it goes to the dead letter of the group, with an
    // empty handler.
    narad.send("payments-due", "this is no payment").await?;

    // fine, busy and test; then three dead letters.
    narad.run_until(progress.reached(6)).await
}
