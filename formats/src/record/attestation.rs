//! The kind `attestation`: a node or workload gave evidence of what it is.

use super::body::{Body, Recorded};
use super::link::SchemeDigest;
use super::names::names;
use crate::digest::Digest;

names! {
    /// What the verifier made of evidence.
    AttestationResult {
        /// It shows what it was given for.
        Accepted = "accepted",
        /// It does not.
        Refused = "refused",
        /// It could not be judged.
        Error = "error",
    }
}

names! {
    /// What evidence rests on.
    Strength {
        /// A key that hardware keeps.
        Hardware = "hardware",
        /// The word of the platform, signed.
        PlatformSigned = "platform-signed",
        /// Possession of a key.
        Pop = "pop",
        /// A secret that whoever has it can use.
        Bearer = "bearer",
    }
}

/// An `attestation` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Attestation(pub(super) Body);

impl Attestation {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// The attested party.
    #[must_use]
    pub fn subject(&self) -> Recorded<&str> {
        self.0.text(&["subject"])
    }

    /// How it was attested.
    #[must_use]
    pub fn method(&self) -> Recorded<&str> {
        self.0.text(&["method"])
    }

    /// What the verifier made of it.
    #[must_use]
    pub fn result(&self) -> Recorded<AttestationResult> {
        self.0.text(&["result"]).and_then(AttestationResult::from_name)
    }

    /// What the evidence rests on.
    #[must_use]
    pub fn strength(&self) -> Recorded<Strength> {
        self.0.text(&["strength"]).and_then(Strength::from_name)
    }

    /// SHA-256 of the evidence.
    #[must_use]
    pub fn evidence_digest(&self) -> Recorded<Digest> {
        self.0.digest(&["evidence_digest"])
    }

    /// The digest of the appraisal policy.
    #[must_use]
    pub fn policy_digest(&self) -> Recorded<SchemeDigest> {
        self.0.scheme_digest(&["policy_digest"])
    }

    /// Until when it counts as fresh: POSIX milliseconds.
    #[must_use]
    pub fn fresh_ms(&self) -> Recorded<u64> {
        self.0.uint(&["fresh_ms"])
    }
}
