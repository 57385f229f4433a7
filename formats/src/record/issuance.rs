//! The kind `issuance`: a credential that was asked for, signed, handed out or refused.

use super::body::{Body, Recorded};
use super::link::SchemeDigest;
use super::names::names;
use crate::digest::Digest;

names! {
    /// How far an issuance got.
    Stage {
        /// It is about to be signed.
        Intent = "intent",
        /// It has been signed.
        Signed = "signed",
        /// It has been handed out.
        Issued = "issued",
        /// It was refused.
        Denied = "denied",
    }
}

names! {
    /// What the use of a credential proves.
    Possession {
        /// The user holds its key.
        Key = "key",
        /// Nothing: whoever has it can use it.
        Bearer = "bearer",
    }
}

/// An `issuance` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Issuance(pub(super) Body);

impl Issuance {
    /// All fields, the untyped ones too; [`Body::handles`] gives the credential's handles.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// How far it got.
    #[must_use]
    pub fn stage(&self) -> Recorded<Stage> {
        self.0.text(&["stage"]).and_then(Stage::from_name)
    }

    /// What was issued, one of [`super::CREDENTIAL_TYPES`] as a rule.
    #[must_use]
    pub fn credential_type(&self) -> Recorded<&str> {
        self.0.text(&["credential_type"])
    }

    /// Whom it was issued for.
    #[must_use]
    pub fn subject(&self) -> Recorded<&str> {
        self.0.text(&["subject"])
    }

    /// From when and until when the credential says it is valid: POSIX milliseconds.
    #[must_use]
    pub fn validity_ms(&self) -> (Recorded<u64>, Recorded<u64>) {
        (self.0.uint(&["not_before_ms"]), self.0.uint(&["not_after_ms"]))
    }

    /// What its use proves.
    #[must_use]
    pub fn possession(&self) -> Recorded<Possession> {
        self.0.text(&["possession"]).and_then(Possession::from_name)
    }

    /// The registration entry it was issued under.
    #[must_use]
    pub fn entry_digest(&self) -> Recorded<Digest> {
        self.0.digest(&["entry_digest"])
    }

    /// The policy that says what its holder is governed to do.
    #[must_use]
    pub fn policy_digest(&self) -> Recorded<SchemeDigest> {
        self.0.scheme_digest(&["governance", "policy_digest"])
    }
}
