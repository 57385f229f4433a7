//! The kind `custody`: evidence was exported, handed over, acknowledged, put on hold or released.

use super::body::{Body, Recorded};
use super::link::LinkTarget;
use super::names::names;
use crate::digest::Digest;

names! {
    /// What was done with evidence.
    CustodyOp {
        /// It was written into a custody file.
        Export = "export",
        /// A custody file was given to somebody.
        HandOver = "hand-over",
        /// Somebody got it.
        Acknowledge = "acknowledge",
        /// It must not be destroyed from now on.
        Hold = "hold",
        /// It may be destroyed again.
        Release = "release",
    }
}

/// A `custody` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Custody(pub(super) Body);

impl Custody {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// What was done.
    #[must_use]
    pub fn op(&self) -> Recorded<CustodyOp> {
        self.0.text(&["op"]).and_then(CustodyOp::from_name)
    }

    /// What joins the steps of one matter.
    #[must_use]
    pub fn case(&self) -> Recorded<&str> {
        self.0.text(&["case"])
    }

    /// SHA-256 of the custody file's manifest.
    #[must_use]
    pub fn manifest_digest(&self) -> Recorded<Digest> {
        self.0.digest(&["manifest_digest"])
    }

    /// The entries held or exported. Sealed ones are left out.
    #[must_use]
    pub fn entries(&self) -> Vec<LinkTarget> {
        self.0.link_targets(&["entries"])
    }

    /// When a hold ends by itself: POSIX milliseconds.
    #[must_use]
    pub fn until_ms(&self) -> Recorded<u64> {
        self.0.uint(&["until_ms"])
    }

    /// Who collected it.
    #[must_use]
    pub fn collector(&self) -> Recorded<&str> {
        self.0.text(&["collector"])
    }

    /// Who gets it, or got it.
    #[must_use]
    pub fn recipient(&self) -> Recorded<&str> {
        self.0.text(&["recipient"])
    }
}
