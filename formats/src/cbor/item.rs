//! Reading what the walker has passed.

use super::Value;

/// A checked CBOR item, borrowed from the input.
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

    /// Builds a value from the item.
    #[must_use]
    pub fn to_value(&self) -> Value {
        unimplemented!()
    }
}
