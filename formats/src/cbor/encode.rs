//! Writing deterministic CBOR.

use super::Value;
use super::float::{self, Float};
use super::head::{ARRAY, BYTES, MAP, NINT, TAG, TEXT, UINT, head_len};

/// Encodes a value deterministically: shortest heads and floats, definite lengths, map keys ascending.
///
/// A tag 2 or 3 over a byte string that fits 64 bits becomes that integer. Keys of a map must be distinct; the order they are in
/// does not matter.
#[must_use]
pub fn to_deterministic(value: &Value) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.value(value);
    encoder.into_vec()
}

/// Writes items one after the other; the caller sees to the order of keys and to counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encoder {
    out: Vec<u8>,
}

impl Encoder {
    pub(crate) fn into_vec(self) -> Vec<u8> {
        self.out
    }

    pub(crate) fn uint(&mut self, number: u64) -> &mut Self {
        self.head(UINT, number)
    }

    pub(crate) fn int(&mut self, number: i64) -> &mut Self {
        // −1 − n is the complement of n.
        if number < 0 { self.head(NINT, !number.cast_unsigned()) } else { self.head(UINT, number.cast_unsigned()) }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(BYTES, bytes.len()).raw(bytes)
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.count(TEXT, text.len()).raw(text.as_bytes())
    }

    pub(crate) fn array(&mut self, items: usize) -> &mut Self {
        self.count(ARRAY, items)
    }

    pub(crate) fn map(&mut self, pairs: usize) -> &mut Self {
        self.count(MAP, pairs)
    }

    pub(crate) fn tag(&mut self, tag: u64) -> &mut Self {
        self.head(TAG, tag)
    }

    pub(crate) fn null(&mut self) -> &mut Self {
        self.raw(&[0xf6])
    }

    /// Writes bytes that are encoded already.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    fn count(&mut self, major: u8, count: usize) -> &mut Self {
        self.head(major, u64::try_from(count).unwrap_or(u64::MAX))
    }

    fn head(&mut self, major: u8, argument: u64) -> &mut Self {
        let bytes = argument.to_be_bytes();
        let [.., last] = bytes;
        let (info, width) = match head_len(argument) {
            1 => (last, 0),
            2 => (24, 1),
            3 => (25, 2),
            5 => (26, 4),
            _ => (27, 8),
        };
        self.out.push(major << 5 | info);
        self.out.extend_from_slice(bytes.get(bytes.len() - width..).unwrap_or_default());
        self
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Integer(number) => self.integer(i128::from(*number)),
            Value::Bytes(bytes) => drop(self.bytes(bytes)),
            Value::Text(text) => drop(self.text(text)),
            Value::Float(number) => self.float(*number),
            Value::Bool(flag) => drop(self.raw(&[0xf4 | u8::from(*flag)])),
            Value::Tag(tag, content) => self.tagged(*tag, content),
            Value::Array(items) => {
                self.array(items.len());
                items.iter().for_each(|item| self.value(item));
            }
            Value::Map(pairs) => self.sorted(pairs),
            // `Value` is not exhaustive; there is no variant but null left.
            _ => drop(self.null()),
        }
    }

    fn integer(&mut self, number: i128) {
        let (major, argument) = if number < 0 { (NINT, -1 - number) } else { (UINT, number) };
        // An `Integer` has 64 bits and a sign.
        self.head(major, u64::try_from(argument).unwrap_or(u64::MAX));
    }

    fn float(&mut self, number: f64) {
        match float::shortest(number) {
            Float::Half(bits) => self.raw(&[0xf9]).raw(&bits.to_be_bytes()),
            Float::Single(bits) => self.raw(&[0xfa]).raw(&bits.to_be_bytes()),
            Float::Double(bits) => self.raw(&[0xfb]).raw(&bits.to_be_bytes()),
        };
    }

    fn tagged(&mut self, tag: u64, content: &Value) {
        let (2 | 3, Value::Bytes(bytes)) = (tag, content) else {
            self.tag(tag);
            return self.value(content);
        };
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let digits = bytes.get(zeros..).unwrap_or_default();
        if digits.len() > 8 {
            self.tag(tag).bytes(digits);
        } else {
            let number = digits.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte));
            self.head(if tag == 2 { UINT } else { NINT }, number);
        }
    }

    fn sorted(&mut self, pairs: &[(Value, Value)]) {
        let mut encoded: Vec<_> = pairs.iter().map(|(key, value)| (to_deterministic(key), value)).collect();
        encoded.sort_by(|one, two| one.0.cmp(&two.0));
        self.map(encoded.len());
        for (key, value) in encoded {
            self.raw(&key);
            self.value(value);
        }
    }
}
