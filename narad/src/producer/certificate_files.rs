//! Certificates and keys on disk. librdkafka reads them once, when a client is made: what has changed since,
//! or ends soon, is said.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use xxhash_rust::xxh3::xxh3_64;

use crate::codec::Stamp;
use crate::connection::ends_of_pem;
use crate::transport::ClientProperties;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(60);
/// A certificate that ends within this is said.
const SOON: Duration = Duration::from_secs(14 * 24 * 3_600);

/// The properties that name files or hold a PEM, without `.location` and `.pem`, and their variables.
const NAMES: [(&str, &str); 3] =
    [("ssl.ca", "KAFKA_SSL_CA"), ("ssl.certificate", "KAFKA_SSL_CERT"), ("ssl.key", "KAFKA_SSL_KEY")];

/// What is known of the files, and of the certificates that were read.
#[derive(Debug, Default)]
pub(super) struct CertificateFiles {
    files: Vec<File>,
    /// The variables of certificates whose end was not said yet, and when they end.
    ends: Vec<(&'static str, String)>,
    looked: Option<Instant>,
}

#[derive(Debug)]
struct File {
    variable: &'static str,
    path: PathBuf,
    /// When it was written, and how long it is.
    signs: Option<(SystemTime, u64)>,
    /// Of what stands in it.
    hash: Option<u64>,
}

impl CertificateFiles {
    /// Looks at the files, at most once a minute; the lines that are to be said. The first look takes them as
    /// they are. Reads files.
    pub(super) fn look(&mut self, client: &ClientProperties, now: Instant, wall: SystemTime) -> Vec<String> {
        match self.looked {
            Some(looked) if now.saturating_duration_since(looked) < EVERY => return Vec::new(),
            Some(_) => {}
            None => self.begin(client),
        }
        self.looked = Some(now);
        self.changes().into_iter().chain(self.ending(wall)).collect()
    }

    fn begin(&mut self, client: &ClientProperties) {
        for (name, variable) in NAMES {
            let mut pem = client.get(&format!("{name}.pem")).map(|pem| pem.as_bytes().to_vec());
            // `probe` are the system's.
            let path = client.get(&format!("{name}.location")).filter(|path| *path != "probe");
            if let Some(path) = path {
                let mut file = File { variable, path: path.into(), signs: None, hash: None };
                file.signs = file.signs();
                pem = std::fs::read(&file.path).ok();
                file.hash = pem.as_deref().map(xxh3_64);
                self.files.push(file);
            }
            let pem = pem.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            let mut ends = ends_of_pem(&pem);
            // The first one is the client's own. Of several CAs one that is good is enough.
            let end = if variable == "KAFKA_SSL_CA" { ends.max() } else { ends.next() };
            self.ends.extend(end.map(|end| (variable, end)));
        }
    }

    /// One line for all files that are not what they were at the look before.
    fn changes(&mut self) -> Option<String> {
        let changed: Vec<_> =
            self.files.iter_mut().filter_map(|file| file.has_changed().then_some(file.variable)).collect();
        (!changed.is_empty()).then(|| {
            format!(
                "{}: what stands on disk has changed since it was read; restart the process to use it",
                changed.join(", ")
            )
        })
    }

