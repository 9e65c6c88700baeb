//! What the pages of the project say of each other and of the examples.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(page: &Path) -> String {
    fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
}

/// The Markdown files of a folder.
fn pages(folder: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(root().join(folder)).expect("a folder").map(|file| file.expect("a file").path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "md")).collect()
}

/// Without the blocks of code.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// As GitHub makes it of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

/// What `docs/sagas.md` shows of the example `saga` stands in it, letter by letter.
#[test]
fn the_page_of_sagas_shows_the_example() {
    let (page, example) = (include_str!("../../docs/sagas.md"), include_str!("../examples/saga.rs"));
    let shown: Vec<_> = page.split("```rust,ignore\n").skip(1).collect();
    assert_eq!(shown.len(), 3, "blocks of the example");
    for block in shown.iter().map(|block| block.split("```").next().unwrap_or_default()) {
        assert!(example.contains(block), "not in the example:\n{block}");
    }
}

#[test]
fn coding_assistants_find_every_page() {
    let index = read(&root().join("llms.txt"));
    for page in pages("docs") {
        let name = page.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(index.contains(&format!("(docs/{name})")), "llms.txt does not name {name}");
    }
}

#[test]
fn every_link_leads_to_a_page_and_a_heading() {
    let mut links = 0;
    let of_root = pages(".").into_iter().chain([root().join("llms.txt")]);
    for page in of_root.chain(pages("docs")).filter(|page| !page.ends_with("CHANGELOG.md")) {
        let text = prose(&read(&page));
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(['`', ' ']) {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { page.clone() } else { page.parent().expect("a folder").join(file) };
            assert!(target.exists(), "{} links to {link}, which is not there", page.display());
            let has_heading = heading.is_empty()
                || prose(&read(&target)).lines().any(|line| line.starts_with('#') && anchor(line) == heading);
            assert!(has_heading, "{} links to {link}: no such heading", page.display());
            links += 1;
        }
    }
    assert!(links > 50, "{links} links");
}
