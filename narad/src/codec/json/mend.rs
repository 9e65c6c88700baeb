//! What JavaScript and Python write and serde_json refuses, in words that it takes.

/// The longest integer that any type holds has 39 digits.
const DIGITS: usize = 39;

/// The same JSON with half surrogate pairs as U+FFFD, and numbers such as `5.0` and `5e0` as integers; `None`
/// where it has neither.
///
/// JavaScript cuts strings anywhere, also within a pair, and `JSON.stringify` writes the half as an escape.
/// Python and others write a float that is an integer with its point. Whoever reads a float takes an integer,
/// too, so this can only make more records fit.
pub(in crate::codec) fn mended(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(byte) = bytes.get(at) {
        let (width, instead) = match byte {
            b'"' => {
                at = string(text, at + 1, &mut copied, &mut out);
                continue;
            }
            b'-' | b'0'..=b'9' => {
                let width = bytes[at..]
                    .iter()
                    .take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
                    .count();
                (width, integer(&text[at..at + width]))
            }
            _ => (1, None),
        };
        if let Some(instead) = instead {
            out.push_str(&text[copied..at]);
            out.push_str(&instead);
            copied = at + width;
        }
        at += width;
    }
    (copied > 0).then(|| {
        out.push_str(&text[copied..]);
        out
    })
}

/// From behind a quote to behind the next: mends what stands between.
fn string(text: &str, mut at: usize, copied: &mut usize, out: &mut String) -> usize {
    let bytes = text.as_bytes();
    while let Some(byte) = bytes.get(at) {
        at += match byte {
            b'"' => return at + 1,
            b'\\' => match (unit(bytes, at), unit(bytes, at + 6)) {
                (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
                (Some(0xD800..=0xDFFF), _) => {
                    out.push_str(&text[*copied..at]);
                    out.push_str("\\ufffd");
                    *copied = at + 6;
                    6
                }
                _ => 2,
            },
            _ => 1,
        };
    }
    at
}

/// The UTF-16 unit of an escape that begins here.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let hex = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    hex.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)? as u16))
}

/// A number that is written as a float and is an integer, as such.
fn integer(number: &str) -> Option<String> {
    let (sign, unsigned) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if fraction.is_empty() && mantissa.len() == unsigned.len() {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    // Zeros behind the last digit that counts; where it stands behind the point, there are fewer than none.
    let zeros = i64::from(exponent) - fraction.len() as i64 + (digits.len() - significant.len()) as i64;
    let zeros = usize::try_from(zeros).ok()?;
    let significant = significant.trim_start_matches('0');
    if zeros.saturating_add(significant.len()) > DIGITS {
        return None;
    }
    Some(format!("{sign}{significant}{}", "0".repeat(zeros)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn floats_that_are_integers_become_such() {
        for (float, integer) in [
            ("5.0", Some("5")),
            ("5e0", Some("5")),
            ("-5.00", Some("-5")),
            ("1.5E3", Some("1500")),
            ("1500e-2", Some("15")),
            ("0.0", Some("0")),
            ("-0.0", Some("0")),
            ("0e999999", Some("0")),
            ("1.0E10", Some("10000000000")),
            ("9007199254740993.0", Some("9007199254740993")),
            ("18446744073709551615.0", Some("18446744073709551615")),
            ("5", None),
            ("-0", None),
            ("5.5", None),
            ("5e-1", None),
            ("1e400", None),
            ("1e99999999999", None),
        ] {
            assert_eq!(super::integer(float).as_deref(), integer, "{float}");
        }
    }

    #[test]
    fn halves_of_pairs_become_replacement_characters_and_pairs_stay() {
        for (text, expected) in [
            (r#""\ud83d""#, Some(r#""\ufffd""#)),
            (r#""a\ud83d\ude00b""#, None),
            (r#""\ude00\ud83d""#, Some(r#""\ufffd\ufffd""#)),
            (r#""\ud83d\ud83d\uDE00""#, Some(r#""\ufffd\ud83d\uDE00""#)),
            (r#""\\ud83d""#, None),
            (r#""\"5.0""#, None),
            (r#"{"\ud83d":[5.0,"\\",1e0]}"#, Some(r#"{"\ufffd":[5,"\\",1]}"#)),
            (r#""\u00e9\ud8""#, None),
        ] {
            assert_eq!(mended(text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        /// What serde_json takes means the same afterwards.
        #[test]
        fn what_is_mended_is_the_same_value(numbers in prop::collection::vec("-?(0|[1-9][0-9]{0,9})(\\.[0-9]{1,4})?([eE][+-]?[0-9])?", 0..6), text: String) {
            let json = format!("{{{}:[{}]}}", serde_json::to_string(&text).unwrap(), numbers.join(" , "));
            if let Some(mended) = mended(&json) {
                let floats = |json: &str| {
                    let value: Value = serde_json::from_str(json).unwrap();
                    value[&text].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect::<Vec<_>>()
                };
                prop_assert_eq!(floats(&mended), floats(&json));
            }
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = mended(&text);
        }

        #[test]
        fn no_text_that_looks_like_json_panics(text in "[\"\\\\ud8c0-9e.+{}:, \u{e9}-]{0,40}") {
            let _ = mended(&text);
        }
    }
}
