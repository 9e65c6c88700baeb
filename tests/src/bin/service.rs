//! The program that the process tests run: `narad::run()` on the embedded broker, with one event that it
//! publishes to itself.
//!
//! `SERVICE_LOG_PANICS=text`: it has a log of its own, which panics at each line with this text.
//! `SERVICE_DONE=file`: made when a job is done.
//! `SERVICE_BUILT=1`: it is that of a builder, with a state and a layer.

use std::io::Write;
use std::time::Duration;

use narad::prelude::*;
use narad::{Config, Layer, Narad, Next};

/// What is to happen to it.
#[derive(Event)]
#[event(topic = "service-jobs", key = todo)]
struct Job {
    todo: String,
}

#[kafka_handler(topic = "service-jobs", group = "service")]
async fn work(job: Job) -> Result<(), Outcome> {
    let _ = writeln!(std::io::stdout(), "begun {}", job.todo);
    match job.todo.as_str() {
        "hang" => std::future::pending().await,
        "halt" => return Err(Outcome::halt("as it was asked")),
        "slow" => tokio::time::sleep(Duration::from_millis(500)).await,
        _ => {}
    }
    let _ = writeln!(std::io::stdout(), "done {}", job.todo);
    if let Some(file) = std::env::var_os("SERVICE_DONE") {
        std::fs::write(file, &job.todo).expect("a file");
    }
    Ok(())
}

/// Says what goes through it, with the state that the handler has.
struct Around;

impl Layer for Around {
    async fn call<'a>(&'a self, ctx: &'a Context, next: Next<'a>) -> Outcome {
        let _ = writeln!(std::io::stdout(), "around {} {:?}", ctx.handler(), ctx.state::<&str>());
        next.run().await
    }
}

/// A log that the application brings, and that cannot be written at times.
struct Panicking(String);

impl Write for Panicking {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let _ = std::io::stderr().write(line);
        assert!(
            !String::from_utf8_lossy(line).contains(&self.0),
            "the application's log panics at {:?}",
            self.0
        );
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> narad::Result<()> {
    if let Ok(text) = std::env::var("SERVICE_LOG_PANICS") {
        tracing_subscriber::fmt().with_writer(move || Panicking(text.clone())).init();
    }
    if let Some(todo) = std::env::args().nth(1) {
        let narad = Narad::builder().config(Config::from_env()?).build().await?;
        narad.publish(&Job { todo }).await?;
    }
    if std::env::var_os("SERVICE_BUILT").is_some() {
        return Narad::builder().state("a state").layer(Around).run().await;
    }
    narad::run().await
}
