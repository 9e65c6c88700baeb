//! Medians and ratios of what the rounds measured, as a table and as lines of the history.

use std::fmt::Write;

use crate::results::Ratio;
use crate::rounds::{Amount, Entry};
use crate::side::Measured;

/// What a comparison is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Records per second: more is better.
    Rate,
    /// Waits: less is better.
    Latency,
    /// The way to the first record: less is better.
    Startup,
}

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => (values[count / 2 - 1] + values[count / 2]) / 2.0,
    }
}

/// The ratio of the medians, and the lowest and the highest of the rounds.
pub(crate) fn ratio(
    of: &[Measured],
    to: &[Measured],
    value: impl Fn(&Measured) -> f64 + Copy,
) -> (f64, f64, f64) {
    let rounds: Vec<_> = of.iter().zip(to).map(|(of, to)| value(of) / value(to)).collect();
    let all = median(of.iter().map(value)) / median(to.iter().map(value));
    (
        all,
        rounds.iter().copied().fold(f64::INFINITY, f64::min),
        rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    )
}

/// CPU seconds of a million records.
pub(crate) fn cpu(measured: &Measured) -> f64 {
    measured.cpu_seconds / measured.records as f64 * 1e6
}

impl Figure {
    /// One round in a few words.
    pub(crate) fn summary(self, measured: &Measured) -> String {
        match self {
            Self::Rate => format!("{:.0} records/s", measured.rate()),
            Self::Latency => format!("p50 {:.0} µs, p99 {:.0} µs", measured.p50_us, measured.p99_us),
            Self::Startup => format!("{:.0} ms", measured.startup_ms),
        }
    }

    /// A table in Markdown.
    pub(crate) fn table(self, entries: &[Entry], measured: &[Vec<Measured>]) -> String {
        let mut table = String::new();
        let _ = match self {
            Self::Rate => writeln!(
                table,
                "| | records/s | lowest-highest | ratio | of the rounds | CPU s per million | ratio | peak \
                 MiB | ratio |\n|---|---|---|---|---|---|---|---|---|"
            ),
            Self::Latency => writeln!(
                table,
                "| | p50 µs | ratio | of the rounds | p99 µs | ratio | of the rounds | CPU s | ratio \
                 |\n|---|---|---|---|---|---|---|---|---|"
            ),
            Self::Startup => writeln!(
                table,
                "| | ms to the first record | lowest-highest | ratio | CPU ms |\n|---|---|---|---|---|"
            ),
        };
        for (entry, rounds) in entries.iter().zip(measured) {
            let base = &measured[entry.against];
            let of =
                |value: fn(&Measured) -> f64| (median(rounds.iter().map(value)), ratio(rounds, base, value));
            let span = |value: fn(&Measured) -> f64| {
                let values = || rounds.iter().map(value);
                (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
            };
            let _ = match self {
                Self::Rate => {
                    let ((rate, (to, low, high)), (slowest, fastest)) =
                        (of(Measured::rate), span(Measured::rate));
                    let ((cpu, (cpu_to, ..)), (peak, (peak_to, ..))) =
                        (of(cpu), of(|measured| measured.peak_mib));
                    writeln!(
                        table,
                        "| {} | {rate:.0} | {slowest:.0}-{fastest:.0} | {to:.2} | {low:.2}-{high:.2} | \
                         {cpu:.2} | {cpu_to:.2} | {peak:.0} | {peak_to:.2} |",
                        entry.label
                    )
                }
                Self::Latency => {
                    let ((p50, (p50_to, a, b)), (p99, (p99_to, c, d))) =
                        (of(|measured| measured.p50_us), of(|measured| measured.p99_us));
                    let (cpu, (cpu_to, ..)) = of(|measured| measured.cpu_seconds);
                    writeln!(
                        table,
                        "| {} | {p50:.0} | {p50_to:.2} | {a:.2}-{b:.2} | {p99:.0} | {p99_to:.2} | \
                         {c:.2}-{d:.2} | {cpu:.2} | {cpu_to:.2} |",
                        entry.label
                    )
                }
                Self::Startup => {
                    let ((wait, (to, ..)), (low, high)) =
                        (of(|measured| measured.startup_ms), span(|measured| measured.startup_ms));
                    let (cpu, _) = of(|measured| measured.cpu_seconds * 1e3);
                    writeln!(
                        table,
                        "| {} | {wait:.0} | {low:.0}-{high:.0} | {to:.2} | {cpu:.0} |",
                        entry.label
                    )
                }
            };
        }
        table
    }

    /// What goes into the history.
    pub(crate) fn ratios(
        self,
        bench: &str,
        entries: &[Entry],
        measured: &[Vec<Measured>],
        amount: Amount,
    ) -> Vec<Ratio> {
        type Value = (&'static str, fn(&Measured) -> f64);
        let values: &[Value] = match self {
            Self::Rate => &[("rate", Measured::rate), ("cpu", cpu), ("memory", |measured| measured.peak_mib)],
            Self::Latency => &[("p50", |measured| measured.p50_us), ("p99", |measured| measured.p99_us)],
            Self::Startup => &[("startup", |measured| measured.startup_ms)],
        };
        let compared = entries.iter().enumerate().filter(|(index, entry)| entry.against != *index);
        let ratios = compared.flat_map(|(index, entry)| {
            values.iter().map(move |(figure, value)| {
                let (ratio, low, high) = ratio(&measured[index], &measured[entry.against], *value);
                let against = entries[entry.against].label.clone();
                Ratio {
                    bench: bench.to_owned(),
                    of: entry.label.clone(),
                    to: against,
                    figure: (*figure).to_owned(),
                    ratio,
                    low,
                    high,
                    rounds: amount.rounds,
                    records: amount.records,
                }
            })
        });
        ratios.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(rates: &[usize]) -> Vec<Measured> {
        rates.iter().map(|rate| Measured { records: *rate, seconds: 1.0, ..Measured::default() }).collect()
    }

    #[test]
    fn the_median_of_an_even_count_lies_between_the_two_in_the_middle() {
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median([9.0, 1.0, 2.0]), 2.0);
    }

    #[test]
    fn a_ratio_is_of_the_medians_with_the_span_of_the_rounds_beside_it() {
        assert_eq!(ratio(&rates(&[10, 30, 20]), &rates(&[10, 10, 40]), Measured::rate), (2.0, 0.5, 3.0));
    }
}
