//! The kind `observation`: a credential seen in use, or a bundle or a log's head as somebody was shown it.

use super::body::{Body, Recorded};
use super::link::SchemeDigest;

/// An `observation` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation(pub(super) Body);

impl Observation {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// What was seen: `credential`, `bundle`, `log-head`, as a rule.
    #[must_use]
    pub fn observed(&self) -> Recorded<&str> {
        self.0.text(&["observed"])
    }

    /// The SPIFFE ID in the credential seen.
    #[must_use]
    pub fn subject(&self) -> Recorded<&str> {
        self.0.text(&["subject"])
    }

    /// The leaf certificate's DER.
    #[must_use]
    pub fn certificate(&self) -> Recorded<&[u8]> {
        self.0.bytes(&["certificate"])
    }

    /// The trust domain of the bundle seen.
    #[must_use]
    pub fn domain(&self) -> Recorded<&str> {
        self.0.text(&["domain"])
    }

    /// The digest of that bundle.
    #[must_use]
    pub fn bundle_digest(&self) -> Recorded<SchemeDigest> {
        self.0.scheme_digest(&["bundle_digest"])
    }

    /// The checkpoint note's exact bytes.
    #[must_use]
    pub fn note(&self) -> Recorded<&[u8]> {
        self.0.bytes(&["note"])
    }

    /// Who saw it.
    #[must_use]
    pub fn observer(&self) -> Recorded<&str> {
        self.0.text(&["observer"])
    }
}
