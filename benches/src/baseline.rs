//! Instructions of a record in this tree and in the commit that `benches/baseline` names, both built here and
//! counted in turns, so that the compiler, librdkafka and the machine fall out of the ratio. CI fails where
//! it grew.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::cluster::Cluster;
use crate::compare::Options;
use crate::data::Data;
use crate::instructions::{Line, pair, ratio, rounds, table};
use crate::results::root;

/// What a record may cost more than in the baseline: the counts of one program differ by 1 to 2 % between
/// runs, with how full the fetches were.
const MOST: f64 = 1.03;

const SIDES: [(&str, &str); 2] =
    [("owned events", "consume-narad"), ("borrowed events", "consume-narad-borrowed")];

/// Counts both, prints the table, and fails where a record became dearer.
pub(crate) fn baseline(cluster: &Cluster, options: Options) -> Result<(), String> {
    let file = root().join("benches/baseline");
    let commit = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let commit = commit.trim();
    if !known(commit) {
        // A copy without its history, such as a release's archive, has nothing to compare with.
        println!(
            "instructions are not compared: this copy of the repository does not have the commit {commit} \
             of benches/baseline"
        );
        return Ok(());
    }
    let folder = target()?.join("baseline");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    // Building the baseline puts its program in the place of this one.
    let now = folder.join("narad-benches-now");
    copy(&env::current_exe().map_err(|error| format!("this program is not found: {error}"))?, &now)?;
    let before = build(commit, &folder)?;

    let amount = options.amount(25_000, 3);
    let topics = [pair(cluster, "baseline", &Data { records: amount.records, ..Data::default() })?];
    let mut worst: f64 = 0.0;
    for (kind, side) in SIDES {
        let line = |label: &str, program: &Path| Line::new(format!("{kind}, {label}"), side, 0).of(program);
        let mut lines = [line(&commit[..9], &before), line("now", &now)];
        rounds(cluster, amount, &mut lines, &topics)?;
        table(&format!("{kind} beside the baseline"), amount, &lines);
        worst = worst.max(ratio(&lines[1], &lines[0]));
    }
    if worst > MOST {
        return Err(format!(
            "a record takes {:.1} % more instructions than in {commit}, over {:.0} %. Find what costs it; \
             where it is worth its price, say so in \
             the commit that moves benches/baseline",
            (worst - 1.0) * 100.0,
            (MOST - 1.0) * 100.0
        ));
    }
    Ok(())
}

fn known(commit: &str) -> bool {
    let object = format!("{commit}^{{commit}}");
    let git = Command::new("git")
        .current_dir(root())
        .args(["cat-file", "-e", &object])
        .stderr(Stdio::null())
        .status();
    git.is_ok_and(|status| status.success())
}

/// The target folder that this program was built in.
fn target() -> Result<PathBuf, String> {
    let program = env::current_exe().map_err(|error| format!("this program is not found: {error}"))?;
    program
        .ancestors()
        .nth(2)
        .map(Path::to_owned)
        .ok_or_else(|| "this program is in no target folder".to_owned())
}

/// The program of `commit`, built in the target folder of this one: their dependencies are the same.
fn build(commit: &str, folder: &Path) -> Result<PathBuf, String> {
    let source = folder.join("source");
    let _ = fs::remove_dir_all(&source);
    fs::create_dir_all(&source).map_err(|error| format!("{}: {error}", source.display()))?;
    let archive = folder.join("source.tar");
    done(Command::new("git").current_dir(root()).args(["archive", "--output"]).arg(&archive).arg(commit))?;
    done(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&source))?;
    let target = target()?;
    let cargo = ["build", "--quiet", "--release", "--locked", "-p", "narad-benches"];
    done(Command::new("cargo").current_dir(&source).args(cargo).env("CARGO_TARGET_DIR", &target))?;
    let before = folder.join("narad-benches-before");
    copy(&target.join("release/narad-benches"), &before)?;
    Ok(before)
}

fn done(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}")) }
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to).map(drop).map_err(|error| format!("{} to {}: {error}", from.display(), to.display()))
}
