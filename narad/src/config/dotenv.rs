//! `.env`, read as the npm package `dotenv` 17 reads it.
//!
//! That package is one regular expression, matched at one line start after the other; what it does not match
//! is passed over. This is the same expression as steps, each of which has one way to go on, so that a file
//! takes time by its length, whatever it holds:
//!
//! ```text
//! ^ \s* (export \s+)? [\w.-]+ ( \s*= | :\s ) ( \s*'…' | \s*"…" | \s*`…` | [^#\n]+ )? \s* (#.*)? $
//! ```
//!
//! White space, line ends and what trims are those of JavaScript. Nothing is expanded: a `$` is a `$`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// What is not read of a file: no `.env` is so long.
const LONGEST: u64 = 1 << 20;

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct File {
    /// By their names; of two lines of one name the last.
    pub(super) variables: BTreeMap<String, Line>,
    /// Why a file that is there counts as none.
    pub(super) unread: Option<String>,
}

/// A variable as a file has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) value: String,
    /// Where its name stands, from 1.
    pub(super) number: usize,
    /// The value holds bytes that are no text, and a sign for each of them.
    pub(super) is_broken: bool,
}

impl File {
    /// A folder of this name is another tool's; what cannot be read stops nothing, but is to be said.
    pub(super) fn read(path: &Path) -> Self {
        let unread = |why: &str| Self {
            unread: Some(format!("{} is not read: {why}", path.display())),
            ..Self::default()
        };
        let bytes = match fs::File::open(path).and_then(read_to_end) {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {
                return Self::default();
            }
            Err(error) => return unread(&error.to_string()),
        };
        if bytes.len() as u64 > LONGEST {
            return unread("it is larger than 1 MiB");
        }
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return unread("it is UTF-16; write it as UTF-8");
        }
        let text = String::from_utf8_lossy(&bytes);
        let mut variables = parse(&text);
        if matches!(text, Cow::Owned(_)) {
            variables
                .values_mut()
                .for_each(|line| line.is_broken = line.value.contains(char::REPLACEMENT_CHARACTER));
        }
        Self { variables, unread: None }
    }
}

/// Also from a pipe, as some keepers of secrets make it.
fn read_to_end(file: fs::File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The variables of a text.
fn parse(text: &str) -> BTreeMap<String, Line> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let (mut variables, mut start, mut counted, mut number) = (BTreeMap::new(), Some(0), 0, 1);
    while let Some(at) = start {
        let scan = Scan { text: &text, at };
        let name = scan.white();
        number += text[counted..name.at].matches('\n').count();
        counted = name.at;
        match name.variable() {
            Some((name, value, end)) => {
                variables.insert(name.to_owned(), Line { value: read(value), number, is_broken: false });
                // It ended at the end of a line, and behind that the next one begins.
                start = line_start(&text, end);
            }
            // From the lines between, which are white, the same would be tried.
            None => start = line_start(&text, name.at),
        }
    }
    variables
}

/// Where the next line begins.
fn line_start(text: &str, at: usize) -> Option<usize> {
    text[at..]
        .char_indices()
        .find(|(_, character)| ends_line(*character))
        .map(|(end, character)| at + end + character.len_utf8())
}

