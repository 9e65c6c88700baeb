//! The compiler, called with the library that the test's own build left, and what it says of a case.
//!
//! Cargo is not asked: it would build the library and its C code again, for itself or with other features.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use serde_json::Value;

/// Within the workspace.
const PACKAGE: &str = "tests/ui";

pub struct Compiler {
    /// The folder of everything that cargo built, this test among it.
    built: PathBuf,
    library: PathBuf,
}

impl Compiler {
    /// The newest `libnarad` beside this test is made of the sources as they are: cargo builds anew what is
    /// older than its sources. Of another compiler's the compiler says that it cannot read them.
    pub fn find() -> Self {
        let built = env::current_exe().unwrap().parent().unwrap().to_path_buf();
        let mut libraries: Vec<(SystemTime, PathBuf)> = fs::read_dir(&built)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| {
                let name = entry.file_name().into_string().unwrap_or_default();
                name.starts_with("libnarad-") && name.ends_with(".rlib")
            })
            .map(|entry| (entry.metadata().unwrap().modified().unwrap(), entry.path()))
            .collect();
        libraries.sort();
        libraries
            .into_iter()
            .rev()
            .map(|(_, library)| Self { built: built.clone(), library })
            .find(Self::reads_the_library)
            .unwrap_or_else(|| panic!("no library of this compiler in {}", built.display()))
    }

    fn reads_the_library(&self) -> bool {
        let mut child = self.command().arg("-").stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"use narad::prelude as _;\nfn main() {}\n").unwrap();
        child.wait().unwrap().success()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        // The library knows its sources by their paths within the workspace, and so the excerpts are found.
        command.current_dir(workspace());
        command.args(["--crate-name", "case", "--crate-type", "bin", "--edition", "2024"]);
        command.args(["--error-format", "json", "--diagnostic-width", "140"]);
        // Checked, as by `cargo check`.
        command.args(["--emit", "metadata", "--out-dir", env!("CARGO_TARGET_TMPDIR")]);
        command.arg("--extern").arg(format!("narad={}", self.library.display()));
        command.arg("-L").arg(format!("dependency={}", self.built.display()));
        command
    }

    /// Whether the case compiles, and what people read then.
    pub fn check(&self, case: &Path) -> (bool, String) {
        let stem = case.file_stem().unwrap().to_string_lossy();
        let mut command = self.command();
        command.arg("-C").arg(format!("extra-filename=-{stem}")).arg(Path::new(PACKAGE).join(case));
        let output = command.output().unwrap();
        let messages = String::from_utf8(output.stderr).unwrap();
        let texts: Vec<String> = messages
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{line}")))
            // The sums at the end.
            .filter(|message| message["level"] != "failure-note")
            .filter(|message| !message["message"].as_str().unwrap().starts_with("aborting due to "))
            .map(|message| plain(message["rendered"].as_str().unwrap(), case))
            .collect();
        (output.status.success(), texts.join("\n"))
    }
}

fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().find(|folder| folder.join(PACKAGE) == package).unwrap()
}

/// A message without what differs between machines and from one change of Narad to the next.
fn plain(message: &str, case: &Path) -> String {
    let case = case.to_string_lossy();
    let mut lines: Vec<String> = Vec::new();
    // Within an excerpt of another file than the case.
    let mut elsewhere = false;
    for line in message.trim_end().lines().map(str::trim_end) {
        if line.contains("the full type name has been written to")
            || line.contains("the full name for the type has been written to")
        {
            continue;
        }
        if let Some((mark, file)) = place(line) {
            let of_package = file.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix('/'));
            elsewhere = !of_package.is_some_and(|file| file.starts_with(&*case));
            lines.push(match of_package {
                Some(file) if !elsewhere => format!("{mark}{file}"),
                _ => mark.to_owned() + &of_another_file(file),
            });
            continue;
        }
        let code = line.trim_start();
        elsewhere &= code.starts_with(|first: char| first.is_ascii_digit() || "|.".contains(first));
        lines.push(if elsewhere { without_number(line) } else { others(line) });
    }
    narrow(&mut lines);
    lines.join("\n") + "\n"
}

/// `  --> lib.rs:12:5` in two: what stands before the file, and the file.
fn place(line: &str) -> Option<(&str, &str)> {
    let code = line.trim_start();
    (code.starts_with("--> ") || code.starts_with("::: ")).then(|| line.split_at(line.len() - code.len() + 4))
}

/// `narad/src/lib.rs:12:5` is `$WORKSPACE/narad/src/lib.rs`.
fn of_another_file(file: &str) -> String {
    let file = file.trim_end_matches(|last: char| last == ':' || last.is_ascii_digit());
    if Path::new(file).is_relative() {
        return format!("$WORKSPACE/{file}");
    }
    match file.split_once("/library/") {
        Some((_, file)) => format!("$RUST/{file}"),
        None => file.to_owned(),
    }
}

/// `12 | pub fn` is `   | pub fn`.
fn without_number(line: &str) -> String {
    let code = line.trim_start_matches(|first: char| first == ' ' || first.is_ascii_digit());
    " ".repeat(line.len() - code.len()) + code
}

/// `and 12 others` is `and $N others`.
fn others(line: &str) -> String {
    let count = line.trim_start().strip_prefix("and ").and_then(|rest| rest.strip_suffix(" others"));
    match count {
        Some(count) if count.bytes().all(|digit| digit.is_ascii_digit()) => line.replace(count, "$N"),
        _ => line.to_owned(),
    }
}

/// The gutter is as wide as the longest of the numbers that were left.
fn narrow(lines: &mut [String]) {
    let blanks = lines.iter().filter_map(|line| gutter(line)).min().unwrap_or_default();
    for line in lines {
        if gutter(line).is_some() {
            let at = line.find(' ').unwrap_or_default();
            line.replace_range(at..at + blanks, "");
        }
    }
}

/// How many blanks the gutter of an excerpt's line has to spare; none where the line has no gutter.
fn gutter(line: &str) -> Option<usize> {
    let numbered = line.trim_start().starts_with(|first: char| first.is_ascii_digit());
    let code = line.trim_start_matches(|first: char| first == ' ' || first == '.' || first.is_ascii_digit());
    let before = &line[..line.len() - code.len()];
    let marks: &[&str] = if numbered { &["|", "+", "-", "~"] } else { &["|", "-->", ":::", "="] };
    let marked = marks.iter().any(|mark| code == *mark || code.starts_with(&format!("{mark} ")));
    (marked && before.ends_with(' ')).then(|| before.bytes().filter(|byte| *byte == b' ').count() - 1)
}
