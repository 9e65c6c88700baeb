//! The scan of an object's top level: strict, and without recursion.

use crate::codec::outline::{Key, Keys};

/// Levels of nesting that are read. It is serde_json's limit, kept also for what no type looks into.
pub(super) const MAX_DEPTH: usize = 127;

/// Not JSON. The reason is found when it is asked for, by parsing again.
#[derive(Debug)]
pub(super) struct Malformed;

/// What is open around a place within a value: of each level a bit, set for an object, the innermost the
/// lowest.
#[derive(Default)]
struct Open {
    levels: u128,
    depth: usize,
}

impl Open {
    /// One level more. [`too_deep`] has seen before that there are not more than fit.
    fn push(&mut self, object: bool) -> Result<(), Malformed> {
        if self.depth == MAX_DEPTH {
            return Err(Malformed);
        }
        self.depth += 1;
        self.levels = self.levels << 1 | u128::from(object);
        Ok(())
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.levels >>= 1;
    }

    /// Whether the innermost level is an object; `None` where nothing is open.
    fn innermost(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.levels & 1 == 1)
    }
}

const _: () = assert!(MAX_DEPTH <= u128::BITS as usize);

/// A place in a payload that is known to be UTF-8.
pub(super) struct Scanner<'r> {
    bytes: &'r [u8],
    at: usize,
}

impl<'r> Scanner<'r> {
    pub(super) fn new(bytes: &'r [u8]) -> Self {
        Self::at(bytes, 0)
    }

    pub(super) fn at(bytes: &'r [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(super) fn opens_object(&mut self) -> bool {
        self.space();
        self.peek() == Some(b'{')
    }

