//! Certificates and keys: a file, or their text.

use std::fmt;
use std::path::{Path, PathBuf};

use super::secret::{Secret, content, looks_secret, shown};

/// Certificates or a private key in PEM form: a file of them, or the text itself.
///
/// ```
/// use narad::{Config, Pem};
///
/// let config = Config {
///     ssl: true,
///     ssl_ca: Some(Pem::file("/etc/kafka/ca.pem")),
///     ssl_cert: Some(Pem::file("/etc/kafka/client.pem")),
///     ssl_key: Some(Pem::text("-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----")),
///     ..Config::default()
/// };
/// assert!(!format!("{config:?}").contains("BEGIN"));
/// ```
/// `Debug` shows the path of a file, but neither a text nor a path that looks like a text.
#[derive(Clone, PartialEq, Eq)]
pub struct Pem(Source);

#[derive(Clone, PartialEq, Eq)]
enum Source {
    File(PathBuf),
    Text(Secret),
}

/// What a PEM has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Certificates,
    Key,
}

/// Whether a password is needed to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    Open,
    Encrypted,
}

const BEGIN: &str = "-----BEGIN ";

impl Pem {
    /// A file, which is read when a client is made.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    /// The text itself, also on one line, with `\n` between its lines as `.env` files and platforms write it.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        // No PEM has a backslash, so that these two characters can be nothing else.
        let text =
            if text.trim().contains('\n') { text } else { text.replace("\\r\\n", "\n").replace("\\n", "\n") };
        Self(Source::Text(text.trim().to_owned().into()))
    }

    /// What a variable says: a path or a text.
    ///
    /// # Errors
    /// When it is neither; the value is not repeated.
    pub(super) fn of_variable(text: &str) -> Result<Self, String> {
        if text.contains(BEGIN) {
            return Ok(Self::text(text));
        }
        if looks_secret(text) {
            return Err(
                "the value is neither a path nor a PEM that begins with -----BEGIN …, and is not shown"
                    .to_owned(),
            );
        }
        Ok(Self::file(text))
    }

    /// Whether it must not be shown: a text, or a path that looks like one.
    pub(super) fn is_secret(&self) -> bool {
        match &self.0 {
            Source::File(path) => looks_secret(&path.to_string_lossy()),
            Source::Text(_) => true,
        }
    }

    /// The path or the text, as the property of librdkafka wants it: `location` or `pem`.
    pub(super) fn property(&self) -> (&'static str, String) {
        match &self.0 {
            Source::File(path) => ("location", path.to_string_lossy().into_owned()),
            Source::Text(text) => ("pem", text.reveal().to_owned()),
        }
    }

    /// Whether it can be what it is for, as far as its lines tell; librdkafka decodes it.
    ///
    /// # Errors
    /// What is wrong, without anything of the content.
    pub(super) fn check(&self, holds: Holds) -> Result<Encryption, String> {
        let text = match &self.0 {
            Source::File(path) => content(path)?,
            Source::Text(text) => text.clone(),
        };
        let place = match &self.0 {
            Source::File(path) => shown(path),
            Source::Text(_) => "the PEM".to_owned(),
        };
        let text = text.reveal();
        let mut labels =
            text.match_indices(BEGIN).filter_map(|(at, _)| text[at + BEGIN.len()..].split_once("-----"));
        let is_wanted = |label: &str| match holds {
            Holds::Certificates => label.ends_with("CERTIFICATE"),
            Holds::Key => label.ends_with("PRIVATE KEY"),
        };
        let Some((label, rest)) = labels.find(|(label, _)| is_wanted(label)) else {
            let wanted = match holds {
                Holds::Certificates => "certificate (-----BEGIN CERTIFICATE-----)",
                Holds::Key => "private key (-----BEGIN PRIVATE KEY-----)",
            };
            return Err(format!("{place} holds no {wanted}"));
        };
        let encrypted =
            label.starts_with("ENCRYPTED") || rest.trim_start().starts_with("Proc-Type: 4,ENCRYPTED");
        Ok(if encrypted { Encryption::Encrypted } else { Encryption::Open })
    }
}

impl From<PathBuf> for Pem {
    fn from(path: PathBuf) -> Self {
        Self::file(path)
    }
}

impl From<&Path> for Pem {
    fn from(path: &Path) -> Self {
        Self::file(path)
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::File(path) if !looks_secret(&path.to_string_lossy()) => {
                f.debug_tuple("Pem::file").field(path).finish()
            }
            Source::File(_) => f.write_str("Pem::file(***)"),
            Source::Text(_) => f.write_str("Pem::text(***)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----";

    #[test]
    fn a_variable_is_a_path_or_a_text_on_several_lines_or_on_one() {
        assert_eq!(Pem::of_variable("certs/client.key"), Ok(Pem::file("certs/client.key")));
        assert_eq!(Pem::of_variable(KEY), Ok(Pem::text(KEY)));
        for between in ["\\n", "\\r\\n"] {
            assert_eq!(Pem::of_variable(&KEY.replace('\n', between)), Ok(Pem::text(KEY)), "{between}");
        }
        assert_eq!(Pem::text(KEY).property(), ("pem", KEY.to_owned()));
    }

    #[test]
    fn what_looks_like_a_secret_is_no_path_and_is_never_shown() {
        let base64 = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7canarycanarycanary";
        for text in [
            KEY,
            "----BEGIN PRIVATE KEY---- canary",
            "canary\ncanary",
            "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tcanary",
            base64,
        ] {
            if text != KEY {
                assert!(!Pem::of_variable(text).unwrap_err().contains("canary"), "{text}");
            }
            for pem in [Pem::file(text), Pem::text(text)] {
                let said = format!("{pem:?} {:?}", pem.check(Holds::Certificates));
                assert!(!said.contains("canary") && !said.contains("MIIE"), "{said}");
            }
        }
        assert_eq!(
            format!("{:?}", Pem::file("/etc/kafka/client.pem")),
            "Pem::file(\"/etc/kafka/client.pem\")"
        );
    }

    #[test]
    fn what_it_holds_is_seen_from_its_lines() {
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nx\n-----END ENCRYPTED PRIVATE KEY-----";
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: x\n\nx\n-----END RSA \
         PRIVATE KEY-----";
        let both = format!("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n{KEY}");
        for (text, holds, wanted) in [
            (KEY, Holds::Key, Some(Encryption::Open)),
            (encrypted, Holds::Key, Some(Encryption::Encrypted)),
            (old, Holds::Key, Some(Encryption::Encrypted)),
            (&both, Holds::Key, Some(Encryption::Open)),
            (&both, Holds::Certificates, Some(Encryption::Open)),
            (KEY, Holds::Certificates, None),
            ("", Holds::Key, None),
        ] {
            assert_eq!(Pem::text(text).check(holds).ok(), wanted, "{text}");
        }
    }
}
