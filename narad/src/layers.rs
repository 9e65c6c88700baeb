//! The layers of the crate, and that its sources keep to them.

mod circles;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of the crate, the application at the top. A room knows those of the lines below its own, and of
/// its own line those to the right.
const LAYERS: &[&[&str]] = &[
    // The application: its process, its parts put together, what it says at the start.
    &[
        "process", "send", "run", "http", "metrics", "announce", "topics", "assemble", "describe", "logging",
        "config",
    ],
    // The way of a record, and what stands around an attempt.
    &["consumer"],
    // What becomes of a record, decided.
    &["engine"],
    &["registry", "layer", "handler", "batch", "context", "application"],
    // Sending.
    &["producer", "dead_letter", "connection"],
    // What users declare, and its bytes.
    &["publish", "event", "health", "view", "codec", "record"],
    // librdkafka.
    &["transport"],
    // What clients log in with.
    &["login"],
    // What everybody may know, and what knows nobody.
    &["signals", "runtime", "supervision", "outcome", "discard", "stderr"],
    &["error", "sent", "envelope", "json", "state", "sync", "clock"],
];

/// Only there stand rdkafka's types.
const LIBRDKAFKA: &str = "src/transport/kafka/";

/// The room that runs nothing: what it decides on is handed in.
const PURE: &str = "engine";

/// What a pure room does not name: the time, chance, other threads, and what waits.
const IMPURE: &[&str] =
    &["Instant::now", "SystemTime", "std::thread", "tokio", "fastrand", "rdkafka", "Mutex"];

/// The rooms that are given the time by the application, whose clock a test can move by hand.
const TIMED: &[&str] = &["consumer", "producer", "connection"];

/// What they do not name. What is asked of `Clock` stands in its own room.
const TIMELESS: &[&str] = &["Instant::now", "SystemTime::now", "thread::sleep"];

/// Of two rooms, which one knows the other, and where it says so.
type Arrows = BTreeMap<(String, String), BTreeSet<String>>;

fn place(room: &str) -> (usize, usize) {
    let on = |rooms: &[&str]| rooms.iter().position(|name| *name == room);
    let found = LAYERS.iter().enumerate().find_map(|(line, rooms)| Some((line, on(rooms)?)));
    found.unwrap_or_else(|| panic!("{room} has no place in the table of layers"))
}

#[test]
fn every_arrow_between_rooms_runs_down() {
    let up: Vec<String> = arrows()
        .iter()
        .filter(|((from, to), _)| place(from) >= place(to))
        .map(|((from, to), files)| format!("{from} knows {to}, which stands above it: {files:?}"))
        .collect();
    assert!(up.is_empty(), "{}", up.join("\n"));
}

#[test]
fn librdkafka_is_known_in_its_room_only() {
    let outside: Vec<String> = sources()
        .into_iter()
        .filter(|source| !source.file.contains(LIBRDKAFKA))
        .filter(|source| words(&source.code).any(|word| word == "rdkafka" || word == "rdkafka_sys"))
        .map(|source| source.file)
        .collect();
    assert!(outside.is_empty(), "{outside:?}");
}

#[test]
fn the_engine_has_no_clock_no_threads_no_locks_and_no_chance_of_its_own() {
    let impure = named(&[PURE], IMPURE);
    assert!(impure.is_empty(), "{}", impure.join("\n"));
}

#[test]
fn whoever_consumes_or_sends_asks_the_applications_clock_what_time_it_is() {
    let timed = named(TIMED, TIMELESS);
    assert!(timed.is_empty(), "{}", timed.join("\n"));
}

