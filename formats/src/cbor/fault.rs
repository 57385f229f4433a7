//! What can be wrong with CBOR bytes.

use crate::limits::MAX_CBOR_DEPTH;

/// Why bytes were refused as CBOR, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("offset {offset}: {why}")]
pub struct CborError {
    /// Where the offending item begins, in bytes from the start of what was given.
    pub offset: usize,
    /// What is wrong there.
    pub why: CborFault,
}

/// What is wrong with an item, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CborFault {
    /// The bytes end inside the item.
    #[error("the bytes end inside this item")]
    Truncated,
    /// Bytes follow the item.
    #[error("{0} bytes follow the item; nothing may")]
    Trailing(usize),
    /// The sequence has more items than it may have.
    #[error("more than {0} items")]
    TooManyItems(usize),
    /// Too many containers stand around the item.
    #[error("more than {MAX_CBOR_DEPTH} arrays, maps and tags stand around this item")]
    Depth,
    /// The head has a reserved form.
    #[error("head {0:#04x} is reserved")]
    Reserved(u8),
    /// A break stands where no indefinite length is open, or between a key and its value.
    #[error("a break stands outside an array, map or string of indefinite length")]
    Break,
    /// A chunk of an indefinite string is not a definite string of its type.
    #[error("a chunk of a string of indefinite length must be a string of the same type with a definite length")]
    Chunk,
    /// The length is indefinite.
    #[error("the length is indefinite; it must be given")]
    Indefinite,
    /// The argument would fit a shorter head.
    #[error("{0} is not written in the shortest form")]
    NotShortest(u64),
    /// A text string is not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// A map's keys do not ascend.
    #[error("the map key is not above the one before it; keys must ascend in the order of their bytes")]
    KeyOrder,
    /// A map holds a key twice.
    #[error("the map holds this key twice")]
    DuplicateKey,
    /// A simple value has no meaning here.
    #[error("simple value {0}; only false, true and null are allowed")]
    Simple(u8),
    /// A floating-point number would fit a shorter form.
    #[error("the floating-point number is not written in the shortest form that holds it exactly")]
    FloatNotShortest,
    /// A NaN is not the one NaN.
    #[error("a NaN must be written f97e00")]
    NotANumber,
    /// A bignum is not a byte string without leading zeros for an integer beyond 64 bits.
    #[error("tags 2 and 3 are for integers beyond 64 bits, written as a byte string without leading zeros")]
    Bignum,
}
