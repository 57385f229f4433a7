//! The kind `registration`: a registration entry was made, changed or removed, or is as found.

use super::body::{Body, Recorded};
use super::names::names;
use crate::digest::Digest;

names! {
    /// What became of a registration entry.
    RegistrationOp {
        /// It was made.
        Create = "create",
        /// It was changed.
        Update = "update",
        /// It was removed.
        Delete = "delete",
        /// Nothing: it is as found.
        Snapshot = "snapshot",
    }
}

/// A `registration` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration(pub(super) Body);

impl Registration {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// What became of the entry.
    #[must_use]
    pub fn op(&self) -> Recorded<RegistrationOp> {
        self.0.text(&["op"]).and_then(RegistrationOp::from_name)
    }

    /// The entry's id, as its registry calls it.
    #[must_use]
    pub fn entry_id(&self) -> Recorded<&str> {
        self.0.text(&["entry_id"])
    }

    /// Its revision after this.
    #[must_use]
    pub fn revision(&self) -> Recorded<u64> {
        self.0.uint(&["revision"])
    }

    /// The SPIFFE ID that it gives.
    #[must_use]
    pub fn subject(&self) -> Recorded<&str> {
        self.0.text(&["subject"])
    }

    /// The SPIFFE ID that may ask for it.
    #[must_use]
    pub fn parent(&self) -> Recorded<&str> {
        self.0.text(&["parent"])
    }

    /// The digest of the entry at this revision, canonical.
    #[must_use]
    pub fn entry_digest(&self) -> Recorded<Digest> {
        self.0.digest(&["entry_digest"])
    }
}