    /// A line for each certificate that ends soon, once.
    fn ending(&mut self, wall: SystemTime) -> Vec<String> {
        let since_epoch = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // Both are in UTC and begin with the year: their texts stand in the order of time.
        let (soon, now) = (Stamp::of(since_epoch + SOON), Stamp::of(since_epoch));
        let ending: Vec<_> = self.ends.extract_if(.., |(_, end)| end.as_str() < soon.as_str()).collect();
        let line = |(variable, end): (&str, String)| {
            let ends = if end.as_str() < now.as_str() { "ended" } else { "ends" };
            let what = if variable == "KAFKA_SSL_CA" { "the last CA" } else { "the certificate" };
            format!(
                "{variable}: {what} that was read {ends} at {end}; renew it, and restart the process: it is \
                 read once"
            )
        };
        ending.into_iter().map(line).collect()
    }
}

impl File {
    fn signs(&self) -> Option<(SystemTime, u64)> {
        let metadata = std::fs::metadata(&self.path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    }

    /// Whether another content stands in it than at the last look. One that is not there may be about to be
    /// written.
    fn has_changed(&mut self) -> bool {
        let signs = self.signs();
        if signs.is_none() || signs == self.signs {
            return false;
        }
        let Some(hash) = std::fs::read(&self.path).ok().map(|content| xxh3_64(&content)) else {
            return false;
        };
        self.signs = signs;
        self.hash.replace(hash) != Some(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ends at 2025-01-02T03:04:05Z.
    const PEM: &str = crate::connection::ENDED_PEM;

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    /// Written anew, with another time: not all file systems tell two writes of a second apart.
    fn write(path: &std::path::Path, content: &str, second: u64) {
        std::fs::write(path, content).unwrap();
        std::fs::File::options().write(true).open(path).unwrap().set_modified(at(second)).unwrap();
    }

    /// 2020 and so long before the certificate ends.
    const EARLY: u64 = 1_577_836_800;

    #[test]
    fn files_that_change_are_one_line_for_each_change() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("client.pem"), folder.path().join("client.key"));
        let mut client = ClientProperties::default();
        client.set("ssl.certificate.location", certificate.to_str().unwrap());
        client.set("ssl.key.location", key.to_str().unwrap()).set("ssl.ca.location", "probe");
        write(&certificate, PEM, 1);
        write(&key, "canary", 1);
        let (mut files, begin) = (CertificateFiles::default(), Instant::now());
        let mut look = |minute: u64| files.look(&client, begin + Duration::from_secs(60 * minute), at(EARLY));
        assert_eq!(look(0), [""; 0]);
        write(&certificate, "new", 2);
        write(&key, "another canary", 2);
        assert_eq!(look(0), [""; 0], "once a minute");
        let said = "KAFKA_SSL_CERT, KAFKA_SSL_KEY: what stands on disk has changed since it was read; restart \
                    the process to use it";
        assert_eq!(look(1), [said]);
        assert_eq!(look(2), [""; 0], "once");
        write(&key, "another canary", 3);
        assert_eq!(look(3), [""; 0], "the same was written again");
        std::fs::remove_file(&key).unwrap();
        assert_eq!(look(4), [""; 0], "it is about to be written");
        write(&key, "a third canary", 5);
        assert!(look(5)[0].starts_with("KAFKA_SSL_KEY: "));
    }

    #[test]
    fn a_certificate_that_ends_within_two_weeks_is_one_line() {
        // 2025-01-02T03:04:05Z.
        let end = 1_735_787_045;
        let of = |property: &str, pem: &str, wall: u64| {
            let mut client = ClientProperties::default();
            client.set(property, pem);
            CertificateFiles::default().look(&client, Instant::now(), at(wall))
        };
        let early = end - 15 * 24 * 3_600;
        assert_eq!(of("ssl.certificate.pem", PEM, early), [""; 0]);
        let said = of("ssl.certificate.pem", PEM, end - 13 * 24 * 3_600);
        assert_eq!(said.len(), 1);
        assert!(
            said[0].starts_with("KAFKA_SSL_CERT: the certificate that was read ends at 2025-01-02T03:04:05Z")
        );
        assert!(
            of("ssl.ca.pem", PEM, end + 1)[0].starts_with("KAFKA_SSL_CA: the last CA that was read ended at")
        );
        let mut files = CertificateFiles::default();
        let mut client = ClientProperties::default();
        client.set("ssl.certificate.pem", PEM);
        let begin = Instant::now();
        assert_eq!(files.look(&client, begin, at(early)), [""; 0]);
        let late = |minute: u64| (begin + Duration::from_secs(60 * minute), at(end - 60));
        let (now, wall) = late(1);
        assert_eq!(files.look(&client, now, wall).len(), 1);
        let (now, wall) = late(2);
        assert_eq!(files.look(&client, now, wall), [""; 0], "once");
    }

    #[test]
    fn nothing_is_said_without_files_and_certificates() {
        let lines = CertificateFiles::default().look(&ClientProperties::default(), Instant::now(), at(EARLY));
        assert_eq!(lines, [""; 0]);
    }
}
