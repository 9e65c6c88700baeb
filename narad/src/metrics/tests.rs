//! Every metric stands in the documentation, and what stands there is one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::application::Narad;
use crate::producer::{Producer, Settings};

/// Where alerts lead, but for the entry.
const RUNBOOK: &str = "runbook_url: https://github.com/narad-rs/narad/blob/main/docs/operations.md#";

/// The names of all metrics, as samples have them but for the parts of histograms.
fn metrics() -> BTreeSet<String> {
    let text = Narad::of_tests(Producer::new(Settings::of_tests())).metrics();
    text.lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .map(str::to_owned)
        .collect()
}

fn docs(page: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn files_to_copy_name_metrics_that_there_are() {
    let metrics = metrics();
    let mut told = BTreeSet::new();
    for file in ["alerts.yml", "alerts_test.yml", "dashboard.json", "keda.yml"] {
        let text = docs(&format!("monitoring/{file}"));
        let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
        for name in words.filter(|word| word.starts_with("narad_")) {
            assert!(metrics.contains(name), "{file}: {name}");
            told.insert(name.to_owned());
        }
    }
    // The dashboard shows them all.
    assert_eq!(told, metrics);
}

#[test]
fn each_alert_leads_to_an_entry_of_the_runbook() {
    let page = docs("operations.md");
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -".contains(*letter));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    let runbook = page.split("\n## Runbook").nth(1).expect("a runbook");
    let entries: BTreeSet<_> =
        runbook.lines().filter_map(|line| line.strip_prefix("### ")).map(anchor).collect();
    let alerts = docs("monitoring/alerts.yml");
    let count = alerts.matches("- alert:").count();
    let led: Vec<_> = alerts.split(RUNBOOK).skip(1).collect();
    assert_eq!(led.len(), count);
    for link in led {
        let link = link.lines().next().unwrap_or_default();
        assert!(entries.contains(link), "{link} is none of {entries:?}");
    }
}

#[test]
fn the_operations_page_has_every_metric_and_no_other() {
    let kinds = metrics();
    let page = docs("operations.md");
    let table =
        page.split("\n## Metrics").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a table");
    let cells =
        table.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split(" | ").next());
    let told: BTreeSet<_> = cells
        .flat_map(|cell| cell.split('`'))
        .filter(|part| part.starts_with("narad_"))
        .map(str::to_owned)
        .collect();
    assert_eq!(kinds, told);
    assert!(kinds.len() > 10, "{kinds:?}");
}
