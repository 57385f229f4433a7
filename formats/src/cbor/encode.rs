//! Writing deterministic CBOR.

use super::Value;

/// Encodes a value deterministically: shortest heads and floats, definite lengths, map keys ascending.
///
/// A tag 2 or 3 over a byte string that fits 64 bits becomes that integer. Keys of a map must be distinct; the order they are in does not
/// matter.
#[must_use]
pub fn to_deterministic(value: &Value) -> Vec<u8> {
    let _ = value;
    unimplemented!()
}

/// Writes items one after the other; the caller sees to the order of keys and to counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encoder {
    out: Vec<u8>,
}
