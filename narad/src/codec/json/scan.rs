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

/// What is left of a payload that is known to be UTF-8. Handed from step to step, so that it stays in
/// registers.
type Rest<'r> = &'r [u8];

/// The whole object, or up to `data` where `type` was seen before it.
pub(super) fn object(text: &[u8], keys: &mut Keys) -> Result<(), Malformed> {
    let rest = space(expect(space(text), b'{')?);
    match rest {
        [b'}', rest @ ..] => end(rest),
        _ => members(text, expect(rest, b'"')?, keys, true),
    }
}

pub(super) fn opens_object(text: &[u8]) -> bool {
    space(text).first() == Some(&b'{')
}

/// The rest of an object, from the value of `data` on.
pub(super) fn data_and_rest(text: &[u8], at: usize, keys: &mut Keys) -> Result<(), Malformed> {
    let (rest, plain) = value(&text[at..])?;
    let end = text.len() - rest.len();
    keys.note(Some(Key::Data), at, end, plain);
    after_value(text, end, keys)
}

/// The rest of an object behind a value.
pub(super) fn after_value(text: &[u8], at: usize, keys: &mut Keys) -> Result<(), Malformed> {
    match next(&text[at..])? {
        Some(rest) => members(text, rest, keys, false),
        None => Ok(()),
    }
}

/// Members from behind the quote of a name on.
fn members(text: &[u8], mut rest: Rest<'_>, keys: &mut Keys, lazy: bool) -> Result<(), Malformed> {
    loop {
        let name = rest;
        let (behind, escaped) = string(name)?;
        let key = if escaped {
            // serde sees the same field behind an escape. Half a surrogate pair names none of the keys.
            let quoted = &text[text.len() - name.len() - 1..text.len() - behind.len()];
            Key::of(serde_json::from_slice::<String>(quoted).unwrap_or_default().as_bytes())
        } else {
            Key::of(&name[..name.len() - behind.len() - 1])
        };
        let begin = match behind {
            [b':', b'"', ..] => &behind[1..],
            _ => colon(behind)?,
        };
        let start = text.len() - begin.len();
        if lazy && key == Some(Key::Data) && keys.has(Key::Type) && !keys.has(Key::Data) {
            keys.stop_at_data(start);
            return Ok(());
        }
        let (behind, plain) = match begin {
            [b'"', content @ ..] => {
                let (behind, escaped) = string(content)?;
                (behind, !escaped)
            }
            _ => value(begin)?,
        };
        keys.note(key, start, text.len() - behind.len(), plain);
        rest = match behind {
            [b',', b'"', name @ ..] => name,
            _ => match next(behind)? {
                Some(name) => name,
                None => return Ok(()),
            },
        };
    }
}

