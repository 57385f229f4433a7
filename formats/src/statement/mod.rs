//! Signed statements: the entries of a log (RFC 9943 §6).

use crate::cbor::CborError;
use crate::cose::{Algorithm, PublicKey, SigningKey, SignatureError};
use crate::digest::Digest;

/// A signed statement whose bytes obey every rule; its signature may not have been looked at yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedStatement;

/// The CWT claims of a statement (label 15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who signs: a URI.
    pub iss: String,
    /// What it is about.
    pub sub: String,
    /// The origin of the log it is meant for.
    pub aud: Option<String>,
    /// When it was signed, in seconds: a claim, not proof.
    pub iat: i64,
    /// Its place in a stream.
    pub stream: Option<StreamPosition>,
    /// SHA-256 of an archived note the signer had seen.
    pub head: Option<Digest>,
}

/// A statement's place in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPosition {
    /// The stream's name: 1–255 of `[A-Za-z0-9._-]`.
    pub stream: String,
    /// The position, from 0 without gaps, below 2^63.
    pub seq: u64,
    /// SHA-256 of the previous statement's `Sig_structure`; zero at 0.
    pub prev: Digest,
}

/// What names the key a statement is signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The key's thumbprint (label 4).
    Kid(Digest),
    /// A certificate chain, leaf first, each in DER (label 33).
    X5chain(Vec<Vec<u8>>),
}

/// What a statement to be signed says in its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementHeader {
    /// What the payload is.
    pub content: Content,
    /// The claims.
    pub claims: Claims,
}

/// What the payload of a statement to be signed is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The content itself, of this content type (label 3).
    Plain(String),
    /// The SHA-256 digest of the content (labels 258, 259, 260).
    HashEnvelope {
        /// The content type of what was hashed.
        content_type: String,
        /// Where it is.
        location: Option<String>,
    },
}

/// Why bytes are not a signed statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// The CBOR is not as it must be.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// The algorithm is not accepted.
    #[error("1 alg: {0} is not accepted; −7, −8, −9 and −19 are")]
    Algorithm(String),
    /// The statement is too large.
    #[error("the statement has {0} bytes, more than an entry may have")]
    TooLarge(usize),
    /// The payload is detached.
    #[error("the payload is detached (nil)")]
    Detached,
}

/// Why a statement's signature was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The key is not the one the header names.
    #[error("the header names key {named}, not {given}")]
    OtherKey {
        /// The thumbprint in the header.
        named: Digest,
        /// The thumbprint of the key that was given.
        given: Digest,
    },
    /// The signature does not verify.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl SignedStatement {
    /// Reads a submission: every rule on its bytes is checked, and its unprotected header is replaced by the empty map.
    ///
    /// # Errors
    ///
    /// [`StatementError`] names the offset or the field, and what would be right.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        let _ = bytes;
        unimplemented!()
    }

    /// Reads an entry of a log: as [`SignedStatement::parse`], and the unprotected header is already the empty map.
    ///
    /// # Errors
    ///
    /// As [`SignedStatement::parse`].
    pub fn parse_entry(bytes: &[u8]) -> Result<Self, StatementError> {
        let _ = bytes;
        unimplemented!()
    }

    /// Signs a payload under a header; `alg` and `kid` are the key's.
    ///
    /// # Errors
    ///
    /// [`StatementError`] when the header or the payload breaks a rule: no statement that a log refuses for its bytes is ever signed.
    pub fn sign(header: &StatementHeader, payload: &[u8], key: &SigningKey) -> Result<Self, StatementError> {
        let _ = (header, payload, key);
        unimplemented!()
    }

    /// Checks the signature under a key; with a `kid`, the key must be the one it names.
    ///
    /// # Errors
    ///
    /// [`VerifyError`].
    pub fn verify_signature(&self, key: &PublicKey) -> Result<(), VerifyError> {
        let _ = key;
        unimplemented!()
    }

    /// Returns the bytes that are logged: the statement with an empty unprotected header.
    #[must_use]
    pub fn entry(&self) -> &[u8] {
        unimplemented!()
    }

    /// Takes the bytes that are logged.
    #[must_use]
    pub fn into_entry(self) -> Vec<u8> {
        unimplemented!()
    }

    /// Computes the leaf hash of the entry.
    #[must_use]
    pub fn leaf_hash(&self) -> Digest {
        unimplemented!()
    }

    /// Returns SHA-256 of the `Sig_structure`: the statement's identity, and what the next one's `prev` holds.
    #[must_use]
    pub fn sig_structure_digest(&self) -> Digest {
        unimplemented!()
    }

    /// Returns the claims.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        unimplemented!()
    }

    /// Returns the algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        unimplemented!()
    }

    /// Returns what names the signing key.
    #[must_use]
    pub fn signer(&self) -> &Signer {
        unimplemented!()
    }

    /// Returns the content type: label 3, or 259 under a hash envelope.
    #[must_use]
    pub fn content_type(&self) -> &str {
        unimplemented!()
    }

    /// Returns the record kind when the content type is `application/vnd.govlog.<kind>+cbor`, else the content type.
    #[must_use]
    pub fn kind(&self) -> &str {
        unimplemented!()
    }

    /// Says whether the payload is only a digest.
    #[must_use]
    pub fn is_hash_envelope(&self) -> bool {
        unimplemented!()
    }

    /// Returns the payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        unimplemented!()
    }

    /// Returns the protected header's bytes.
    #[must_use]
    pub fn protected(&self) -> &[u8] {
        unimplemented!()
    }

    /// Returns the signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        unimplemented!()
    }
}

/// Returns the short kind of a content type `application/vnd.govlog.<kind>+cbor`.
#[must_use]
pub fn kind_of(content_type: &str) -> Option<&str> {
    let _ = content_type;
    unimplemented!()
}

/// Returns the content type of a kind: a kind without `/` stands for `application/vnd.govlog.<kind>+cbor`.
#[must_use]
pub fn content_type_of(kind: &str) -> String {
    let _ = kind;
    unimplemented!()
}