    /// The whole object, or up to `data` where `type` was seen before it.
    pub(super) fn object(&mut self, keys: &mut Keys) -> Result<(), Malformed> {
        self.expect(b'{')?;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return self.end();
        }
        self.members(keys, true)
    }

    /// The rest of an object, from the value of `data` on.
    pub(super) fn data_and_rest(&mut self, keys: &mut Keys) -> Result<(), Malformed> {
        let start = self.at;
        let plain = self.value()?;
        keys.note(Some(Key::Data), start, self.at, plain);
        self.after_value(keys)
    }

    /// The rest of an object behind a value.
    pub(super) fn after_value(&mut self, keys: &mut Keys) -> Result<(), Malformed> {
        if self.has_next()? { self.members(keys, false) } else { Ok(()) }
    }

    fn members(&mut self, keys: &mut Keys, lazy: bool) -> Result<(), Malformed> {
        loop {
            let key = self.key()?;
            self.space();
            self.expect(b':')?;
            self.space();
            let start = self.at;
            if lazy && key == Some(Key::Data) && keys.has(Key::Type) && !keys.has(Key::Data) {
                keys.stop_at_data(start);
                return Ok(());
            }
            let plain = self.value()?;
            keys.note(key, start, self.at, plain);
            if !self.has_next()? {
                return Ok(());
            }
        }
    }

    /// A comma and another member, or the end of object and payload.
    fn has_next(&mut self) -> Result<bool, Malformed> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.space();
                Ok(true)
            }
            Some(b'}') => {
                self.at += 1;
                self.end().map(|()| false)
            }
            _ => Err(Malformed),
        }
    }

    fn end(&mut self) -> Result<(), Malformed> {
        self.space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(Malformed) }
    }

    fn key(&mut self) -> Result<Option<Key>, Malformed> {
        let start = self.at;
        let escaped = self.string()?;
        let quoted = &self.bytes[start..self.at];
        if escaped {
            // serde sees the same field behind an escape. Half a surrogate pair names none of the keys.
            let name = serde_json::from_slice::<String>(quoted).unwrap_or_default();
            return Ok(Key::of(name.as_bytes()));
        }
        Ok(Key::of(&quoted[1..quoted.len() - 1]))
    }

    /// Any value; whether it is a string without escapes.
    fn value(&mut self) -> Result<bool, Malformed> {
        match self.peek() {
            Some(b'{' | b'[') => self.nested().map(|()| false),
            _ => self.flat(),
        }
    }

    /// A value that holds no others; whether it is a string without escapes.
    #[inline(always)]
    fn flat(&mut self) -> Result<bool, Malformed> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                return self.content().map(|escaped| !escaped);
            }
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => self.number(),
        }
        .map(|()| false)
    }

    /// An object or an array, to its end, without recursion and without memory.
    fn nested(&mut self) -> Result<(), Malformed> {
        let mut open = Open::default();
        loop {
            // Here a value begins.
            match self.peek() {
                Some(begin @ (b'{' | b'[')) => {
                    let object = begin == b'{';
                    self.at += 1;
                    self.space();
                    if self.peek() == Some(if object { b'}' } else { b']' }) {
                        self.at += 1;
                    } else {
                        open.push(object)?;
                        if object {
                            self.name()?;
                        }
                        continue;
                    }
                }
                _ => drop(self.flat()?),
            }
            // Here one has ended, and with it perhaps those around it.
            loop {
                let Some(object) = open.innermost() else { return Ok(()) };
                self.space();
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        self.space();
                        if object {
                            self.name()?;
                        }
                        break;
                    }
                    Some(b'}') if object => open.pop(),
                    Some(b']') if !object => open.pop(),
                    _ => return Err(Malformed),
                }
                self.at += 1;
            }
        }
    }

    /// A member's name, and what stands between it and its value.
    #[inline(always)]
    fn name(&mut self) -> Result<(), Malformed> {
        self.string()?;
        self.space();
        self.expect(b':')?;
        self.space();
        Ok(())
    }

    fn literal(&mut self, literal: &[u8]) -> Result<(), Malformed> {
        if !self.bytes[self.at..].starts_with(literal) {
            return Err(Malformed);
        }
        self.at += literal.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Malformed> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let count = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count > 0 { Ok(()) } else { Err(Malformed) }
    }

    /// A string from quote to quote; whether it has escapes.
    #[inline]
    fn string(&mut self) -> Result<bool, Malformed> {
        self.expect(b'"')?;
        self.content()
    }

    /// What stands behind the quote that begins a string, with the one that ends it.
    #[inline(always)]
    fn content(&mut self) -> Result<bool, Malformed> {
        let mut escaped = false;
        loop {
            self.plain();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape()?;
                    escaped = true;
                }
                _ => return Err(Malformed),
            }
        }
    }

    #[cold]
    fn escape(&mut self) -> Result<(), Malformed> {
        let width = match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 1,
            Some(b'u')
                if self
                    .bytes
                    .get(self.at + 1..self.at + 5)
                    .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) =>
            {
                5
            }
            _ => return Err(Malformed),
        };
        self.at += width;
        Ok(())
    }

    /// Goes to the next byte that means something within a string, eight at a time.
    #[inline(always)]
    fn plain(&mut self) {
        while let Some(chunk) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            let special = special_bytes(u64::from_le_bytes(*chunk));
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        while self.peek().is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            self.at += 1;
        }
    }

    #[inline(always)]
    fn space(&mut self) {
        // Mostly there is none.
        while self.peek().is_some_and(|byte| byte <= b' ' && matches!(byte, b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    #[inline(always)]
    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.peek() != Some(byte) {
            return Err(Malformed);
        }
        self.at += 1;
        Ok(())
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

/// The top bit of each byte that is a quote, a backslash or a control character. Exact up to the lowest one,
/// which is the one that counts.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const TOP: u64 = ONES << 7;
    // A quote takes the place of the space behind the control characters, and the space that of the quote.
    let quote_or_control = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (quote_or_control | backslash) & !word & TOP
}

/// Nested deeper than [`MAX_DEPTH`]. Where brackets are few, as nearly always, counting them is enough.
pub(super) fn too_deep(bytes: &[u8]) -> bool {
    if bytes.len() <= MAX_DEPTH {
        return false;
    }
    // `[` and `{` are one bit apart. Counted in bytes, which cannot overflow within a chunk of less than 256,
    // sixteen of them at once; in words it is a byte each.
    let in_chunk = |chunk: &[u8]| chunk.iter().map(|byte| u8::from(byte | 0x20 == b'{')).sum::<u8>();
    let opening: usize = bytes.chunks(240).map(|chunk| usize::from(in_chunk(chunk))).sum();
    opening > MAX_DEPTH && deepest(bytes) > MAX_DEPTH
}

fn deepest(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = bytes.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    deepest
}
