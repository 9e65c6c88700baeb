//! Beside the package itself: `golden.json` has texts and what `dotenv` 17 reads of each. `NARAD_OVERWRITE=1`
//! writes the answers anew, for instance after a text was added with any answer. `NARAD_TEST_FUZZ=60` reads
//! made-up texts for so many seconds. Where Node or the package cannot be had, what needs it is left out,
//! unless `NARAD_TEST_NODE` is set.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::*;

#[derive(Serialize, Deserialize)]
struct Case {
    text: String,
    read: Vec<(String, String)>,
}

fn golden() -> Vec<Case> {
    serde_json::from_str(include_str!("golden.json")).unwrap()
}

/// Names and values in the order of the names, as the script gives them.
fn pairs(text: &str) -> Vec<(String, String)> {
    parse(text).into_iter().map(|(name, line)| (name, line.value)).collect()
}

/// The folder of the script with the package installed; none where that cannot be.
fn installed() -> Option<&'static PathBuf> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/dotenv");
        let worked = |command: &mut Command| {
            command.stdout(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        let is_there = worked(Command::new("node").arg("--version"))
            && (folder.join("node_modules/dotenv").is_dir()
                || worked(
                    Command::new("npm")
                        .args(["install", "--no-audit", "--no-fund", "--silent"])
                        .current_dir(&folder),
                ));
        assert!(
            is_there || std::env::var_os("NARAD_TEST_NODE").is_none(),
            "Node and the npm package dotenv are to be there"
        );
        is_there.then_some(folder)
    });
    if folder.is_none() {
        println!("left out: Node, or the npm package dotenv, is not there");
    }
    folder.as_ref()
}

