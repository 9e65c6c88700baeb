//! Every metric stands in the documentation, and nothing else does.

use std::collections::BTreeSet;

use crate::application::Narad;
use crate::producer::{Producer, Settings};

#[test]
fn the_operations_page_has_every_metric_and_no_other() {
    let narad = Narad::of_tests(Producer::new(Settings::of_tests()));
    let text = narad.metrics();
    let kinds: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .map(str::to_owned)
        .collect();
    let page = include_str!("../../../docs/operations.md");
    let names = |line: &'static str| {
        let cell = line.strip_prefix("| `narad_").map(|_| line.split(" | ").next().unwrap_or_default());
        cell.into_iter().flat_map(|cell| cell.split('`').filter(|part| part.starts_with("narad_")))
    };
    let metrics =
        page.split("## Metrics").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the table");
    let told: BTreeSet<_> = metrics.lines().flat_map(names).map(str::to_owned).collect();
    assert_eq!(kinds, told);
    assert!(kinds.len() > 10, "{kinds:?}");
}
