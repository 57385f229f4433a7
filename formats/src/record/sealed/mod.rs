//! Sealed values: commitments that stand where a value would.
//!
//! The value and its salt, the *opening*, go to the submitter's opening store, never into the log. Destroying them erases the value
//! and leaves every proof as it was.

use ciborium::Value;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};

use crate::cbor;
use crate::digest::Digest;

/// The CBOR tag of a sealed value.
pub const TAG: u64 = 1_735_357_036;

/// What is hashed before salt and value.
const DOMAIN: &[u8] = b"govlog sealed v1\0";

/// A commitment to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// SHA-256 over domain, salt and value.
    pub digest: Digest,
    /// HMAC-SHA-256 of the value's deterministic CBOR under a tenant's lookup key, where the value must be searched.
    pub reference: Option<Vec<u8>>,
}

/// What opens a sealed value. Keep it out of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// Random, fresh for each value, never derived.
    pub salt: [u8; 32],
    /// The value.
    pub value: Value,
}

/// Why a sealed value is none, or does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealedError {
    /// The tag is another one, or there is none.
    #[error("not a sealed value: no CBOR tag {TAG}")]
    NoTag,
    /// The tag does not enclose a map.
    #[error("a sealed value is a map {{\"d\": 32 bytes, ? \"ref\": bytes}}")]
    NotAMap,
    /// A key that a sealed value does not have.
    #[error("a sealed value has the keys \"d\" and \"ref\", not {0:?}")]
    UnknownKey(String),
    /// `d` is missing or no digest.
    #[error("\"d\" of a sealed value is 32 bytes")]
    Digest,
    /// `ref` is not a byte string.
    #[error("\"ref\" of a sealed value is a byte string")]
    Reference,
    /// The opening is for another value or salt.
    #[error("the opening does not match: its digest is {found}, sealed is {sealed}")]
    Mismatch {
        /// The digest of the opening.
        found: Digest,
        /// The digest in the record.
        sealed: Digest,
    },
}

impl Opening {
    /// Gives the commitment to this opening.
    #[must_use]
    pub fn seal(&self) -> Sealed {
        // records.md §1: "digest = SHA-256("govlog sealed v1" ‖ 0x00 ‖ 32-byte salt ‖ deterministic CBOR of the value)"
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(self.salt);
        hash.update(cbor::to_deterministic(&self.value));
        Sealed { digest: Digest::from_bytes(hash.finalize().into()), reference: None }
    }

    /// Gives the commitment to this opening, with a reference by which holders of `lookup_key` find it.
    #[must_use]
    pub fn seal_searchable(&self, lookup_key: &[u8]) -> Sealed {
        Sealed { reference: Some(reference(lookup_key, &self.value)), ..self.seal() }
    }
}

/// Gives the `ref` of a value under a tenant's lookup key.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "HMAC takes keys of every length")]
pub fn reference(lookup_key: &[u8], value: &Value) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(lookup_key).expect("HMAC takes keys of every length");
    mac.update(&cbor::to_deterministic(value));
    mac.finalize().into_bytes().to_vec()
}

impl Sealed {
    /// Checks that an opening is this commitment's.
    ///
    /// # Errors
    ///
    /// It is another value's, or has another salt.
    pub fn open(&self, opening: &Opening) -> Result<(), SealedError> {
        let found = opening.seal().digest;
        if found == self.digest { Ok(()) } else { Err(SealedError::Mismatch { found, sealed: self.digest }) }
    }

    /// Gives the CBOR form.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut map = vec![(Value::from("d"), Value::Bytes(self.digest.as_bytes().to_vec()))];
        if let Some(reference) = &self.reference {
            map.push((Value::from("ref"), Value::Bytes(reference.clone())));
        }
        Value::Tag(TAG, Box::new(Value::Map(map)))
    }

    /// Reads the CBOR form.
    ///
    /// # Errors
    ///
    /// There is no such tag, or it encloses something else.
    pub fn from_value(value: &Value) -> Result<Self, SealedError> {
        let Value::Tag(TAG, inner) = value else { return Err(SealedError::NoTag) };
        let Value::Map(pairs) = &**inner else { return Err(SealedError::NotAMap) };
        let mut digest = None;
        let mut reference = None;
        for (key, value) in pairs {
            match key.as_text() {
                Some("d") => digest = value.as_bytes().and_then(|bytes| Digest::from_slice(bytes)),
                Some("ref") => reference = Some(value.as_bytes().ok_or(SealedError::Reference)?.clone()),
                Some(other) => return Err(SealedError::UnknownKey(other.to_owned())),
                None => return Err(SealedError::NotAMap),
            }
        }
        Ok(Self { digest: digest.ok_or(SealedError::Digest)?, reference })
    }
}

#[cfg(test)]
mod tests;
