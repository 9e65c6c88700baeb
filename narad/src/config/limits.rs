//! What the options of a handler may be, and what is said of those that may not: `#[kafka_handler]` refuses
//! when a program is built what an override refuses when it starts, in the same words.
//!
//! Neither crate can use the other's code, so this file stands in both of them; a test wants the two to be
//! the same.

/// So many threads at most run the plain functions.
pub(crate) const MAX_THREADS: u32 = 512;

pub(crate) const PARTITION_ORDER: &str = "with `ordering = \"partition\"` one record of a partition runs at \
 a time; leave `concurrency` out, or order by `\"key\"`";

pub(crate) const PLAIN_TIMEOUT: &str =
    "a plain `fn` cannot be stopped, so it has no `timeout`; make it an `async fn`, or leave `timeout` out";

pub(crate) const NO_PAUSE: &str = "with `dead_letter = off` a record is tried for ever, and with a first \
 wait of zero without a pause; \
                                   write one, as in \"100ms..30s\"";

pub(crate) fn too_many_threads() -> String {
    format!(
        "a plain `fn` runs on a thread for each record, at most {MAX_THREADS}; make it an `async fn` for more"
    )
}

/// Milliseconds of `50ms`, `30s`, `1m`, `2h`.
pub(crate) fn duration(text: &str) -> Result<u64, &'static str> {
    milliseconds(text).ok_or("not a duration; write a whole number with `ms`, `s`, `m` or `h`, as in \"50ms\", \"30s\", \"1m\", \"2h\"")
}

/// A duration that an attempt can have.
pub(crate) fn timeout(text: &str) -> Result<u64, &'static str> {
    match duration(text)? {
        0 => Err("no attempt ends within a timeout of zero; leave `timeout` out for none"),
        millis => Ok(millis),
    }
}

/// Milliseconds of both ends of `100ms..30s`.
pub(crate) fn backoff(text: &str) -> Result<(u64, u64), &'static str> {
    let ends = text
        .split_once("..")
        .and_then(|(first, longest)| Some((milliseconds(first.trim())?, milliseconds(longest.trim())?)));
    match ends {
        None => Err("not a range of durations; write the first and the longest wait, as in \"100ms..30s\""),
        Some((first, longest)) if first > longest => {
            Err("the first wait is longer than the longest; write the shorter one first")
        }
        Some(ends) => Ok(ends),
    }
}

fn milliseconds(text: &str) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// At most so many characters may a topic's name have.
const MAX_TOPIC: usize = 249;

/// A topic's name as Kafka allows it, as far as it is `known`: what stands for a placeholder is not.
pub(crate) fn topic(text: &str, known: &str) -> Result<(), String> {
    let odd = known
        .chars()
        .find(|character| !matches!(character, 'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-'));
    if let Some(odd) = odd {
        Err(format!("a topic's name cannot have {odd:?}; allowed are letters, digits, `.`, `_` and `-`"))
    } else if text.is_empty() {
        Err("a topic's name cannot be empty".to_owned())
    } else if text == "." || text == ".." {
        Err(format!("a topic cannot be called `{text}`"))
    } else if known.len() > MAX_TOPIC {
        Err(format!("this name has {} characters; a topic's name has at most {MAX_TOPIC}", known.len()))
    } else {
        Ok(())
    }
}
