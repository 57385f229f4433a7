//! Signed statements: the entries of a log (RFC 9943 §6).
//!
//! [`SignedStatement::parse`] checks every rule that can be seen in the bytes, so that whoever has a `SignedStatement` need not ask
//! again. Whether its signature is good and whether a log admits it are other questions: [`SignedStatement::verify_signature`] and
//! `admission`.

mod error;
mod header;
mod kind;
mod record;
mod sign;
mod unsigned;

#[cfg(test)]
mod tests;

use core::ops::Range;

pub use error::{Field, StatementError, VerifyError};
pub use header::{Claims, Signer, StreamPosition};
pub use kind::{content_type_of, kind_of};
pub use sign::{Content, StatementHeader};
pub use unsigned::UnsignedStatement;

use crate::cbor::Rules;
use crate::cose::{Algorithm, PublicKey, Sign1, sig_structure};
use crate::digest::Digest;
use crate::limits::{MAX_ENTRY_BYTES, MAX_SUBMISSION_BYTES};
use crate::merkle;

/// The unprotected header of an entry: the empty map.
const EMPTY_MAP: &[u8] = &[0xa0];

/// A signed statement whose bytes obey every rule; its signature may not have been looked at yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedStatement {
    entry: Vec<u8>,
    protected: Range<usize>,
    payload: Range<usize>,
    signature: Range<usize>,
    header: header::Header,
    identity: Digest,
}

impl SignedStatement {
    /// Reads a submission: every rule on its bytes is checked, and its unprotected header is replaced by the empty map.
    ///
    /// # Errors
    ///
    /// [`StatementError`] names the offset or the field, and what would be right.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        Self::parse_within(bytes, MAX_SUBMISSION_BYTES)
    }

    /// Reads an entry of a log: as [`SignedStatement::parse`], and the unprotected header is already the empty map.
    ///
    /// # Errors
    ///
    /// As [`SignedStatement::parse`].
    pub fn parse_entry(bytes: &[u8]) -> Result<Self, StatementError> {
        let statement = Self::parse_within(bytes, MAX_ENTRY_BYTES)?;
        if statement.entry == bytes { Ok(statement) } else { Err(StatementError::UnprotectedNotEmpty) }
    }

    /// Reads a statement with an unprotected header that may take as much room as `most` bytes in all leave for it.
    pub(crate) fn parse_within(bytes: &[u8], most: usize) -> Result<Self, StatementError> {
        if bytes.len() > most {
            return Err(StatementError::TooLarge { bytes: bytes.len(), most });
        }
        let parts = Sign1::read(bytes, Rules::Protected)?;
        // "The 65,535 bound counts after that": after the unprotected map is replaced by `a0`.
        let entry_len = bytes.len() - parts.unprotected.bytes().len() + EMPTY_MAP.len();
        if entry_len > MAX_ENTRY_BYTES {
            return Err(StatementError::TooLarge { bytes: entry_len, most: MAX_ENTRY_BYTES });
        }
        let (payload, payload_at) = parts.payload.ok_or(StatementError::Detached)?;
        let header = header::read(&parts)?;
        header::check_unprotected(&parts, &header)?;
        if header.is_hash_envelope {
            record::check_digest(payload, payload_at)?;
        } else if kind::is_record(&header.content_type) {
            record::check(payload, payload_at)?;
        }
        Ok(Self::new(bytes, &parts, header))
    }

    fn new(bytes: &[u8], parts: &Sign1<'_>, header: header::Header) -> Self {
        let (map, (payload, payload_at)) = (parts.unprotected, parts.payload.unwrap_or_default());
        let map_end = map.offset() + map.bytes().len();
        let head = bytes.get(..map.offset()).unwrap_or_default();
        let tail = bytes.get(map_end..).unwrap_or_default();
        let moved = |at: usize| at + EMPTY_MAP.len() - map.bytes().len();
        Self {
            entry: [head, EMPTY_MAP, tail].concat(),
            protected: span(parts.protected.0, parts.protected.1),
            payload: span(payload, moved(payload_at)),
            signature: span(parts.signature.0, moved(parts.signature.1)),
            header,
            identity: Digest::sha256(&sig_structure(parts.protected.0, payload)),
        }
    }

    /// Checks the signature under a key; with a `kid`, the key must be the one it names.
    ///
    /// # Errors
    ///
    /// [`VerifyError`].
    pub fn verify_signature(&self, key: &PublicKey) -> Result<(), VerifyError> {
        if let Signer::Kid(named) = self.header.signer {
            let given = key.thumbprint();
            if named != given {
                return Err(VerifyError::OtherKey { named, given });
            }
        }
        let message = sig_structure(self.protected(), self.payload());
        Ok(key.verify(self.header.algorithm, &message, self.signature())?)
    }

    /// Returns the bytes that are logged: the statement with an empty unprotected header.
    #[must_use]
    pub fn entry(&self) -> &[u8] {
        &self.entry
    }

    /// Takes the bytes that are logged.
    #[must_use]
    pub fn into_entry(self) -> Vec<u8> {
        self.entry
    }

    /// Computes the leaf hash of the entry.
    #[must_use]
    pub fn leaf_hash(&self) -> Digest {
        merkle::leaf_hash(&self.entry)
    }

    /// Returns SHA-256 of the `Sig_structure`: the statement's identity, and what the next one's `prev` holds.
    ///
    /// Never of the signature: anyone can alter an ECDSA signature into another one that verifies.
    #[must_use]
    pub const fn sig_structure_digest(&self) -> Digest {
        self.identity
    }

    /// Returns the claims.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.header.claims
    }

    /// Returns the algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.header.algorithm
    }

    /// Returns what names the signing key.
    #[must_use]
    pub const fn signer(&self) -> &Signer {
        &self.header.signer
    }

    /// Returns the content type: label 3, or 259 under a hash envelope.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.header.content_type
    }

    /// Returns the record kind when the content type is `application/vnd.govlog.<kind>+cbor`, else the content type.
    #[must_use]
    pub fn kind(&self) -> &str {
        kind_of(self.content_type()).unwrap_or_else(|| self.content_type())
    }

    /// Says whether the payload is only a digest.
    #[must_use]
    pub const fn is_hash_envelope(&self) -> bool {
        self.header.is_hash_envelope
    }

    /// Returns where the hashed content is said to be (label 260).
    #[must_use]
    pub fn payload_location(&self) -> Option<&str> {
        self.header.location.as_deref()
    }

    /// Returns the payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.entry.get(self.payload.clone()).unwrap_or_default()
    }

    /// Returns the protected header's bytes.
    #[must_use]
    pub fn protected(&self) -> &[u8] {
        self.entry.get(self.protected.clone()).unwrap_or_default()
    }

    /// Returns the signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        self.entry.get(self.signature.clone()).unwrap_or_default()
    }
}

const fn span(bytes: &[u8], at: usize) -> Range<usize> {
    at..at + bytes.len()
}
