//! What the macros cost at compile time: a crate of 200 events and 200 handlers, against the same types with
//! plain serde derives.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::compare::Options;
use crate::figures::median;
use crate::results::{self, Ratio};

const EVENTS: usize = 200;

/// One way to write the crate.
struct Way {
    label: &'static str,
    name: &'static str,
    source: fn() -> String,
}

const WAYS: [Way; 3] = [
    Way { label: "serde derives", name: "types", source: types },
    Way { label: "serde derives and a match by hand", name: "by-hand", source: by_hand },
    Way { label: "Narad", name: "with-narad", source: with_narad },
];

pub(crate) fn compile(options: Options) -> Result<(), String> {
    let amount = options.amount(EVENTS, 5);
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    // The dependencies of the workspace's own debug build serve here too.
    let target = program.parent().and_then(Path::parent).ok_or("this program is in no target folder")?;
    let mut ratios = Vec::new();
    let folders =
        WAYS.iter().map(|way| generate(target, way.name, &(way.source)())).collect::<Result<Vec<_>, _>>()?;
    for command in ["check", "build"] {
        let mut seconds: Vec<Vec<f64>> = WAYS.iter().map(|_| Vec::new()).collect();
        for folder in &folders {
            cargo(command, folder, target)?;
        }
        for round in 1..=amount.rounds {
            for ((folder, way), seconds) in folders.iter().zip(&WAYS).zip(&mut seconds) {
                let nothing = cargo(command, folder, target)?;
                touch(&folder.join("src/lib.rs"))?;
                let all = cargo(command, folder, target)?;
                eprintln!(
                    "round {round}: cargo {command}, {}: {all:.2} s, {nothing:.2} s of it with nothing to do",
                    way.label
                );
                seconds.push(all - nothing);
            }
        }
        println!(
            "\ncargo {command}: {EVENTS} events and handlers in one crate, dependencies built ({} rounds)\n",
            amount.rounds
        );
        println!("| | s | lowest-highest | ratio |\n|---|---|---|---|");
        let base = median(seconds[0].iter().copied());
        for (way, seconds) in WAYS.iter().zip(&seconds) {
            let middle = median(seconds.iter().copied());
            let low = seconds.iter().copied().fold(f64::INFINITY, f64::min);
            let high = seconds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            println!("| {} | {middle:.2} | {low:.2}-{high:.2} | {:.2} |", way.label, middle / base);
            ratios.push(Ratio {
                bench: "compile".to_owned(),
                of: way.label.to_owned(),
                to: WAYS[0].label.to_owned(),
                figure: command.to_owned(),
                ratio: middle / base,
                low: low / base,
                high: high / base,
                rounds: amount.rounds,
                records: EVENTS,
            });
        }
    }
    ratios.retain(|ratio| ratio.of != ratio.to);
    if options.saves() { results::save(ratios) } else { Ok(()) }
}

/// Writes a crate that is no member of the workspace, with the workspace's versions.
fn generate(target: &Path, name: &str, source: &str) -> Result<PathBuf, String> {
    let folder = target.join("narad-benches/compile").join(name);
    let narad = results::root().join("narad");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\nnarad = \
         {{ path = \"{}\" }}\n\
         serde = {{ version = \"1\", features = [\"derive\"] }}\nserde_json = {{ version = \"1\", features \
          = [\"raw_value\"] }}\n\n[workspace]\n",
        narad.display()
    );
    let write = || {
        std::fs::create_dir_all(folder.join("src"))?;
        std::fs::write(folder.join("Cargo.toml"), manifest)?;
        std::fs::copy(results::root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
        std::fs::write(folder.join("src/lib.rs"), source)
    };
    write().map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

fn touch(file: &Path) -> Result<(), String> {
    let touched = std::fs::File::options()
        .append(true)
        .open(file)
        .and_then(|file| file.set_modified(std::time::SystemTime::now()));
    touched.map_err(|error| format!("{}: {error}", file.display()))
}

/// Runs cargo, and says how many seconds it took.
fn cargo(command: &str, folder: &Path, target: &Path) -> Result<f64, String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([command, "--quiet"]).current_dir(folder).stdin(Stdio::null());
    cargo.env("CARGO_TARGET_DIR", target).env("CARGO_INCREMENTAL", "0");
    let start = Instant::now();
    let status = cargo.status().map_err(|error| format!("cargo does not start: {error}"))?;
    if status.success() {
        Ok(start.elapsed().as_secs_f64())
    } else {
        Err(format!("cargo {command} in {} ended with {status}", folder.display()))
    }
}

const FIELDS: &str = "    pub user_id: String,\n    pub ip: Option<String>,\n    pub amount: i64,\n    pub \
 first: bool,\n    pub share: f64,\n    pub tags: Vec<String>,\n";

fn types() -> String {
    let mut source = String::new();
    for event in 0..EVENTS {
        let _ = write!(
            source,
            "#[derive(serde::Serialize, serde::Deserialize, Debug)]\n#[serde(rename_all = \"camelCase\")]\npub struct Event{event} {{\n{FIELDS}}}\n\n"
        );
    }
    source
}

fn by_hand() -> String {
    let mut source = types();
    let mut arms = String::new();
    for event in 0..EVENTS {
        let _ = write!(
            source,
            "pub async fn handle_{event}(event: Event{event}) -> Result<(), String> {{ drop(event); Ok(()) \
             }}\n\n"
        );
        let _ = writeln!(
            arms,
            "        \"EVENT{event}\" => handle_{event}(serde_json::from_str(data).map_err(|error| \
             error.to_string())?).await,"
        );
    }
    let _ = write!(
        source,
        "pub async fn dispatch(kind: &str, data: &str) -> Result<(), String> {{\n    match kind {{\n{arms}        _ => Err(kind.to_owned()),\n    }}\n}}\n"
    );
    source
}

fn with_narad() -> String {
    let mut source = "use narad::prelude::*;\n\n".to_owned();
    for event in 0..EVENTS {
        // Ten types on a topic.
        let topic = event / 10;
        let _ = write!(
            source,
            "#[derive(Event, Debug)]\n#[event(topic = \"events.{topic}\", key = user_id)]\n#[serde(rename_all = \"camelCase\")]\npub struct Event{event} {{\n{FIELDS}}}\n\n\
             #[kafka_handler(topic = \"events.{topic}\", group = \"service\")]\n\
             pub async fn handle_{event}(event: Event{event}) -> Result<(), String> {{ drop(event); Ok(()) }}\n\n"
        );
    }
    source
}
