//! Can this machine, with this environment, talk to Kafka? Run it where the service will run, with the
//! service's variables.
//!
//! ```text
//! KAFKA_BROKERS=kafka-1.example.com:9093 KAFKA_SSL=true cargo run --example connection_test
//! ```
//!
//! Without `KAFKA_BROKERS` it tests the embedded broker. It reads and writes no topic, so it needs no ACL on
//! one. It prints the health and ends with status 0, or prints what is wrong and ends with status 1.

use std::process::ExitCode;
use std::time::Instant;

use narad::prelude::*;
use narad::{Config, Environment, Narad};

async fn check() -> narad::Result<()> {
    let mut config = Config::from_env()?.or_embedded();
    // In development mode `connect` succeeds without a broker.
    config.environment = Environment::Production;
    let narad = Narad::builder().config(config).build().await?;
    println!("connecting to {}", narad.health().brokers().join(", "));

    let started = Instant::now();
    narad.connect().await?;
    println!("a broker answered after {:?}", started.elapsed());
    println!("{}", narad.health());
    narad.disconnect().await
}

#[tokio::main]
async fn main() -> ExitCode {
    match check().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
