//! The time of an event, by hand: it is written with every event.

use std::time::{Duration, SystemTime};

/// RFC 3339 in UTC with milliseconds: `2026-11-23T10:00:00.123Z`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp([u8; 24]);

impl Stamp {
    pub(super) fn now() -> Self {
        // A clock before 1970 is none.
        Self::of(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
    }

    pub(crate) fn of(since_epoch: Duration) -> Self {
        let seconds = since_epoch.as_secs();
        let (year, month, day) = civil(seconds / 86_400);
        let second_of_day = seconds % 86_400;
        let mut text = *b"0000-00-00T00:00:00.000Z";
        digits(&mut text[0..4], year);
        digits(&mut text[5..7], month);
        digits(&mut text[8..10], day);
        digits(&mut text[11..13], second_of_day / 3600);
        digits(&mut text[14..16], second_of_day / 60 % 60);
        digits(&mut text[17..19], second_of_day % 60);
        digits(&mut text[20..23], u64::from(since_epoch.subsec_millis()));
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        // Digits and punctuation only.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day of a day since 1970-01-01; see
/// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>.
fn civil(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March on, so that the leap day comes last.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
    (era * 400 + year_of_era + year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_what_a_calendar_says() {
        let mut seconds = 0_u64;
        while seconds < 4_102_444_800 {
            let expected = jiff::Timestamp::from_second(seconds as i64).unwrap();
            assert_eq!(Stamp::of(Duration::from_secs(seconds)).as_str(), format!("{expected:.3}"));
            // About five days and a bit, so that every time of day is met.
            seconds += 86_400 * 5 + 12_347;
        }
        assert_eq!(Stamp::of(Duration::from_millis(1_795_428_000_123)).as_str(), "2026-11-23T10:00:00.123Z");
    }
}
