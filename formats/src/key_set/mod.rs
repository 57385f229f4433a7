//! COSE key sets (RFC 9052 §7): the receipt keys as a log publishes them.
//!
//! Verifiers take receipt keys from the admission policy or a pinned file, never from here: this is for stock SCITT tools.

#[cfg(test)]
mod tests;

use crate::cbor::{Encoder, Item, Rules, check};
use crate::cose::label::{KEY_ALG, KEY_ID, KTY};
use crate::cose::{Algorithm, Curve, HeaderMap, KeyError, PublicKey};

/// The content type of a key and of a key set.
pub const CONTENT_TYPE: &str = "application/cbor";

/// Writes one receipt key as `/.well-known/scitt-keys/{kid}` serves it: 1, 2 = thumbprint, 3 = −7, −1, −2, −3.
///
/// # Errors
///
/// A key that is not P-256 is refused: one OKP key anywhere makes stock verifiers drop the whole set.
pub fn encode_key(key: &PublicKey) -> Result<Vec<u8>, KeyError> {
    if key.curve() != Curve::P256 {
        return Err(KeyError::Curve { found: key.curve(), expected: Curve::P256 });
    }
    let mut out = Encoder::default();
    // Type 2 is EC2.
    out.map(6).int(KTY).int(2).int(KEY_ID).bytes(key.thumbprint().as_bytes());
    key.encode_point(out.int(KEY_ALG).int(Algorithm::Es256.label()));
    Ok(out.into_vec())
}

/// Writes the set (a CBOR array) as `/.well-known/scitt-keys` serves it.
///
/// # Errors
///
/// As [`encode_key`].
pub fn encode(keys: &[PublicKey]) -> Result<Vec<u8>, KeyError> {
    let mut out = Encoder::default();
    out.array(keys.len());
    for (position, key) in keys.iter().enumerate() {
        out.raw(&encode_key(key).map_err(|error| at(position, error))?);
    }
    Ok(out.into_vec())
}

/// Reads what [`encode`] writes.
///
/// # Errors
///
/// [`KeyError`] names what is wrong with which key.
pub fn parse(bytes: &[u8]) -> Result<Vec<PublicKey>, KeyError> {
    let set = check(bytes, Rules::Deterministic)?;
    let items = set.as_array().ok_or(KeyError::NotArray)?;
    items.iter().enumerate().map(|(position, item)| read(item).map_err(|error| at(position, error))).collect()
}

/// Reads what [`encode_key`] writes.
///
/// # Errors
///
/// [`KeyError`] names what is wrong.
pub fn parse_key(bytes: &[u8]) -> Result<PublicKey, KeyError> {
    read(&check(bytes, Rules::Deterministic)?)
}

fn read(item: &Item<'_>) -> Result<PublicKey, KeyError> {
    let key = PublicKey::from_cose_item(item, &[KEY_ID, KEY_ALG])?;
    if key.curve() != Curve::P256 {
        return Err(KeyError::Curve { found: key.curve(), expected: Curve::P256 });
    }
    let map = HeaderMap::read(item)?;
    let id = map.get(KEY_ID).ok_or(KeyError::Missing(KEY_ID))?;
    if id.as_bytes() != Some(key.thumbprint().as_bytes().as_slice()) {
        return Err(KeyError::Wrong { label: KEY_ID, expected: "the key's thumbprint" });
    }
    let algorithm = map.get(KEY_ALG).ok_or(KeyError::Missing(KEY_ALG))?;
    if algorithm.as_i64() != Some(Algorithm::Es256.label()) {
        return Err(KeyError::Wrong { label: KEY_ALG, expected: "-7 (ES256)" });
    }
    Ok(key)
}

fn at(position: usize, error: KeyError) -> KeyError {
    KeyError::At { position, error: Box::new(error) }
}
