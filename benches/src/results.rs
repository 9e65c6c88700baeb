//! The history: one line of JSON for each ratio that was saved, in `benches/results/ratios.jsonl`.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// One ratio of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ratio {
    pub(crate) bench: String,
    pub(crate) of: String,
    pub(crate) to: String,
    /// Of what: `rate`, `cpu`, `memory`, `p50`, `p99`, `startup`, `instructions`, `check`, `build`.
    pub(crate) figure: String,
    pub(crate) ratio: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) rounds: usize,
    pub(crate) records: usize,
}

/// A line of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    pub(crate) date: String,
    pub(crate) commit: String,
    #[serde(flatten)]
    pub(crate) ratio: Ratio,
}

/// The root of the repository that this was built in.
pub(crate) fn root() -> PathBuf {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    package.parent().map(PathBuf::from).unwrap_or(package)
}

fn file() -> PathBuf {
    root().join("benches/results/ratios.jsonl")
}

/// Appends ratios.
pub(crate) fn save(ratios: Vec<Ratio>) -> Result<(), String> {
    let named = |error: std::io::Error| format!("{}: {error}", file().display());
    let mut lines = String::new();
    // To the second is enough.
    let now = jiff::Timestamp::now();
    let date = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
    let commit = commit();
    for mut ratio in ratios {
        for value in [&mut ratio.ratio, &mut ratio.low, &mut ratio.high] {
            *value = (*value * 1e4).round() / 1e4;
        }
        let saved = Saved { date: date.clone(), commit: commit.clone(), ratio };
        lines += &serde_json::to_string(&saved).map_err(|error| error.to_string())?;
        lines.push('\n');
    }
    if let Some(folder) = file().parent() {
        std::fs::create_dir_all(folder).map_err(named)?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(file())
        .and_then(|mut file| file.write_all(lines.as_bytes()))
        .map_err(named)
}

/// All that was saved, the oldest first.
pub(crate) fn saved() -> Result<Vec<Saved>, String> {
    let text = std::fs::read_to_string(file()).map_err(|error| format!("{}: {error}", file().display()))?;
    text.lines()
        .map(|line| {
            serde_json::from_str(line).map_err(|error| format!("{}: {error}: {line}", file().display()))
        })
        .collect()
}

/// The commit that was measured; `+` where something was not committed.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").current_dir(root()).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=9", "HEAD"]) else { return "unknown".to_owned() };
    // The history itself changes with each run.
    let changed = git(&["status", "--porcelain", "--", "narad", "narad-macros", "benches/src"])
        .is_some_and(|changes| !changes.is_empty());
    if changed { format!("{commit}+") } else { commit }
}
