//! Where things are in a tree: leaf indexes, tree sizes and nodes.

use core::fmt;
use core::str::FromStr;

use super::subtree::Subtree;

/// The position of a leaf, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafIndex(u64);

/// How many leaves a tree has.
///
/// Every function of this module is total over all 64 bits; no tree grows past [`TreeSize::MAX`], and no text above it
/// is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeSize(u64);

/// A complete subtree: 2^`level` leaves, the first of which is `index` · 2^`level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// How many levels of nodes lie below: 0 is a leaf.
    pub level: u8,
    /// The position among the nodes of its level, counted from 0.
    pub index: u64,
}

/// Why a text is not a leaf index or a tree size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NumberError {
    /// The text is not decimal digits, or starts with a zero that is not its only digit.
    #[error("{0:?} is not a decimal number without sign and leading zeros")]
    NotDecimal(String),
    /// The number is above the largest tree size.
    #[error("{0} is above the largest tree size")]
    TooLarge(String),
}

impl LeafIndex {
    /// Names a leaf.
    #[must_use]
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl TreeSize {
    /// The largest size a tree may have: far out of reach, and low enough that no sum or shift of two sizes overflows.
    pub const MAX: Self = Self(1 << 62);

    /// The size of the tree without leaves.
    pub const ZERO: Self = Self(0);

    /// Names a size.
    #[must_use]
    pub const fn new(size: u64) -> Self {
        Self(size)
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Tells whether a tree of this size has a leaf.
    #[must_use]
    pub const fn covers(self, index: LeafIndex) -> bool {
        index.0 < self.0
    }
}

/// Lists the complete subtrees that make up a tree, left to right: the largest first, one for every bit of the size.
#[must_use]
pub fn root_nodes(size: TreeSize) -> Vec<Node> {
    Subtree::whole(size).nodes().collect()
}

impl fmt::Display for LeafIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for TreeSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Reads decimal digits, without sign or leading zeros.
impl FromStr for LeafIndex {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        let number = decimal(text)?;
        if number >= TreeSize::MAX.0 { Err(NumberError::TooLarge(text.to_owned())) } else { Ok(Self(number)) }
    }
}

/// Reads decimal digits, without sign or leading zeros.
impl FromStr for TreeSize {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        let number = decimal(text)?;
        if number > TreeSize::MAX.0 { Err(NumberError::TooLarge(text.to_owned())) } else { Ok(Self(number)) }
    }
}

/// Reads a number in its one canonical decimal form.
fn decimal(text: &str) -> Result<u64, NumberError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return Err(NumberError::NotDecimal(text.to_owned()));
    }
    text.parse().map_err(|_| NumberError::TooLarge(text.to_owned()))
}
