//! The kind `policy`: a policy was published.

use ciborium::Value;

use super::body::{Body, Recorded};
use super::link::SchemeDigest;

/// A `policy` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy(pub(super) Body);

impl Policy {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// What evaluates it.
    #[must_use]
    pub fn engine(&self) -> Recorded<&str> {
        self.0.text(&["engine"])
    }

    /// The policy's name, without the version.
    #[must_use]
    pub fn name(&self) -> Recorded<&str> {
        self.0.text(&["name"])
    }

    /// The policy's URI.
    #[must_use]
    pub fn uri(&self) -> Recorded<&str> {
        self.0.text(&["uri"])
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

    /// As decisions name it.
    #[must_use]
    pub fn revision(&self) -> Recorded<&str> {
        self.0.text(&["revision"])
    }

    /// Who wrote it.
    #[must_use]
    pub fn author(&self) -> Recorded<&str> {
        self.0.text(&["author"])
    }

    /// Who approved it. Sealed if any of them is.
    #[must_use]
    pub fn approvers(&self) -> Recorded<Vec<&str>> {
        self.0.texts(&["approvers"])
    }

    /// The policy itself.
    #[must_use]
    pub fn content(&self) -> Recorded<&Value> {
        self.0.at(&["content"])
    }
}
