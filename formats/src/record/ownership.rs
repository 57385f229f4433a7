//! The kind `ownership`: who answers for an identity, or for all below a path.

use super::body::{Body, Recorded};

/// An `ownership` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Ownership(pub(super) Body);

impl Ownership {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// The SPIFFE ID; where it ends in `/`, all that begin with it.
    #[must_use]
    pub fn prefix(&self) -> Recorded<&str> {
        self.0.text(&["prefix"])
    }

    /// Who answers for it.
    #[must_use]
    pub fn owner(&self) -> Recorded<&str> {
        self.0.text(&["owner"])
    }

    /// Who sees to what a role names, as `attestation`, `policy`, `evidence`.
    #[must_use]
    pub fn role(&self, name: &str) -> Recorded<&str> {
        self.0.text(&["roles", name])
    }

    /// When it is to be looked at again: POSIX milliseconds.
    #[must_use]
    pub fn review_ms(&self) -> Recorded<u64> {
        self.0.uint(&["review_ms"])
    }

    /// When the owner leaves, or left: POSIX milliseconds.
    #[must_use]
    pub fn offboard_ms(&self) -> Recorded<u64> {
        self.0.uint(&["offboard_ms"])
    }
}
