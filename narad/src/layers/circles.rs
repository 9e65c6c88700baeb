//! The files of a folder know each other in one direction: none is reached again from what it knows.
//!
//! A file knows the file of each path that it writes, and where that one only lends a name (`pub use`), the
//! file that the name is of. What a `mod.rs` lends it does not know; a child that uses a type of its parent,
//! which uses the child, stands in a circle with it. Methods are called without a path: the doc of a type
//! whose methods stand in several files says in which direction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::{Source, sources};

/// The folders that still have circles. This list only shrinks.
const STILL_OPEN: &[&str] = &[];

/// A module, as the names that lead to it.
type Path = Vec<String>;

static USE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^(pub(?:\([^)]*\))? )?use ([^;]+);").expect("a pattern"));
static IN_LINE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(?:crate|super|self)(?:::\w+)+").expect("a pattern"));

#[test]
fn the_files_of_a_folder_stand_in_no_circle() {
    let circles = circles(&graph(&modules(sources())));
    let new: Vec<_> = circles
        .iter()
        .filter(|circle| !STILL_OPEN.contains(&&*folder_of(circle)))
        .map(|circle| format!("{}: {circle:?}", folder_of(circle)))
        .collect();
    assert!(new.is_empty(), "files in circles:\n{}", new.join("\n"));
    let is_done = |folder: &&&str| circles.iter().all(|circle| folder_of(circle) != **folder);
    let done: Vec<_> = STILL_OPEN.iter().filter(is_done).collect();
    assert!(done.is_empty(), "no circle is left, take them off the list: {done:?}");
}

/// The test would see a circle, however it is written.
#[test]
fn circles_are_found_through_names_that_are_lent_and_through_parents() {
    let of = |files: &[(&str, &str)]| {
        let module = |(path, code): &(&str, &str)| {
            (path.split('/').map(str::to_owned).collect::<Path>(), Module::of(code))
        };
        let circles = circles(&graph(&files.iter().map(module).collect()));
        circles.iter().map(|circle| circle.join(" ")).collect::<Vec<_>>()
    };
    let siblings = [("a/b", "use super::c::C;"), ("a/c", "fn it() { super::b::it() }"), ("a", "mod b;")];
    assert_eq!(of(&siblings), ["a/b a/c"]);
    let one_way = [("a/b", "use super::c::{self, C};"), ("a/c", "use super::d;"), ("a/d", "")];
    assert_eq!(of(&one_way), [""; 0]);
    let lent = [
        ("a", "mod b;\npub(crate) use self::b::B;"),
        ("a/b", "use crate::a::c::C;"),
        ("a/c", "use super::B;"),
    ];
    assert_eq!(of(&lent), ["a/b a/c"]);
    let only_lends = [("a", "mod b;\npub(crate) use self::b::B;"), ("a/b", "use super::c::C;"), ("a/c", "")];
    assert_eq!(of(&only_lends), [""; 0]);
    let parent = [("a", "mod b;\nuse self::b::B;\nstruct A(B);"), ("a/b", "use super::A;")];
    assert_eq!(of(&parent), ["a a/b"]);
    let far = [("a", "use b::B;"), ("a/b", "use crate::c::d::D;"), ("c/d", "use crate::a::A;"), ("c", "")];
    assert_eq!(of(&far), ["a a/b c/d"]);
}

/// What a file says of others.
struct Module {
    /// The paths that it writes.
    known: Vec<String>,
    /// What it lends, by name.
    lent: BTreeMap<String, String>,
}

impl Module {
    fn of(code: &str) -> Self {
        let (mut known, mut lent) = (Vec::new(), BTreeMap::new());
        let body = USE.replace_all(code, "");
        let body = body.replace("pub(in ", "");
        for found in USE.captures_iter(code) {
            for path in flat(&found[2]) {
                let (path, name) = path.split_once(" as ").unwrap_or((&path, ""));
                let last = path.rsplit("::").next().unwrap_or_default();
                let name = if name.is_empty() { last } else { name };
                if found.get(1).is_some() {
                    lent.insert(name.to_owned(), path.to_owned());
                } else {
                    known.push(path.to_owned());
                }
            }
        }
        known.extend(IN_LINE.find_iter(&body).map(|path| path.as_str().to_owned()));
        let used = |name: &str| super::words(&body).any(|word| word == name);
        known.extend(lent.iter().filter(|(name, _)| used(name)).map(|(_, path)| path.clone()));
        Self { known, lent }
    }
}

