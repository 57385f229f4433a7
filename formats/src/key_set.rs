//! COSE key sets: the receipt keys as a log publishes them.

use crate::cose::{KeyError, PublicKey};

/// Writes one receipt key as `/.well-known/scitt-keys/{kid}` serves it: 1, 2 = thumbprint, 3 = −7, −1, −2, −3.
///
/// # Errors
///
/// A key that is not P-256 is refused: one OKP key anywhere makes stock verifiers drop the whole set.
pub fn encode_key(key: &PublicKey) -> Result<Vec<u8>, KeyError> {
    let _ = key;
    unimplemented!()
}

/// Writes the set (a CBOR array) as `/.well-known/scitt-keys` serves it.
///
/// # Errors
///
/// As [`encode_key`].
pub fn encode(keys: &[PublicKey]) -> Result<Vec<u8>, KeyError> {
    let _ = keys;
    unimplemented!()
}

/// Reads what [`encode`] writes.
///
/// # Errors
///
/// [`KeyError`] names what is wrong with which key.
pub fn parse(bytes: &[u8]) -> Result<Vec<PublicKey>, KeyError> {
    let _ = bytes;
    unimplemented!()
}
