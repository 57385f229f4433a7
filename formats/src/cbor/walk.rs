//! The walker: one pass over the bytes, every bound checked before anything is read.

use core::str;

use super::float::{self, Float};
use super::head::{ARRAY, BREAK, BYTES, Head, MAP, NINT, TAG, TEXT, UINT};
use super::{CborError, CborFault, Item};
use crate::limits::MAX_CBOR_DEPTH;

/// Which rules the walker enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Deterministic encoding (RFC 8949 §4.2.1) and the value rules; map keys ascend.
    ///
    /// The value rules: floating-point numbers in the shortest exact form, one NaN; tags 2 and 3 only for integers beyond 64
    /// bits; no simple values but false, true and null; text is UTF-8.
    Deterministic,
    /// The same, but map keys stand in any order, each once.
    Protected,
    /// Well-formed (RFC 8949 appendix C) to the depth limit, no more.
    WellFormed,
}

/// Checks that the bytes are exactly one item that obeys the rules.
///
/// # Errors
///
/// [`CborError`] names the offset and what would be right there.
pub fn check(bytes: &[u8], rules: Rules) -> Result<Item<'_>, CborError> {
    check_at(bytes, 0, rules)
}

/// Checks as [`check`] does; offsets are counted from `base` bytes before the item.
pub(crate) fn check_at(bytes: &[u8], base: usize, rules: Rules) -> Result<Item<'_>, CborError> {
    let result = Walker { bytes, rules }.item(0, 0).and_then(|end| match bytes.len() - end {
        0 => Ok(Item::new(bytes, base)),
        trailing => Err(CborError { offset: end, why: CborFault::Trailing(trailing) }),
    });
    result.map_err(|error| CborError { offset: base + error.offset, ..error })
}

/// Frames a CBOR sequence (RFC 8742): well-formed items to the depth limit, one slice each.
///
/// # Errors
///
/// [`CborError`] names the offset of what is not well-formed, or of the first item above `max_items`.
pub fn split_sequence(bytes: &[u8], max_items: usize) -> Result<Vec<&[u8]>, CborError> {
    let walker = Walker { bytes, rules: Rules::WellFormed };
    let mut items = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if items.len() == max_items {
            return Err(CborError { offset: at, why: CborFault::TooManyItems(max_items) });
        }
        let end = walker.item(at, 0)?;
        items.push(bytes.get(at..end).unwrap_or_default());
        at = end;
    }
    Ok(items)
}

/// Finds the end of the item that begins at an offset.
pub(super) fn end_of(bytes: &[u8], at: usize) -> Result<usize, CborError> {
    Walker { bytes, rules: Rules::WellFormed }.item(at, 0)
}

struct Walker<'a> {
    bytes: &'a [u8],
    rules: Rules,
}

