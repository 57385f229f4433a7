//! A statement before it is signed: what a signature would cover, byte for byte, so that it can be shown and agreed to first.

use super::{Claims, SignedStatement, Signer, StatementError, StatementHeader};
use crate::cose::{SigningKey, encode_sign1, sig_structure};
use crate::digest::Digest;

/// A statement that breaks no rule and lacks only its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedStatement {
    /// With a signature of zeros, which the identity does not cover.
    draft: SignedStatement,
}

impl UnsignedStatement {
    /// Writes the header for a key, whose algorithm and thumbprint it names.
    ///
    /// # Errors
    ///
    /// [`StatementError`] when the header or the payload breaks a rule.
    pub fn new(header: &StatementHeader, payload: &[u8], key: &SigningKey) -> Result<Self, StatementError> {
        let protected = header.encode(key.algorithm(), &Signer::Kid(key.public().thumbprint()));
        let entry = encode_sign1(&protected, super::EMPTY_MAP, Some(payload), &[0; 64]);
        Ok(Self { draft: SignedStatement::parse_entry(&entry)? })
    }

    /// Signs exactly these bytes. With another key than they were written for, nobody can verify the result.
    ///
    /// # Errors
    ///
    /// With its signature the statement is larger than an entry may be. Everything else was excluded before.
    pub fn sign(&self, key: &SigningKey) -> Result<SignedStatement, StatementError> {
        let (protected, payload) = (self.draft.protected(), self.draft.payload());
        let signature = key.sign(&sig_structure(protected, payload));
        SignedStatement::parse_entry(&encode_sign1(protected, super::EMPTY_MAP, Some(payload), &signature))
    }

    /// Returns SHA-256 of the `Sig_structure`: the identity that the statement will have.
    #[must_use]
    pub const fn sig_structure_digest(&self) -> Digest {
        self.draft.sig_structure_digest()
    }

    /// Returns the claims.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        self.draft.claims()
    }

    /// Returns the record kind, or the content type.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.draft.kind()
    }

    /// Returns the payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.draft.payload()
    }

    /// Returns the protected header's bytes.
    #[must_use]
    pub fn protected(&self) -> &[u8] {
        self.draft.protected()
    }
}
