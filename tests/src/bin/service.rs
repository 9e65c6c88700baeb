//! The program that the process tests run: `narad::run()` on the embedded broker, with one event that it publishes to itself.

use std::time::Duration;

use narad::prelude::*;
use narad::{Config, Narad};

/// What is to happen to it.
#[derive(Event)]
#[event(topic = "service-jobs", key = todo)]
struct Job {
    todo: String,
}

#[kafka_handler(topic = "service-jobs", group = "service")]
async fn work(job: Job) -> Result<(), Outcome> {
    println!("begun {}", job.todo);
    match job.todo.as_str() {
        "hang" => std::future::pending().await,
        "halt" => return Err(Outcome::halt("as it was asked")),
        "slow" => tokio::time::sleep(Duration::from_millis(500)).await,
        _ => {}
    }
    println!("done {}", job.todo);
    Ok(())
}

#[tokio::main]
async fn main() -> narad::Result<()> {
    if let Some(todo) = std::env::args().nth(1) {
        let narad = Narad::builder().config(Config::from_env()?).build().await?;
        narad.publish(&Job { todo }).await?;
    }
    narad::run().await
}
