//! The kind `anchor`: another log's checkpoint or proof, or the epoch of this log before or after this one.

use super::body::{Body, Recorded};
use super::names::names;

names! {
    /// What the other log is to this one.
    AnchorRelation {
        /// Another log.
        OtherLog = "other-log",
        /// This log's epoch before this one.
        PreviousEpoch = "previous-epoch",
        /// This log's epoch after this one.
        NextEpoch = "next-epoch",
    }
}

/// An `anchor` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Anchor(pub(super) Body);

impl Anchor {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// What the other log is to this one.
    #[must_use]
    pub fn relation(&self) -> Recorded<AnchorRelation> {
        self.0.text(&["relation"]).and_then(AnchorRelation::from_name)
    }

    /// The other log's origin.
    #[must_use]
    pub fn origin(&self) -> Recorded<&str> {
        self.0.text(&["origin"])
    }

    /// Its number, where it is an epoch of this log.
    #[must_use]
    pub fn epoch(&self) -> Recorded<u64> {
        self.0.uint(&["epoch"])
    }

    /// Its checkpoint note's exact bytes.
    #[must_use]
    pub fn note(&self) -> Recorded<&[u8]> {
        self.0.bytes(&["note"])
    }

    /// The proof's exact bytes.
    #[must_use]
    pub fn proof(&self) -> Recorded<&[u8]> {
        self.0.bytes(&["proof"])
    }
}
