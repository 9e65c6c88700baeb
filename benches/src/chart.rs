//! The history as a picture: the latest ratios as bars, and how they came about as lines.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::results::{Saved, root, saved};

const WIDTH: f64 = 860.0;
/// Where bars begin, right of their labels.
const LEFT: f64 = 300.0;
const ROW: f64 = 24.0;
/// What a ratio of 1 is long.
const ONE: f64 = 240.0;
/// Longer bars are cut.
const MOST: f64 = 2.1;
const NARAD: &str = "#2563eb";
const BASE: &str = "#9ca3af";
const TEXT: &str = "#374151";
const LINES: [&str; 8] =
    ["#2563eb", "#ea580c", "#16a34a", "#9333ea", "#db2777", "#0d9488", "#ca8a04", "#111827"];

/// What is drawn: the comparison, the figure, and whether more is better.
const SHOWN: [(&str, &str, bool); 8] = [
    ("consume", "rate", true),
    ("io", "rate", true),
    ("produce", "rate", true),
    ("instructions", "instructions", false),
    ("latency", "p50", false),
    ("latency", "p99", false),
    ("startup", "startup", false),
    ("consume", "cpu", false),
];

/// Draws `docs/performance.svg`.
pub(crate) fn chart() -> Result<(), String> {
    let file = root().join("docs/performance.svg");
    std::fs::write(&file, draw(&saved()?)).map_err(|error| format!("{}: {error}", file.display()))?;
    println!("{}", file.display());
    Ok(())
}

fn draw(saved: &[Saved]) -> String {
    // Of each line its ratios, the oldest first; in the order of `SHOWN` and of the lines within.
    let mut series: Vec<(String, bool, Vec<&Saved>)> = Vec::new();
    for (bench, figure, more) in SHOWN {
        let mut lines: BTreeMap<(usize, &str), Vec<&Saved>> = BTreeMap::new();
        let fitting = saved.iter().filter(|saved| saved.ratio.bench == bench && saved.ratio.figure == figure);
        for (place, saved) in fitting.enumerate() {
            let known = lines.keys().find(|(_, of)| *of == saved.ratio.of).copied();
            lines.entry(known.unwrap_or((place, &saved.ratio.of))).or_default().push(saved);
        }
        for ((_, of), ratios) in lines {
            let figure =
                if figure == "rate" || figure == bench { String::new() } else { format!(" {figure}") };
            series.push((format!("{bench}{figure}: {of}"), more, ratios));
        }
    }
    let (mut body, mut y) = (String::new(), 34.0);
    for (more, title) in [
        (true, "Records per second, of the loop by hand: more is better"),
        (false, "Costs, of the loop by hand: less is better"),
    ] {
        let shown: Vec<_> = series.iter().filter(|(_, better, _)| *better == more).collect();
        text(&mut body, 16.0, y, "start", 15, title);
        y += 14.0;
        let top = y;
        for (label, _, ratios) in shown {
            if let Some(latest) = ratios.last() {
                bar(&mut body, y, label, latest);
                y += ROW;
            }
        }
        let x = LEFT + ONE;
        let _ = writeln!(body, r#"<path d="M{x} {top}V{y}" stroke="{TEXT}" stroke-dasharray="3 3"/>"#);
        text(&mut body, x, y + 14.0, "middle", 11, "by hand = 1");
        y += 52.0;
    }
    text(&mut body, 16.0, y, "start", 15, "History of the ratios, by commit");
    y += 16.0;
    let with_history = series.iter().filter(|(label, ..)| {
        ["consume: Narad", "io: ", "produce: ", "instructions: Narad"]
            .iter()
            .any(|kind| label.starts_with(kind))
    });
    history(&mut body, &mut y, &with_history.collect::<Vec<_>>());
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{y}\" viewBox=\"0 0 {WIDTH} \
         {y}\" font-family=\"sans-serif\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, size: u32, text: &str) {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size}" fill="{TEXT}">{escaped}</text>"#
    );
}

