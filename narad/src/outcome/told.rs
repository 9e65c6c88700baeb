//! What a failed attempt tells of its error: its text, and what the errors below it say.

use std::any::Any;
use std::error::Error;
use std::fmt::Display;
use std::iter::successors;

/// At most so many errors below one are looked at: a chain may go round.
const MAX_SOURCES: usize = 32;

/// The error below an error, by its type.
pub(crate) type SourceOf = fn(&dyn Any) -> Option<&(dyn Error + 'static)>;

/// What the error says, and after it what each error below it says that is not in the text yet.
///
/// Any `Display` type may be an error here, so that whoever knows the type finds its `source()`. Reports
/// (anyhow, eyre) are no errors, and print their chain in the alternate form.
pub(crate) fn told(error: &dyn Display, source: Option<&(dyn Error + 'static)>) -> String {
    let plain = bounded(&error);
    // Only where it says the same and goes on: the alternate form of others is laid out over many lines.
    let alternate = bounded(&format_args!("{error:#}"));
    let mut text = if alternate.starts_with(&plain) { alternate } else { plain };
    for source in successors(source, |source| (*source).source()).take(MAX_SOURCES) {
        let source = bounded(&source);
        if !text.contains(&source) {
            text = bounded(&format_args!("{text}: {source}"));
        }
    }
    text
}

/// Of a box of an error, which is no error itself.
pub(super) fn boxed_source(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(error) = error.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        error.source()
    } else {
        error.downcast_ref::<Box<dyn Error + Send>>()?.source()
    }
}

/// At most so many characters of an error go into logs and headers.
const MAX_CAUSE: usize = 1024;

/// An error's text as it may stand in a log line or a header: bounded, and without control characters (log
/// injection).
pub(crate) fn bounded(text: &dyn Display) -> String {
    use std::fmt::Write;
    struct Bounded(String);
    impl Write for Bounded {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            for c in text.chars() {
                if self.0.len() >= MAX_CAUSE {
                    return Err(std::fmt::Error);
                }
                if c.is_control() { self.0.extend(c.escape_default()) } else { self.0.push(c) }
            }
            Ok(())
        }
    }
    let mut out = Bounded(String::new());
    if write!(out, "{text}").is_err() {
        out.0.push('…');
    }
    out.0
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;
    use crate::Outcome;

    fn cause<E: Display + Send + 'static>(error: E) -> String {
        Outcome::from(error).cause().expect("a cause").to_owned()
    }

    /// An error over others, the outermost first, that prints itself only.
    #[derive(Debug)]
    struct Link(&'static str, Option<Box<Link>>);

    impl Link {
        fn chain(texts: &[&'static str]) -> Option<Box<Self>> {
            let (first, rest) = texts.split_first()?;
            Some(Box::new(Self(first, Self::chain(rest))))
        }
    }

    impl fmt::Display for Link {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Link {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|source| source as _)
        }
    }

    /// No error, as anyhow's: its chain is in its alternate form.
    struct Report(Link);

    impl fmt::Display for Report {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)?;
            let mut below = self.0.source().filter(|_| f.alternate());
            while let Some(source) = below {
                write!(f, ": {source}")?;
                below = source.source();
            }
            Ok(())
        }
    }

    /// Its form for logs is that for programmers, as many errors have it.
    #[derive(Debug)]
    struct Shown {
        #[expect(dead_code, reason = "printed")]
        code: u8,
    }

    impl fmt::Display for Shown {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            fmt::Debug::fmt(self, f)
        }
    }

    const CHAIN: [&str; 3] = ["cannot save", "the store is busy", "refused\n"];

    #[test]
    fn a_report_tells_its_chain() {
        let report = Report(*Link::chain(&CHAIN).expect("a chain"));
        assert_eq!(cause(report), "cannot save: the store is busy: refused\\n");
    }

    #[test]
    fn a_boxed_error_tells_its_sources_that_its_text_does_not_have() {
        let boxed = || Link::chain(&CHAIN).expect("a chain");
        let told = "cannot save: the store is busy: refused\\n";
        assert_eq!(cause::<Box<dyn Error + Send + Sync>>(boxed()), told);
        assert_eq!(cause::<Box<dyn Error + Send>>(boxed()), told);
        let twice = Link::chain(&["cannot save: busy", "busy", "refused"]).expect("a chain");
        assert_eq!(cause::<Box<dyn Error + Send + Sync>>(twice), "cannot save: busy: refused");
    }

    #[test]
    fn a_text_without_a_chain_stays_as_it_is() {
        assert_eq!(cause("as written"), "as written");
        assert_eq!(cause(String::from("{:#}")), "{:#}");
        assert_eq!(cause(17), "17");
        assert_eq!(cause(0.5), "0.5");
        // Laid out over lines in the alternate form.
        assert_eq!(cause(Shown { code: 7 }), "Shown { code: 7 }");
        assert_eq!(cause(serde_json::json!({"code": 7})), r#"{"code":7}"#);
    }

    #[test]
    fn a_long_chain_is_bounded() {
        let texts: Vec<&'static str> = (0..2_000).map(|at| &*format!("error {at}").leak()).collect();
        let told = cause::<Box<dyn Error + Send + Sync>>(Link::chain(&texts).expect("a chain"));
        assert!(told.starts_with("error 0: error 1: ") && told.len() < 1_100, "{told}");
        let long = Link::chain(&[&*"a".repeat(3_000).leak(), "below"]).expect("a chain");
        let told = cause::<Box<dyn Error + Send + Sync>>(long);
        assert_eq!(told, format!("{}…", "a".repeat(1_024)));
    }
}
