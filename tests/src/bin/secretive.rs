//! The program of the canary test: it shows whatever Narad shows of itself, with records and variables that
//! the test gives.
//!
//! | variable | |
//! |---|---|
//! | `SECRETIVE_TOPIC` | what it handles (`secretive.jobs`) |
//! | `SECRETIVE_RECORDS` | a JSON array of `{"key", "header", "value"}` that it sends first |
//! | `SECRETIVE_OWN` | what its handler's own errors and panics say |

use narad::prelude::*;
use narad::{Config, Narad, Outcome};

#[derive(Event, Debug)]
#[event(topic = "secretive.jobs", type = "JOB", key = todo)]
struct Job {
    todo: String,
    #[serde(default)]
    amount: Option<u32>,
    #[serde(default)]
    card: Option<Card>,
}

#[derive(EventData, Debug)]
#[serde(rename_all = "camelCase")]
enum Card {
    Debit,
    Credit,
}

fn own(what: &str) -> String {
    format!("{what}: {}", std::env::var("SECRETIVE_OWN").unwrap_or_default())
}

#[kafka_handler(
    topic = "${SECRETIVE_TOPIC:-secretive.jobs}",
    group = "secretive",
    retry(attempts = 2, backoff = "1ms..2ms")
)]
async fn work(job: Job, ctx: Context) -> Result<(), Outcome> {
    println!("handled {}/{} {}", ctx.partition(), ctx.offset(), job.amount.is_some() || job.card.is_some());
    match job.todo.as_str() {
        "fail" => Err(Outcome::retry(own("failed"))),
        "reject" => Err(Outcome::dead_letter(own("rejected"))),
        "skip" => Err(Outcome::skip(own("skipped"))),
        "panic" => panic!("{}", own("panicked")),
        _ => Ok(()),
    }
}

/// Prints what Narad adds to a dead letter, but for its `error`, in which a handler's own words may be.
#[kafka_handler(topic = "${SECRETIVE_TOPIC:-secretive.jobs}.secretive.dlq", group = "secretive-dead")]
async fn dead(record: Record) {
    let headers = record.headers().filter(|(name, _)| name.starts_with(b"narad-dlq-"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers: Vec<_> =
        headers.map(|(name, value)| format!("{}={}", text(name), text(value.unwrap_or_default()))).collect();
    println!("dead letter: {}", headers.join(" "));
}

fn shown<T>(result: narad::Result<T>) -> T {
    result.unwrap_or_else(|error| {
        eprintln!("debug: {error:?}");
        eprintln!("error: {error}");
        std::process::exit(1);
    })
}

#[tokio::main]
async fn main() {
    let config = shown(Config::from_env());
    println!("{config:?}");
    if let Ok(records) = std::env::var("SECRETIVE_RECORDS") {
        let narad = shown(Narad::builder().config(config).build().await);
        println!("{narad:?}");
        let topic = std::env::var("SECRETIVE_TOPIC").unwrap_or_else(|_| "secretive.jobs".to_owned());
        let records: Vec<serde_json::Value> = serde_json::from_str(&records).expect("records in JSON");
        for record in records {
            let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
            let message =
                narad.message(&topic, &record["value"]).key(text("key")).header("trace", text("header"));
            shown(message.send().await);
        }
        println!("{}", narad.health());
    }
    shown(narad::run().await);
}