/// A place in the text. A step gives back the place behind what it took.
#[derive(Clone, Copy)]
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn rest(self) -> &'a str {
        &self.text[self.at..]
    }

    fn next(self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip(self, bytes: usize) -> Self {
        Self { at: self.at + bytes, ..self }
    }

    /// Past all characters of a kind.
    fn past(self, is_one: impl Fn(char) -> bool) -> Self {
        let rest = self.rest();
        self.skip(rest.find(|character| !is_one(character)).unwrap_or(rest.len()))
    }

    fn white(self) -> Self {
        self.past(is_white)
    }

    /// Name, value as written, and the end.
    fn variable(self) -> Option<(&'a str, &'a str, usize)> {
        let exported = self
            .rest()
            .strip_prefix("export")
            .filter(|rest| rest.starts_with(is_white))
            .map(|_| self.skip(6).white());
        exported.and_then(Self::assignment).or_else(|| self.assignment())
    }

    fn assignment(self) -> Option<(&'a str, &'a str, usize)> {
        let behind = self.past(|character| character.is_ascii_alphanumeric() || "_.-".contains(character));
        let name = &self.text[self.at..behind.at];
        if name.is_empty() {
            return None;
        }
        let value = match (
            behind.white().next(),
            behind.rest().strip_prefix(':').and_then(|rest| rest.chars().next()),
        ) {
            (Some('='), _) => behind.white().skip(1),
            (_, Some(white)) if is_white(white) => behind.skip(1 + white.len_utf8()),
            _ => return None,
        };
        if let Some((text, end)) = value.quoted() {
            return Some((name, text, end));
        }
        // Behind it come a comment, the line's end, or nothing.
        let behind = value.past(|character| character != '#' && character != '\n');
        Some((name, &self.text[value.at..behind.at], behind.tail()?))
    }

    /// A value in quotes, with these, and the end behind it. A quote behind a backslash ends it only where no
    /// other does.
    fn quoted(self) -> Option<(&'a str, usize)> {
        let open = self.white();
        let quote = open.next().filter(|quote| is_quote(*quote))?;
        let inside = open.skip(1);
        let mut ends = Vec::new();
        for (place, _) in inside.rest().match_indices(quote) {
            ends.push(inside.skip(place + 1));
            if !inside.rest()[..place].ends_with('\\') {
                break;
            }
        }
        ends.into_iter().rev().find_map(|behind| Some((&self.text[open.at..behind.at], behind.tail()?)))
    }

    /// Where a line ends behind white space, which may be lines of its own, and a comment; none if something
    /// else follows.
    fn tail(self) -> Option<usize> {
        let behind = self.white();
        match behind.next() {
            None => Some(behind.at),
            Some('#') => Some(behind.past(|character| !ends_line(character)).at),
            Some(_) => self.text[self.at..behind.at].rfind(ends_line).map(|place| self.at + place),
        }
    }
}

/// The value without white space and quotes around it.
fn read(written: &str) -> String {
    let written = written.trim_matches(is_white);
    let value = without_quotes(written);
    if written.starts_with('"') { value.replace("\\n", "\n").replace("\\r", "\r") } else { value }
}

/// `/^(['"`])([\s\S]*)\1$/mg`: what begins a line with a quote loses it, and the last such quote that ends a
/// line.
fn without_quotes(text: &str) -> String {
    let (mut value, mut at) = (String::with_capacity(text.len()), Some(0));
    while let Some(start) = at {
        let rest = &text[start..];
        let quote = rest.chars().next().filter(|quote| is_quote(*quote));
        let end = quote.and_then(|quote| {
            let mut ends = rest.rmatch_indices(quote).map(|(end, _)| end).take_while(|end| *end > 0);
            ends.find(|end| rest[end + 1..].chars().next().is_none_or(ends_line))
        });
        let from = end.map_or(start, |end| {
            value.push_str(&rest[1..end]);
            start + end + 1
        });
        at = line_start(text, from);
        value.push_str(&text[from..at.unwrap_or(text.len())]);
    }
    value
}

fn is_quote(character: char) -> bool {
    matches!(character, '\'' | '"' | '`')
}

/// JavaScript's `\s`: what Unicode calls white, without the next line, with the mark that begins some files.
fn is_white(character: char) -> bool {
    character.is_whitespace() && character != '\u{85}' || character == '\u{feff}'
}

/// Where JavaScript's `$` may stand, once line ends are all one character.
fn ends_line(character: char) -> bool {
    matches!(character, '\n' | '\u{2028}' | '\u{2029}')
}

/// Where in `.env` a variable stands, as an error ends with it.
pub(super) fn in_file(line: usize) -> String {
    format!(" (line {line} of .env)")
}

#[cfg(test)]
mod tests;