impl Walker<'_> {
    /// Checks the item that begins at `at`, with `depth` containers around it, and returns where it ends.
    fn item(&self, at: usize, depth: usize) -> Result<usize, CborError> {
        let fail = |why| CborError { offset: at, why };
        let head = Head::read(self.bytes, at).map_err(fail)?;
        if depth > MAX_CBOR_DEPTH {
            return Err(fail(CborFault::Depth));
        }
        self.form(at, &head).map_err(fail)?;
        match head.major {
            UINT | NINT => Ok(at + head.len),
            BYTES | TEXT => self.string(at, &head),
            ARRAY => self.array(at, &head, depth + 1),
            MAP => self.map(at, &head, depth + 1),
            TAG => self.tag(at, &head, depth + 1),
            _ => self.simple(at, &head).map_err(fail),
        }
    }

    /// Checks that lengths are definite and arguments in the shortest form.
    fn form(&self, at: usize, head: &Head) -> Result<(), CborFault> {
        if self.rules == Rules::WellFormed {
            return Ok(());
        }
        match head.argument {
            // "Indefinite-length items MUST NOT appear. They can be encoded as definite-length items instead." (RFC 8949 §4.2.1)
            None => Err(CborFault::Indefinite),
            // "0 to 23 and -1 to -24 MUST be expressed in the same byte as the major type" and so on (RFC 8949 §4.2.1). Major
            // type 7 has rules of its own.
            Some(argument) if !head.is_shortest() && self.bytes.get(at).is_some_and(|first| first >> 5 < 7) => {
                Err(CborFault::NotShortest(argument))
            }
            Some(_) => Ok(()),
        }
    }

    fn string(&self, at: usize, head: &Head) -> Result<usize, CborError> {
        let body = at + head.len;
        let Some(length) = head.argument else { return self.chunks(body, head.major) };
        let fail = |why| CborError { offset: at, why };
        let length = usize::try_from(length).map_err(|_| fail(CborFault::Truncated))?;
        let end = body.checked_add(length).ok_or_else(|| fail(CborFault::Truncated))?;
        let content = self.bytes.get(body..end).ok_or_else(|| fail(CborFault::Truncated))?;
        if head.major == TEXT && self.rules != Rules::WellFormed && str::from_utf8(content).is_err() {
            return Err(fail(CborFault::NotUtf8));
        }
        Ok(end)
    }

    /// Checks the chunks of a string of indefinite length; only well-formedness admits one.
    fn chunks(&self, mut at: usize, major: u8) -> Result<usize, CborError> {
        while !self.is_break(at) {
            let fail = |why| CborError { offset: at, why };
            let head = Head::read(self.bytes, at).map_err(fail)?;
            if head.major != major || head.argument.is_none() {
                return Err(fail(CborFault::Chunk));
            }
            at = self.string(at, &head)?;
        }
        Ok(at + 1)
    }

    fn array(&self, at: usize, head: &Head, depth: usize) -> Result<usize, CborError> {
        let mut count = self.count(at, head, 1)?;
        let mut at = at + head.len;
        while self.another(at, &mut count) {
            at = self.item(at, depth)?;
        }
        Ok(self.close(at, head))
    }

    fn map(&self, at: usize, head: &Head, depth: usize) -> Result<usize, CborError> {
        let mut count = self.count(at, head, 2)?;
        let mut at = at + head.len;
        let mut keys = Keys::new(self.bytes, self.rules);
        while self.another(at, &mut count) {
            let value = self.item(at, depth)?;
            keys.add(at, value)?;
            at = self.item(value, depth)?;
        }
        keys.finish()?;
        Ok(self.close(at, head))
    }

    fn tag(&self, at: usize, head: &Head, depth: usize) -> Result<usize, CborError> {
        let content = at + head.len;
        let end = self.item(content, depth)?;
        if self.rules != Rules::WellFormed && matches!(head.argument, Some(2 | 3)) && !self.is_beyond_64_bits(content) {
            return Err(CborError { offset: at, why: CborFault::Bignum });
        }
        Ok(end)
    }

    /// Says whether an item is a byte string of at least nine bytes, the first of which is not zero.
    fn is_beyond_64_bits(&self, at: usize) -> bool {
        let Ok(Head { major: BYTES, argument: Some(length), len }) = Head::read(self.bytes, at) else { return false };
        length > 8 && self.bytes.get(at + len).is_some_and(|first| *first != 0)
    }

    fn simple(&self, at: usize, head: &Head) -> Result<usize, CborFault> {
        let argument = head.argument.unwrap_or_default();
        match (head.len, argument) {
            (1, 20..=22) => {}
            (1 | 2, _) => self.other_simple(head, argument)?,
            _ if self.rules == Rules::WellFormed => {}
            (3, _) => shortest_or_fault(u16::try_from(argument).map_or(f64::NAN, float::from_half), head, argument)?,
            (5, _) => {
                let single = u32::try_from(argument).map_or(f32::NAN, f32::from_bits);
                shortest_or_fault(f64::from(single), head, argument)?;
            }
            _ => shortest_or_fault(f64::from_bits(argument), head, argument)?,
        }
        Ok(at + head.len)
    }

    fn other_simple(&self, head: &Head, argument: u64) -> Result<(), CborFault> {
        let value = u8::try_from(argument).unwrap_or(u8::MAX);
        // "an encoder MUST NOT issue two-byte sequences that start with 0xf8 […] and continue with a byte less than 0x20 […]. Such
        // sequences are not well-formed." (RFC 8949 §3.3)
        let ill_formed = head.len == 2 && value < 0x20;
        if ill_formed || self.rules != Rules::WellFormed { Err(CborFault::Simple(value)) } else { Ok(()) }
    }

    /// Returns how many items, or pairs of `width` items, a container holds; none when its length is indefinite.
    ///
    /// An item takes at least one byte: a count that the rest of the bytes cannot hold is refused at once.
    fn count(&self, at: usize, head: &Head, width: u64) -> Result<Option<u64>, CborError> {
        let rest = u64::try_from(self.bytes.len().saturating_sub(at + head.len)).unwrap_or(u64::MAX);
        match head.argument {
            Some(count) if count > rest / width => Err(CborError { offset: at, why: CborFault::Truncated }),
            argument => Ok(argument),
        }
    }

    /// Says whether a container goes on at an offset, and counts down.
    fn another(&self, at: usize, count: &mut Option<u64>) -> bool {
        match count {
            None => !self.is_break(at),
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    /// Steps over the break of a container of indefinite length.
    const fn close(&self, at: usize, head: &Head) -> usize {
        if head.argument.is_none() { at + 1 } else { at }
    }

    fn is_break(&self, at: usize) -> bool {
        self.bytes.get(at) == Some(&BREAK)
    }
}

/// Compares a number's form with the shortest one.
fn shortest_or_fault(number: f64, head: &Head, argument: u64) -> Result<(), CborFault> {
    let (len, bits) = match float::shortest(number) {
        Float::Half(bits) => (3, u64::from(bits)),
        Float::Single(bits) => (5, u64::from(bits)),
        Float::Double(bits) => (9, bits),
    };
    match (head.len, argument) == (len, bits) {
        true => Ok(()),
        false if number.is_nan() => Err(CborFault::NotANumber),
        false => Err(CborFault::FloatNotShortest),
    }
}

/// The keys of one map, as far as it has been read.
struct Keys<'a> {
    bytes: &'a [u8],
    rules: Rules,
    last: Option<&'a [u8]>,
    seen: Vec<(&'a [u8], usize)>,
}

impl<'a> Keys<'a> {
    const fn new(bytes: &'a [u8], rules: Rules) -> Self {
        Self { bytes, rules, last: None, seen: Vec::new() }
    }

    /// Takes the key that lies from `at` to `end`.
    fn add(&mut self, at: usize, end: usize) -> Result<(), CborError> {
        let key = self.bytes.get(at..end).unwrap_or_default();
        match self.rules {
            Rules::WellFormed => {}
            Rules::Protected => self.seen.push((key, at)),
            // "The keys in every map MUST be sorted in the bytewise lexicographic order of their deterministic encodings."
            // (RFC 8949 §4.2.1)
            Rules::Deterministic => {
                let why = match self.last.replace(key) {
                    Some(last) if last == key => CborFault::DuplicateKey,
                    Some(last) if last > key => CborFault::KeyOrder,
                    _ => return Ok(()),
                };
                return Err(CborError { offset: at, why });
            }
        }
        Ok(())
    }

    /// Checks that no key of a map in any order stands twice.
    fn finish(mut self) -> Result<(), CborError> {
        self.seen.sort_unstable();
        let pairs = self.seen.iter().zip(self.seen.iter().skip(1));
        let repeated = pairs.filter(|((one, _), (two, _))| one == two).map(|(_, (_, at))| *at).min();
        repeated.map_or(Ok(()), |offset| Err(CborError { offset, why: CborFault::DuplicateKey }))
    }
}
