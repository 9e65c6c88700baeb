//! Durations with their units: `50ms`, `30s`, `1m`, `2h`; and ranges of them.

/// Milliseconds of `50ms`, `30s`, `1m`, `2h`.
///
/// # Errors
/// What is accepted.
///
/// ```
/// assert_eq!(narad_syntax::duration::read("2h"), Ok(7_200_000));
/// assert!(narad_syntax::duration::read("5").is_err());
/// ```
pub fn read(text: &str) -> Result<u64, &'static str> {
    milliseconds(text).ok_or(
        "not a duration; write a whole number with `ms`, `s`, `m` or `h`, as in \"50ms\", \"30s\", \"1m\", \
         \"2h\"",
    )
}

/// Milliseconds of a duration that an attempt can have.
///
/// # Errors
/// What is accepted.
pub fn read_timeout(text: &str) -> Result<u64, &'static str> {
    match read(text)? {
        0 => Err("no attempt can end within a timeout of zero; leave `timeout` out if there is to be none"),
        millis => Ok(millis),
    }
}

/// Milliseconds of both ends of `100ms..30s`.
///
/// # Errors
/// What is accepted.
pub fn read_backoff(text: &str) -> Result<(u64, u64), &'static str> {
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

/// Milliseconds as they are written: in the largest unit that leaves a whole number.
pub fn written(millis: u128) -> String {
    let units = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    match units.into_iter().find(|(factor, _)| millis > 0 && millis.is_multiple_of(*factor)) {
        Some((factor, unit)) => format!("{}{unit}", millis / factor),
        None => format!("{millis}ms"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_duration_has_a_unit() {
        for (text, millis) in [("250ms", 250), ("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000), ("0s", 0)]
        {
            assert_eq!(read(text), Ok(millis), "{text}");
        }
        for text in ["", "5", "ms", "5 s", " 5s", "-5s", "5d", "5S", "99999999999999999999s"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read_timeout("0ms").is_err());
    }

    #[test]
    fn a_range_has_the_shorter_wait_first_and_may_have_blanks_around_its_dots() {
        assert_eq!(read_backoff("100ms..30s"), Ok((100, 30_000)));
        assert_eq!(read_backoff(" 100ms .. 30s "), Ok((100, 30_000)));
        for text in ["100ms", "30s..100ms", "..", "1s...2s", "1s..", "1s..2s..3s"] {
            assert!(read_backoff(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in ".{0,40}") {
            let _ = (read(&text), read_timeout(&text), read_backoff(&text));
        }

        #[test]
        fn whatever_milliseconds_are_written_are_read(number: u32) {
            prop_assert_eq!(read(&format!("{number}ms")), Ok(number.into()));
            prop_assert_eq!(read(&written(number.into())), Ok(number.into()));
        }
    }
}
