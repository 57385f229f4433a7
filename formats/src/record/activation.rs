//! The kind `activation`: a PDP put a policy in force, or took it out of force.

use super::body::{Body, Recorded};
use super::link::SchemeDigest;
use super::names::names;

names! {
    /// What a PDP did with a policy.
    ActivationOp {
        /// It put it in force.
        Activate = "activate",
        /// It took it out of force.
        Retire = "retire",
    }
}

/// An `activation` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Activation(pub(super) Body);

impl Activation {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// What the PDP did.
    #[must_use]
    pub fn op(&self) -> Recorded<ActivationOp> {
        self.0.text(&["op"]).and_then(ActivationOp::from_name)
    }

    /// The PDP's instance.
    #[must_use]
    pub fn pdp(&self) -> Recorded<&str> {
        self.0.text(&["pdp"])
    }

    /// The policy's digest.
    #[must_use]
    pub fn policy_digest(&self) -> Recorded<SchemeDigest> {
        self.0.scheme_digest(&["policy_digest"])
    }

    /// The digest of the bundle it came in.
    #[must_use]
    pub fn bundle_digest(&self) -> Recorded<SchemeDigest> {
        self.0.scheme_digest(&["bundle_digest"])
    }

    /// As the PDP reports it.
    #[must_use]
    pub fn revision(&self) -> Recorded<&str> {
        self.0.text(&["revision"])
    }

    /// Since when and until when it is in force: POSIX milliseconds.
    #[must_use]
    pub fn in_force_ms(&self) -> (Recorded<u64>, Recorded<u64>) {
        (self.0.uint(&["from_ms"]), self.0.uint(&["to_ms"]))
    }
}