/// A bar to the ratio, and a thin line over the span of the rounds.
fn bar(svg: &mut String, y: f64, label: &str, saved: &Saved) {
    let at = |ratio: f64| LEFT + ratio.clamp(0.0, MOST) * ONE;
    let (ratio, middle) = (saved.ratio.ratio, y + ROW / 2.0);
    let fill = if label.contains("Narad") { NARAD } else { BASE };
    text(svg, LEFT - 10.0, middle + 4.0, "end", 12, label);
    let _ = writeln!(
        svg,
        r#"<rect x="{LEFT}" y="{:.1}" width="{:.1}" height="{:.1}" fill="{fill}"/>"#,
        y + 4.0,
        at(ratio) - LEFT,
        ROW - 8.0
    );
    let (low, high) = (at(saved.ratio.low), at(saved.ratio.high));
    let _ = writeln!(svg, r#"<path d="M{low:.1} {middle:.1}H{high:.1}" stroke="{TEXT}"/>"#);
    text(svg, at(ratio).max(high) + 8.0, middle + 4.0, "start", 12, &format!("{ratio:.2}"));
}

fn history(svg: &mut String, y: &mut f64, series: &[&(String, bool, Vec<&Saved>)]) {
    const HEIGHT: f64 = 190.0;
    let (left, right, top) = (48.0, WIDTH - 24.0, *y);
    // A place on the axis for each commit that was measured, in the order of time.
    let mut saved: Vec<&Saved> = series.iter().flat_map(|(_, _, ratios)| ratios.iter().copied()).collect();
    saved.sort_by(|one, other| one.date.cmp(&other.date));
    let mut commits: Vec<&str> = Vec::new();
    for saved in saved {
        if !commits.contains(&saved.commit.as_str()) {
            commits.push(&saved.commit);
        }
    }
    let most = series
        .iter()
        .flat_map(|(_, _, ratios)| ratios.iter().map(|saved| saved.ratio.ratio))
        .fold(1.5, f64::max)
        .min(3.0);
    let across = |commit: &str| match commits.iter().position(|known| *known == commit) {
        Some(place) if commits.len() > 1 => left + (right - left) * place as f64 / (commits.len() - 1) as f64,
        _ => (left + right) / 2.0,
    };
    let up = |ratio: f64| top + HEIGHT * (1.0 - ratio.min(most) / most);
    for step in 0..=(most / 0.5) as usize {
        let ratio = step as f64 * 0.5;
        let dash = if ratio == 1.0 { "" } else { r#" stroke-dasharray="2 4""# };
        let _ = writeln!(svg, r#"<path d="M{left} {:.1}H{right}" stroke="{BASE}"{dash}/>"#, up(ratio));
        text(svg, left - 8.0, up(ratio) + 4.0, "end", 11, &format!("{ratio:.1}"));
    }
    for (index, (_, _, ratios)) in series.iter().enumerate() {
        let colour = LINES[index % LINES.len()];
        let points = ratios.iter().map(|saved| (across(&saved.commit), up(saved.ratio.ratio)));
        let points: Vec<_> = points.collect();
        let path: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            svg,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>"#,
            path.join(" ")
        );
        for (x, y) in points {
            let _ = writeln!(svg, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="{colour}"/>"#);
        }
    }
    if let (Some(first), Some(last)) = (commits.first(), commits.last()) {
        text(svg, left, top + HEIGHT + 16.0, "start", 11, first);
        text(svg, right, top + HEIGHT + 16.0, "end", 11, last);
    }
    // The legend, two lines of it side by side.
    *y = top + HEIGHT + 38.0;
    for (index, (label, ..)) in series.iter().enumerate() {
        let x = left + (index % 2) as f64 * 400.0;
        let _ = writeln!(
            svg,
            r#"<rect x="{x}" y="{:.1}" width="12" height="12" fill="{}"/>"#,
            *y - 10.0,
            LINES[index % LINES.len()]
        );
        text(svg, x + 20.0, *y, "start", 12, label);
        if index % 2 == 1 || index + 1 == series.len() {
            *y += 20.0;
        }
    }
}