/// What the package reads of each text.
fn reference(folder: &Path, texts: &[&str]) -> Vec<Vec<(String, String)>> {
    let mut command = Command::new("node");
    let mut node =
        command.arg(folder.join("read.mjs")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // It reads all before it writes.
    node.stdin.take().unwrap().write_all(&serde_json::to_vec(texts).unwrap()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn each_text_is_read_as_the_package_reads_it() {
    let cases = golden();
    assert!(cases.len() >= 200);
    let wrong: Vec<_> = cases
        .iter()
        .filter(|case| pairs(&case.text) != case.read)
        .map(|case| (&case.text, &case.read, pairs(&case.text)))
        .collect();
    assert!(wrong.is_empty(), "text, what dotenv reads, what this reads: {wrong:#?}");
}

#[test]
fn the_golden_answers_are_those_of_the_package() {
    let Some(folder) = installed() else { return };
    let cases = golden();
    let texts: Vec<_> = cases.iter().map(|case| case.text.as_str()).collect();
    let answers = reference(folder, &texts);
    if std::env::var_os("NARAD_OVERWRITE").is_some() {
        let cases = texts.iter().zip(answers).map(|(text, read)| Case { text: (*text).to_owned(), read });
        let lines: Vec<_> =
            cases.map(|case| format!("  {}", serde_json::to_string(&case).unwrap())).collect();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/dotenv/golden.json");
        return std::fs::write(path, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    }
    for (case, answer) in cases.iter().zip(&answers) {
        assert_eq!(&case.read, answer, "{:?}", case.text);
    }
}

/// What texts are made of.
const PARTS: &[&str] = &[
    "A",
    "B_1",
    "a.b",
    "-",
    "export",
    "export ",
    "=",
    "=",
    "=",
    ":",
    ": ",
    " ",
    " ",
    "\t",
    "\n",
    "\n",
    "\n",
    "\r\n",
    "\r",
    "'",
    "'",
    "\"",
    "\"",
    "`",
    "\\",
    "\\n",
    "\\r",
    "\\'",
    "\\\"",
    "\\`",
    "#",
    "# ",
    " #",
    "x",
    "y z",
    "$",
    "${A}",
    "{\"a\": 1}",
    "=\"",
    "='",
    "=`",
    "\nA=",
    "\nB='",
    "\nC=\"",
    "\n\n",
    "\n# it's\n",
    "\u{feff}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{2029}",
    "\u{3000}",
    "\u{b}",
    "\u{c}",
    "\0",
    "é",
    "\u{1f980}",
];

fn made_up(random: &mut fastrand::Rng) -> String {
    (0..random.usize(0..24)).map(|_| PARTS[random.usize(0..PARTS.len())]).collect()
}

#[test]
fn made_up_texts_are_read_as_the_package_reads_them() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = installed();
    for _ in crate::fuzz::rounds(2) {
        let texts: Vec<_> = (0..10_000).map(|_| made_up(&mut random)).collect();
        let read: Vec<_> = texts.iter().map(|text| pairs(text)).collect();
        let Some(folder) = folder else { continue };
        let answers = reference(folder, &texts.iter().map(String::as_str).collect::<Vec<_>>());
        for ((text, read), answer) in texts.iter().zip(&read).zip(&answers) {
            assert_eq!(read, answer, "{text:?}");
        }
    }
}

#[test]
fn any_bytes_are_read_without_a_panic_each_variable_with_a_line_of_the_file() {
    let mut random = fastrand::Rng::new();
    for _ in crate::fuzz::rounds(20_000) {
        let bytes: Vec<u8> = (0..random.usize(0..60))
            .map(|_| if random.bool() { random.u8(..) } else { *random.choice(b"A='\"`\n\\#: ").unwrap() })
            .collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.replace("\r\n", "\n").replace('\r', "\n").matches('\n').count() + 1;
        for (name, line) in parse(&text) {
            assert!(!name.is_empty() && (1..=lines).contains(&line.number), "{text:?}");
        }
    }
}

#[test]
fn a_long_text_takes_time_by_its_length_whatever_it_holds() {
    // With steps that go back, each of these takes minutes or for ever.
    for part in [
        "\n",
        " ",
        "A\n",
        "A=\n",
        "A='\\'",
        "\\'",
        "A='\n\"`",
        "A=\"x\" y\n",
        "export ",
        "=",
        "'",
        "A=' \n \\' \n",
    ] {
        let long = format!("A='{}", part.repeat(500_000 / part.len()));
        drop((parse(&long), parse(&long[3..])));
    }
}

#[test]
fn a_line_is_counted_where_its_name_stands() {
    let text = "# 1\n\nA=1\r\nB=\"4\n5\"\rC=6\n\n\nexport D=9\nE\n=1\nA=11";
    let lines: Vec<_> = parse(text).iter().map(|(name, line)| (name.clone(), line.number)).collect();
    assert_eq!(
        lines,
        [("A", 12), ("B", 4), ("C", 6), ("D", 9), ("E", 10)].map(|(name, line)| (name.to_owned(), line))
    );
}

#[test]
fn what_is_no_text_counts_as_none_or_is_marked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    let nothing = |file: &File| file.variables.is_empty() && file.unread.is_none();
    assert!(nothing(&File::read(&path)));
    std::fs::create_dir(&path).unwrap();
    assert!(nothing(&File::read(&path)), "a folder of this name is that of another tool");
    std::fs::remove_dir(&path).unwrap();
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        File::read(&path)
    };
    let file = read(b"A=\xff1\nB=\xef\xbf\xbd2\nC=3");
    let marked = |name: &str| (file.variables[name].value.as_str(), file.variables[name].is_broken);
    assert_eq!((marked("A"), marked("C")), (("\u{fffd}1", true), ("3", false)));
    assert!(!read("B=\u{fffd}2".as_bytes()).variables["B"].is_broken);
    assert!(read(b"\xff\xfeA\0=\x001\0").unread.unwrap().contains("UTF-16"));
    assert!(read(&b"A=1\n".repeat(300_000)).unread.unwrap().contains("1 MiB"));
}
