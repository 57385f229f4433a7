//! The kind `federation`: a trust domain's bundle, or what was agreed with that domain.

use super::body::{Body, Recorded};
use super::link::SchemeDigest;
use super::names::names;

names! {
    /// What became of a relationship between trust domains.
    FederationOp {
        /// It began.
        Add = "add",
        /// It was changed.
        Change = "change",
        /// It ended.
        Remove = "remove",
        /// Nothing: the bundle is as found.
        Observe = "observe",
    }
}

/// A `federation` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Federation(pub(super) Body);

impl Federation {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// What became of it.
    #[must_use]
    pub fn op(&self) -> Recorded<FederationOp> {
        self.0.text(&["op"]).and_then(FederationOp::from_name)
    }

    /// The trust domain this is about.
    #[must_use]
    pub fn domain(&self) -> Recorded<&str> {
        self.0.text(&["domain"])
    }

    /// The digest of the bundle's exact bytes.
    #[must_use]
    pub fn bundle_digest(&self) -> Recorded<SchemeDigest> {
        self.0.scheme_digest(&["bundle_digest"])
    }

    /// The bundle's sequence number.
    #[must_use]
    pub fn sequence(&self) -> Recorded<u64> {
        self.0.uint(&["sequence"])
    }

    /// Where the bundle is served.
    #[must_use]
    pub fn endpoint_url(&self) -> Recorded<&str> {
        self.0.text(&["endpoint_url"])
    }

    /// Who fetched it.
    #[must_use]
    pub fn observer(&self) -> Recorded<&str> {
        self.0.text(&["observer"])
    }
}
