//! When a certificate ends.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The end of a certificate in DER (RFC 5280: the second time of `validity`), as in `2025-01-02T03:04:05Z`;
/// `None` where it is not one.
pub(crate) fn not_after(der: &[u8]) -> Option<String> {
    let certificate = element(der, SEQUENCE)?.0;
    let mut fields = element(certificate, SEQUENCE)?.0;
    // The version is there or not.
    if let Some((_, rest)) = element(fields, 0xa0) {
        fields = rest;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        fields = element(fields, tag)?.1;
    }
    let validity = element(fields, SEQUENCE)?.0;
    let (tag, _, rest) = any(validity)?;
    (tag == UTC_TIME || tag == GENERALIZED_TIME).then_some(())?;
    let (tag, text, _) = any(rest)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// The same of the first certificate of a PEM.
pub(crate) fn not_after_of_pem(pem: &str) -> Option<String> {
    not_after(&certificates(pem).next()??)
}

/// When the certificates of a PEM end, one after the other, without those that cannot be read.
pub(crate) fn ends_of_pem(pem: &str) -> impl Iterator<Item = String> {
    certificates(pem).filter_map(|der| not_after(&der?))
}

/// In DER; `None` for one that is no base64.
fn certificates(pem: &str) -> impl Iterator<Item = Option<Vec<u8>>> {
    pem.split("-----BEGIN CERTIFICATE-----").skip(1).map(|rest| {
        let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
        let body: String = body.split_whitespace().collect();
        STANDARD.decode(body).ok()
    })
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;

/// The first element's content, and what follows it, where it has this tag.
fn element(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    any(der).filter(|(tag, ..)| *tag == wanted).map(|(_, content, rest)| (content, rest))
}

fn any(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        // At most four bytes of length; more are no certificate.
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (
                bytes.iter().try_fold(0usize, |length, byte| {
                    length.checked_mul(256)?.checked_add(usize::from(*byte))
                })?,
                rest,
            )
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ`, where 50 is 1950, or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &str) -> Option<String> {
    let text = text.strip_suffix('Z').filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    let text = match (tag, text.len()) {
        (UTC_TIME, 12) => format!("{}{text}", if text < "5" { "20" } else { "19" }),
        (GENERALIZED_TIME, 14) => text.to_owned(),
        _ => return None,
    };
    let (year, month, day) = (&text[..4], &text[4..6], &text[6..8]);
    let is_date = ("01"..="12").contains(&month) && ("01"..="31").contains(&day);
    is_date.then(|| format!("{year}-{month}-{day}T{}:{}:{}Z", &text[8..10], &text[10..12], &text[12..]))
}

/// Made by `openssl ca -selfsign`, its end set to 20250102030405Z.
#[cfg(test)]
pub(crate) const ENDED_PEM: &str = "-----BEGIN CERTIFICATE-----
MIG+MHICAQEwBQYDK2VwMAwxCjAIBgNVBAMMAXgwHhcNMjUwMTAxMDAwMDAwWhcN
MjUwMTAyMDMwNDA1WjAMMQowCAYDVQQDDAF4MCowBQYDK2VwAyEAhaE94R5bUHEo
N9PkFOsEBDP2tuPhgSgC6PUYIybs+powBQYDK2VwA0EAZ1UXDba1RjTSCeEd68qO
DrKOuBSGCHFbhUyjBKh7beKCsvkGEYbC07NohkOtG3HLgr9mV0plAkjnJHcUWxHQ
CQ==
-----END CERTIFICATE-----
";

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = ENDED_PEM;

    #[test]
    fn the_end_of_a_certificate_is_read() {
        assert_eq!(not_after_of_pem(PEM).as_deref(), Some("2025-01-02T03:04:05Z"));
        assert_eq!(ends_of_pem(&format!("{PEM}-----BEGIN CERTIFICATE-----x{PEM}")).count(), 2);
        assert_eq!(not_after_of_pem(&PEM.replace('\n', "\r\n")).as_deref(), Some("2025-01-02T03:04:05Z"));
    }

    #[test]
    fn both_forms_of_a_time_are_read() {
        assert_eq!(time(UTC_TIME, "491231235959Z").as_deref(), Some("2049-12-31T23:59:59Z"));
        assert_eq!(time(UTC_TIME, "500101000000Z").as_deref(), Some("1950-01-01T00:00:00Z"));
        assert_eq!(time(GENERALIZED_TIME, "20500101000000Z").as_deref(), Some("2050-01-01T00:00:00Z"));
        for text in ["", "Z", "251301000000Z", "2501010000", "25010100000éZ"] {
            assert_eq!(time(UTC_TIME, text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        let body: String = PEM.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(body).expect("base64");
        assert!(not_after(&der).is_some());
        for length in 0..der.len() {
            assert_eq!(not_after(&der[..length]), None, "cut at {length}");
        }
        for place in 0..der.len().min(160) {
            let mut der = der.clone();
            der[place] ^= 0xff;
            // Whatever it says, it does not panic.
            let _ = not_after(&der);
        }
        assert_eq!(not_after_of_pem("no PEM"), None);
    }
}
