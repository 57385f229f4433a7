//! Deterministic CBOR (RFC 8949 §4.2.1): the walker that refuses every other form, and the encoder.
//!
//! The walker checks bytes without building anything from them. What passes is read through [`Item`], which borrows from the
//! input, or as a [`Value`]. Nothing here re-encodes what it has read.

mod encode;
mod fault;
mod float;
mod head;
mod item;
mod walk;

#[cfg(test)]
pub(crate) mod tests;

pub use ciborium::Value;
pub(crate) use encode::Encoder;
pub use encode::to_deterministic;
pub use fault::{CborError, CborFault};
pub use item::{Entry, Item};
pub(crate) use walk::check_at;
pub use walk::{Rules, check, split_sequence};

/// Checks that the bytes are one item of deterministic CBOR, map keys ascending, and obey the value rules.
///
/// # Errors
///
/// [`CborError`] names the offset and what would be right there.
pub fn check_deterministic(bytes: &[u8]) -> Result<(), CborError> {
    check(bytes, Rules::Deterministic).map(drop)
}

/// Checks a protected header's bytes: as [`check_deterministic`], but map keys stand in any order, each once.
///
/// # Errors
///
/// [`CborError`] names the offset and what would be right there.
pub fn check_protected(bytes: &[u8]) -> Result<(), CborError> {
    check(bytes, Rules::Protected).map(drop)
}

/// Reads one item of deterministic CBOR as a value.
///
/// # Errors
///
/// As [`check_deterministic`].
pub fn parse(bytes: &[u8]) -> Result<Value, CborError> {
    check(bytes, Rules::Deterministic).and_then(|item| item.to_value())
}