/// Where the rooms name one of these.
fn named(rooms: &[&str], names: &[&'static str]) -> Vec<String> {
    let of_rooms = sources().into_iter().filter(|source| rooms.contains(&source.room.as_str()));
    let named = of_rooms.flat_map(|source| {
        let named = names.iter().filter(move |name| source.code.contains(**name));
        named.map(move |name| format!("{} names {name}", source.file))
    });
    named.collect()
}

/// The test would see an arrow that runs up.
#[test]
fn paths_are_found_however_they_are_written() {
    let of = |code: &str| rooms_of(code, 2).into_iter().collect::<Vec<_>>();
    assert_eq!(of("use crate::codec::Outline;"), ["codec"]);
    assert_eq!(of("use crate::{codec::{Outline, Body}, event::Event};"), ["codec", "event"]);
    assert_eq!(of("use super::super::producer::Outgoing;"), ["producer"]);
    assert_eq!(of("let it = crate::transport::said(text);"), ["transport"]);
    assert_eq!(of("use super::sibling::Thing; pub(in crate::consumer) fn it() {}"), Vec::<String>::new());
}

struct Source {
    file: String,
    room: String,
    /// The modules it is inside of, itself included.
    names: Vec<String>,
    /// How many they are.
    depth: usize,
    code: String,
}

/// The files of the crate that are no tests, without their comments and inline tests.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    gather(&root, &mut files);
    let mut sources = Vec::new();
    let mut tests = BTreeSet::new();
    for file in files {
        let path = file.strip_prefix(&root).unwrap().with_extension("");
        let mut names: Vec<String> =
            path.iter().map(|name| name.to_str().unwrap().to_owned()).filter(|name| name != "mod").collect();
        let code = without_comments(&fs::read_to_string(&file).unwrap());
        for name in test_modules(&code) {
            tests.insert([&names[..], std::slice::from_ref(&name)].concat());
            // With a path of its own it lies beside the file.
            tests.insert([&names[..names.len().saturating_sub(1)], &[name]].concat());
        }
        if names == ["lib"] || names.is_empty() {
            names.clear();
        }
        sources.push((file, names, code));
    }
    let is_test = |names: &[String]| (1..=names.len()).any(|upto| tests.contains(&names[..upto]));
    sources
        .into_iter()
        .filter(|(_, names, _)| !names.is_empty() && !is_test(names))
        .filter(|(_, names, _)| names[0] != "layers" && names[0] != "fuzz")
        .map(|(file, names, code)| Source {
            file: file.display().to_string(),
            room: names[0].clone(),
            depth: names.len(),
            names,
            code: code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned(),
        })
        .collect()
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn without_comments(code: &str) -> String {
    code.lines().filter(|line| !line.trim_start().starts_with("//")).fold(String::new(), |mut all, line| {
        all.push_str(line);
        all.push('\n');
        all
    })
}

/// The modules in files of their own that are made for tests only.
fn test_modules(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = code.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.trim().starts_with("#[cfg(") || !line.contains("test") {
            continue;
        }
        let path =
            lines.peek().and_then(|next| next.trim().strip_prefix("#[path = \"")?.strip_suffix(".rs\"]"));
        if let Some(file) = path {
            found.push(file.to_owned());
        } else if let Some(name) = lines.peek().and_then(|next| next.trim().strip_suffix(';'))
            && let Some(name) = name.trim_start_matches("pub(crate) ").strip_prefix("mod ")
        {
            found.push(name.to_owned());
        }
    }
    found
}

fn arrows() -> Arrows {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut arrows = Arrows::new();
    for source in sources() {
        for name in rooms_of(&source.code, source.depth) {
            let Some(to) = room_of(&name, &lib) else { continue };
            if to != source.room {
                arrows.entry((source.room.clone(), to)).or_default().insert(source.file.clone());
            }
        }
    }
    arrows
}

/// The room of a name at the root of the crate: a module, or what one of them lends to users.
fn room_of(name: &str, lib: &str) -> Option<String> {
    if lib.lines().any(|line| line.trim_start_matches("pub ") == format!("mod {name};")) {
        return Some(name.to_owned());
    }
    let lent = lib.split("pub use ").skip(1).find(|lent| {
        let lent = lent.split(';').next().unwrap_or_default();
        words(lent).any(|word| word == name)
    })?;
    let room = words(lent).next()?.to_owned();
    (room != "narad_macros").then_some(room)
}

/// The names at the root of the crate that a file's paths begin with.
fn rooms_of(code: &str, depth: usize) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    let mut rest = code;
    while let Some(at) = rest.find("crate::") {
        let inside = rest[..at].ends_with("pub(in ");
        rest = &rest[at + "crate::".len()..];
        if !inside {
            rooms.extend(first_names(rest));
        }
    }
    let up = "super::".repeat(depth);
    let mut rest = code;
    while let Some(at) = rest.find(&up) {
        rest = &rest[at + up.len()..];
        rooms.extend(first_names(rest));
    }
    rooms
}

/// The first name of a path, or of each path in braces.
fn first_names(path: &str) -> Vec<String> {
    let Some(list) = path.strip_prefix('{') else {
        return words(path).next().map(str::to_owned).into_iter().collect();
    };
    let mut names = Vec::new();
    let mut depth = 0;
    let mut item = String::new();
    for character in list.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.extend(words(&std::mem::take(&mut item)).next().map(str::to_owned)),
            other => item.push(other),
        }
    }
    names.extend(words(&item).next().map(str::to_owned));
    names
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric() && character != '_')
        .filter(|word| !word.is_empty())
}
