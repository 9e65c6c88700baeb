//! Starts a side in a process of its own, and reads what it measured.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::cluster::Cluster;
use crate::side::Measured;

/// A side that takes longer is given up.
const LIMIT: Duration = Duration::from_secs(300);

/// What a side is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<'a> {
    pub(crate) side: &'a str,
    /// The program that has the side; none: this one.
    pub(crate) program: Option<&'a Path>,
    pub(crate) topic: &'a str,
    pub(crate) records: usize,
    pub(crate) environment: &'a [(&'a str, &'a str)],
}

/// The command that runs a side, after `before`, the words of another command.
pub(crate) fn command(cluster: &Cluster, task: &Task<'_>, before: &[&str]) -> Result<Command, String> {
    let program = match task.program {
        Some(program) => program.to_owned(),
        None => std::env::current_exe().map_err(|error| format!("this program is not found: {error}"))?,
    };
    let mut command = match before {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    };
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    command.args(["side", task.side]).stdin(Stdio::null()).stdout(Stdio::piped());
    command
        .env("KAFKA_BROKERS", &cluster.brokers)
        .env("BENCH_TOPIC", task.topic)
        .env("BENCH_RECORDS", task.records.to_string());
    command
        .env("BENCH_GROUP", cluster.name(task.side))
        .env("BENCH_STARTED", since_epoch.as_micros().to_string());
    // As a service is deployed; the dead letters of its groups are made by their first run.
    command.env("NARAD_ENV", "production").env("NARAD_CREATE_TOPICS", "true").env("KAFKA_CLIENT_ID", "bench");
    command.envs(task.environment.iter().copied());
    Ok(command)
}

/// Runs a side to its end.
pub(crate) fn measure(cluster: &Cluster, task: &Task<'_>) -> Result<Measured, String> {
    cluster.forget_groups()?;
    // What an earlier run wrote does not disturb this one.
    rustix::fs::sync();
    run(command(cluster, task, &[])?, task.side)
}

/// Runs a command that ends with a line of [`Measured`].
pub(crate) fn run(mut command: Command, side: &str) -> Result<Measured, String> {
    let mut child = command.spawn().map_err(|error| format!("{side} does not start: {error}"))?;
    let start = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if start.elapsed() > LIMIT => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{side} has not ended after {} s", LIMIT.as_secs()));
            }
            // A millisecond, since the end is not what is measured.
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    let mut output = String::new();
    child.stdout.take().ok_or("no output")?.read_to_string(&mut output).map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(format!("{side} ended with {status}"));
    }
    let line = output.lines().last().unwrap_or_default();
    serde_json::from_str(line).map_err(|error| format!("{side} ended without a result: {error}"))
}