/// A comma and the quote of another name, or the end of object and payload.
fn next(rest: Rest<'_>) -> Result<Option<Rest<'_>>, Malformed> {
    match space(rest) {
        [b',', rest @ ..] => expect(space(rest), b'"').map(Some),
        [b'}', rest @ ..] => end(rest).map(|()| None),
        _ => Err(Malformed),
    }
}

fn end(rest: Rest<'_>) -> Result<(), Malformed> {
    if space(rest).is_empty() { Ok(()) } else { Err(Malformed) }
}

/// Any value; whether it is a string without escapes.
fn value(rest: Rest<'_>) -> Result<(Rest<'_>, bool), Malformed> {
    match rest {
        [b'"', content @ ..] => string(content).map(|(rest, escaped)| (rest, !escaped)),
        [b'{' | b'[', ..] => nested(rest).map(|rest| (rest, false)),
        _ => flat(rest).map(|rest| (rest, false)),
    }
}

/// A value that holds no others and is no string.
fn flat(rest: Rest<'_>) -> Result<Rest<'_>, Malformed> {
    match rest {
        [b't', b'r', b'u', b'e', rest @ ..]
        | [b'f', b'a', b'l', b's', b'e', rest @ ..]
        | [b'n', b'u', b'l', b'l', rest @ ..] => Ok(rest),
        _ => number(rest),
    }
}

/// An object or an array, to its end, without recursion and without memory.
fn nested(mut rest: Rest<'_>) -> Result<Rest<'_>, Malformed> {
    let mut open = Open::default();
    loop {
        // Here a value begins.
        match rest {
            [b'"', content @ ..] => rest = string(content)?.0,
            [begin @ (b'{' | b'['), inner @ ..] => {
                let object = *begin == b'{';
                rest = space(inner);
                match rest {
                    [b'}', behind @ ..] if object => rest = behind,
                    [b']', behind @ ..] if !object => rest = behind,
                    _ => {
                        open.push(object)?;
                        if !object {
                            continue;
                        }
                        let ended;
                        (rest, ended) = texts(expect(rest, b'"')?)?;
                        if !ended {
                            continue;
                        }
                    }
                }
            }
            _ => rest = flat(rest)?,
        }
        // Here one has ended, and with it perhaps those around it.
        loop {
            let Some(object) = open.innermost() else { return Ok(rest) };
            rest = match space(rest) {
                [b',', behind @ ..] => {
                    rest = space(behind);
                    if !object {
                        break;
                    }
                    let ended;
                    (rest, ended) = texts(expect(rest, b'"')?)?;
                    if ended {
                        continue;
                    }
                    break;
                }
                [b'}', behind @ ..] if object => behind,
                [b']', behind @ ..] if !object => behind,
                _ => return Err(Malformed),
            };
            open.pop();
        }
    }
}

/// Members of an object from behind the quote of a name on, as long as they are texts and stand close to each
/// other, as most do. Stops behind a text (`true`), or where a value begins that is none.
#[inline(always)]
fn texts(mut rest: Rest<'_>) -> Result<(Rest<'_>, bool), Malformed> {
    loop {
        rest = match string(rest)?.0 {
            [b':', b'"', content @ ..] => string(content)?.0,
            behind => return Ok((colon(behind)?, false)),
        };
        match rest {
            [b',', b'"', name @ ..] => rest = name,
            _ => return Ok((rest, true)),
        }
    }
}

/// What stands between a member's name and its value.
#[inline(always)]
fn colon(rest: Rest<'_>) -> Result<Rest<'_>, Malformed> {
    expect(space(rest), b':').map(space)
}

fn number(rest: Rest<'_>) -> Result<Rest<'_>, Malformed> {
    let mut rest = match rest {
        [b'-', rest @ ..] => rest,
        _ => rest,
    };
    rest = match rest {
        [b'0', rest @ ..] => rest,
        _ => digits(rest)?,
    };
    if let [b'.', fraction @ ..] = rest {
        rest = digits(fraction)?;
    }
    match rest {
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => digits(exponent),
        _ => Ok(rest),
    }
}

/// One digit or more.
fn digits(rest: Rest<'_>) -> Result<Rest<'_>, Malformed> {
    let [b'0'..=b'9', rest @ ..] = rest else { return Err(Malformed) };
    let mut rest = rest;
    while let [b'0'..=b'9', behind @ ..] = rest {
        rest = behind;
    }
    Ok(rest)
}

/// From behind the quote that begins a string to behind the one that ends it; whether it has escapes.
#[inline(always)]
fn string(mut rest: Rest<'_>) -> Result<(Rest<'_>, bool), Malformed> {
    while let Some((chunk, behind)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*chunk);
        let maybe = maybe_special(word);
        if maybe == 0 {
            rest = behind;
            continue;
        }
        if let [b'"', behind @ ..] = &rest[lowest(maybe)..] {
            return Ok((behind, false));
        }
        if maybe & !word != 0 {
            break;
        }
        rest = behind;
    }
    escaped(rest)
}

/// The same with escapes, and close to the payload's end.
#[inline(never)]
fn escaped(mut rest: Rest<'_>) -> Result<(Rest<'_>, bool), Malformed> {
    let mut escaped = false;
    loop {
        rest = match plain(rest) {
            [b'"', behind @ ..] => return Ok((behind, escaped)),
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', behind @ ..] => behind,
            [b'\\', b'u', a, b, c, d, behind @ ..]
                if [a, b, c, d].iter().all(|hex| hex.is_ascii_hexdigit()) =>
            {
                behind
            }
            _ => return Err(Malformed),
        };
        escaped = true;
    }
}

/// Goes to the next byte that means something within a string.
#[inline(always)]
fn plain(mut rest: Rest<'_>) -> Rest<'_> {
    while let Some((chunk, behind)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*chunk);
        let special = maybe_special(word) & !word;
        if special != 0 {
            return &rest[lowest(special)..];
        }
        rest = behind;
    }
    while let [byte, behind @ ..] = rest
        && *byte >= b' '
        && !matches!(byte, b'"' | b'\\')
    {
        rest = behind;
    }
    rest
}

#[inline(always)]
fn space(mut rest: Rest<'_>) -> Rest<'_> {
    // Mostly there is none.
    while let [byte, behind @ ..] = rest
        && *byte <= b' '
        && matches!(byte, b' ' | b'\n' | b'\t' | b'\r')
    {
        rest = behind;
    }
    rest
}

#[inline(always)]
fn expect(rest: Rest<'_>, byte: u8) -> Result<Rest<'_>, Malformed> {
    match rest {
        [first, rest @ ..] if *first == byte => Ok(rest),
        _ => Err(Malformed),
    }
}

/// The top bit of each byte that is a quote, a backslash or a control character, and of some outside of
/// ASCII. Exact up to the lowest one, which is the one that counts.
#[inline(always)]
fn maybe_special(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const TOP: u64 = ONES << 7;
    // A quote takes the place of the space behind the control characters, and the space that of the quote.
    let quote_or_control = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (quote_or_control | backslash) & TOP
}

/// The lowest byte with its top bit set.
#[inline(always)]
fn lowest(bits: u64) -> usize {
    bits.trailing_zeros() as usize / 8
}

/// Nested deeper than [`MAX_DEPTH`]. Where brackets are few, as nearly always, counting them is enough.
pub(super) fn too_deep(bytes: &[u8]) -> bool {
    opening(bytes) > MAX_DEPTH && deepest(bytes) > MAX_DEPTH
}

/// How many brackets open, at most: the last of them may be counted twice.
fn opening(bytes: &[u8]) -> usize {
    // `[` and `{` are one bit apart. Counted in bytes, which cannot overflow within a part of less than 256,
    // sixteen of them at once.
    let count = |part: &[u8; 128]| {
        let mut opening = 0_u8;
        for byte in part {
            opening += u8::from(byte | 0x20 == b'{');
        }
        usize::from(opening)
    };
    let (parts, rest) = bytes.as_chunks();
    let whole = parts.iter().map(count).sum::<usize>();
    if rest.is_empty() { whole } else { whole + bytes.last_chunk().map_or(rest.len(), count) }
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