/// The paths of one `use`, each by itself.
fn flat(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((before, inside)) = tree.split_once('{') else { return vec![tree.to_owned()] };
    let inside = inside.trim_end().trim_end_matches('}');
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for character in inside.chars() {
        match character {
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        parts.last_mut().expect("never empty").push(character);
    }
    // The last brace of an inner list may be gone with the outer one's.
    let closed =
        |part: String| part.clone() + &"}".repeat(part.matches('{').count() - part.matches('}').count());
    let parts = parts.into_iter().map(closed).filter(|part| !part.trim().is_empty());
    parts.flat_map(|part| flat(&part)).map(|part| format!("{}{part}", before.trim())).collect()
}

fn modules(sources: Vec<Source>) -> BTreeMap<Path, Module> {
    sources.into_iter().map(|source| (source.names, Module::of(&source.code))).collect()
}

/// The file that a path of this module leads to.
fn resolve(modules: &BTreeMap<Path, Module>, from: &Path, path: &str, lent: usize) -> Option<Path> {
    let mut rest = path.split("::").map(str::trim).peekable();
    let mut at = from.clone();
    match rest.peek().copied() {
        Some("crate") => {
            rest.next();
            at.clear();
        }
        Some("self") => drop(rest.next()),
        Some("super") => {
            while rest.next_if_eq(&"super").is_some() {
                at.pop();
            }
        }
        // A child, or another crate.
        Some(name) if !modules.contains_key(&[&from[..], &[name.to_owned()]].concat()) => return None,
        _ => {}
    }
    while let Some(name) = rest.peek() {
        let child = [&at[..], &[(*name).to_owned()]].concat();
        if !modules.keys().any(|path| path.starts_with(&child)) {
            break;
        }
        rest.next();
        at = child;
    }
    let module = modules.get(&at)?;
    let lender = rest.peek().and_then(|name| module.lent.get(*name)).filter(|_| lent < 8);
    lender.and_then(|path| resolve(modules, &at, path, lent + 1)).or(Some(at))
}

fn graph(modules: &BTreeMap<Path, Module>) -> BTreeMap<String, BTreeSet<String>> {
    let known = |(path, module): (&Path, &Module)| {
        let known = module.known.iter().filter_map(|known| resolve(modules, path, known, 0));
        (path.join("/"), known.filter(|known| known != path).map(|known| known.join("/")).collect())
    };
    modules.iter().map(known).collect()
}

/// The groups of files that reach each other, those with more than one: as each folder shows them whose files
/// they are, without what lies outside of it.
fn circles(graph: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let folders: BTreeSet<&str> = graph
        .keys()
        .flat_map(|file| file.match_indices('/').map(|(at, _)| &file[..at]))
        .chain([""])
        .collect();
    let mut found = BTreeSet::new();
    for folder in folders {
        let inside = |file: &String| {
            folder.is_empty()
                || file == folder
                || file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
        };
        let files: Vec<&String> = graph.keys().filter(|file| inside(file)).collect();
        let reached: BTreeMap<&String, BTreeSet<&String>> = files
            .iter()
            .map(|file| {
                let (mut reached, mut next) = (BTreeSet::new(), vec![*file]);
                while let Some(file) = next.pop() {
                    let known = graph.get(file).into_iter().flatten();
                    next.extend(known.filter(|known| inside(known)).filter(|known| reached.insert(*known)));
                }
                (*file, reached)
            })
            .collect();
        for file in files {
            let both = |other: &&String| {
                reached[file].contains(*other) && reached.get(*other).is_some_and(|back| back.contains(file))
            };
            let circle: Vec<String> = reached[file].iter().copied().filter(both).cloned().collect();
            if circle.len() > 1 && folder_of(&circle) == folder {
                found.insert(circle);
            }
        }
    }
    found.into_iter().collect()
}

/// The folder that a circle's files have in common; a file beside its folder is of it.
fn folder_of(circle: &[String]) -> String {
    let mut folder = circle[0].as_str();
    let inside = |folder: &str, file: &String| file == folder || file.starts_with(&format!("{folder}/"));
    while !circle.iter().all(|file| inside(folder, file)) {
        folder = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
        if folder.is_empty() {
            break;
        }
    }
    folder.to_owned()
}
