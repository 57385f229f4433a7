//! The kind `signing-key`: a step in the life of a key that signs credentials.

use ciborium::Value;

use super::body::{Body, Recorded};
use super::names::names;
use crate::digest::Digest;

names! {
    /// What became of a signing key.
    SigningKeyOp {
        /// It was made, and signs nothing yet.
        Prepared = "prepared",
        /// It signs.
        Active = "active",
        /// What it signed is to be replaced.
        Tainted = "tainted",
        /// What it signed is not good any more.
        Revoked = "revoked",
        /// Its time is over.
        Expired = "expired",
    }
}

/// A `signing-key` record.
#[derive(Clone, Debug, PartialEq)]
pub struct SigningKey(pub(super) Body);

impl SigningKey {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// What became of the key.
    #[must_use]
    pub fn op(&self) -> Recorded<SigningKeyOp> {
        self.0.text(&["op"]).and_then(SigningKeyOp::from_name)
    }

    /// The key's id, text or bytes, as credentials name it.
    #[must_use]
    pub fn key_id(&self) -> Recorded<&Value> {
        self.0.at(&["key_id"])
    }

    /// SHA-256 of its SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki_s256(&self) -> Recorded<Digest> {
        self.0.digest(&["spki_s256"])
    }
}
