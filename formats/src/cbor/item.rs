//! Reading what the walker has passed.

use core::str;

use super::head::{ARRAY, BREAK, BYTES, Head, MAP, NINT, SIMPLE, TAG, TEXT, UINT};
use super::walk::end_of;
use super::{CborError, CborFault, Value, float};

/// A checked CBOR item, borrowed from the input: only the walker makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    bytes: &'a [u8],
    offset: usize,
}

/// A key of a map with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The key.
    pub key: Item<'a>,
    /// The value.
    pub value: Item<'a>,
}

impl<'a> Item<'a> {
    pub(super) const fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self { bytes, offset }
    }

    /// Returns the item's own bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns where the item begins in the input.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Returns the number if the item is an integer of at most 64 bits and a sign.
    #[must_use]
    pub fn as_int(&self) -> Option<i128> {
        match Head::read(self.bytes, 0).ok()? {
            Head { major: UINT, argument, .. } => argument.map(i128::from),
            Head { major: NINT, argument, .. } => argument.map(|n| -1 - i128::from(n)),
            _ => None,
        }
    }

    /// Returns the number if the item is an integer and fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.as_int()?.try_into().ok()
    }

    /// Returns the number if the item is an integer and fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.as_int()?.try_into().ok()
    }

    /// Returns the content if the item is a byte string of definite length.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        self.string(BYTES)
    }

    /// Returns the content if the item is a text string of definite length.
    #[must_use]
    pub fn as_text(&self) -> Option<&'a str> {
        str::from_utf8(self.string(TEXT)?).ok()
    }

    /// Returns where the content of a string of definite length begins in the input.
    pub(crate) fn content_offset(&self) -> usize {
        self.offset + Head::read(self.bytes, 0).map_or(0, |head| head.len)
    }

    /// Returns the tag's number and content if the item is tagged.
    #[must_use]
    pub fn as_tag(&self) -> Option<(u64, Self)> {
        let head = self.head_of(TAG)?;
        Some((head.argument?, Self::new(self.bytes.get(head.len..)?, self.offset + head.len)))
    }

    /// Returns the items if the item is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<Vec<Self>> {
        self.children(ARRAY, 1)
    }

    /// Returns the keys and values, in the order they stand, if the item is a map.
    #[must_use]
    pub fn as_map(&self) -> Option<Vec<Entry<'a>>> {
        let children = self.children(MAP, 2)?;
        let (pairs, _) = children.as_chunks::<2>();
        Some(pairs.iter().map(|[key, value]| Entry { key: *key, value: *value }).collect())
    }

    /// Says whether the item is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.bytes == [0xf6]
    }

    /// Builds a value from the item.
    ///
    /// Strings of indefinite length are joined. Simple values without a meaning become null.
    ///
    /// # Errors
    ///
    /// Text that is not UTF-8: only [`super::Rules::WellFormed`] lets it pass.
    pub fn to_value(&self) -> Result<Value, CborError> {
        let head = Head::read(self.bytes, 0).map_err(|why| self.fault(why))?;
        let argument = head.argument.unwrap_or_default();
        Ok(match head.major {
            UINT => Value::from(argument),
            NINT => {
                Value::Integer((-1 - i128::from(argument)).try_into().map_err(|_| self.fault(CborFault::Truncated))?)
            }
            BYTES => Value::Bytes(self.joined(&head)),
            TEXT => Value::Text(String::from_utf8(self.joined(&head)).map_err(|_| self.fault(CborFault::NotUtf8))?),
            ARRAY => Value::Array(self.values(ARRAY, 1)?),
            MAP => Value::Map(self.pairs()?),
            TAG => {
                let (tag, content) = self.as_tag().ok_or_else(|| self.fault(CborFault::Truncated))?;
                Value::Tag(tag, Box::new(content.to_value()?))
            }
            _ => simple(&head, argument),
        })
    }

    fn fault(&self, why: CborFault) -> CborError {
        CborError { offset: self.offset, why }
    }

    fn head_of(&self, major: u8) -> Option<Head> {
        Head::read(self.bytes, 0).ok().filter(|head| head.major == major)
    }

    fn string(&self, major: u8) -> Option<&'a [u8]> {
        let head = self.head_of(major)?;
        head.argument.and_then(|_| self.bytes.get(head.len..))
    }

    /// Returns the content of a string, its chunks joined.
    fn joined(&self, head: &Head) -> Vec<u8> {
        if let Some(content) = self.string(head.major) {
            return content.to_vec();
        }
        let chunks = self.children(head.major, 1).unwrap_or_default();
        chunks.iter().filter_map(|chunk| chunk.string(head.major)).flatten().copied().collect()
    }

    fn values(&self, major: u8, width: u64) -> Result<Vec<Value>, CborError> {
        self.children(major, width).unwrap_or_default().iter().map(Self::to_value).collect()
    }

    fn pairs(&self) -> Result<Vec<(Value, Value)>, CborError> {
        let entries = self.as_map().unwrap_or_default();
        entries.iter().map(|entry| Ok((entry.key.to_value()?, entry.value.to_value()?))).collect()
    }

    /// Lists the items inside a container of a major type, or the chunks of a string of indefinite length.
    fn children(&self, major: u8, width: u64) -> Option<Vec<Self>> {
        let head = self.head_of(major)?;
        let mut left = head.argument.map(|count| count.saturating_mul(width));
        let mut at = head.len;
        let mut children = Vec::new();
        while left != Some(0) && (left.is_some() || self.bytes.get(at) != Some(&BREAK)) {
            let end = end_of(self.bytes, at).ok()?;
            children.push(Self::new(self.bytes.get(at..end)?, self.offset + at));
            left = left.map(|left| left - 1);
            at = end;
        }
        Some(children)
    }
}

/// Builds what major type 7 stands for.
fn simple(head: &Head, argument: u64) -> Value {
    debug_assert_eq!(head.major, SIMPLE, "the other major types have arms of their own");
    match (head.len, argument) {
        (1, 20) => Value::Bool(false),
        (1, 21) => Value::Bool(true),
        (1 | 2, _) => Value::Null,
        (3, _) => Value::Float(u16::try_from(argument).map_or(f64::NAN, float::from_half)),
        (5, _) => Value::Float(u32::try_from(argument).map_or(f64::NAN, |bits| f64::from(f32::from_bits(bits)))),
        _ => Value::Float(f64::from_bits(argument)),
    }
}
