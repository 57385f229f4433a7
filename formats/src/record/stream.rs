//! The kind `stream`: a stream of statements says of itself that it begins, goes on or ends.

use super::body::{Body, Recorded};
use super::names::names;
use crate::digest::Digest;

names! {
    /// What a stream says of itself.
    StreamOp {
        /// It begins.
        Open = "open",
        /// It goes on, with something to tell or without.
        Heartbeat = "heartbeat",
        /// It ends: no statement follows.
        Close = "close",
    }
}

/// A `stream` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream(pub(super) Body);

impl Stream {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// What the stream says of itself.
    #[must_use]
    pub fn op(&self) -> Recorded<StreamOp> {
        self.0.text(&["op"]).and_then(StreamOp::from_name)
    }

    /// The source's instance whose events the stream carries.
    #[must_use]
    pub fn instance(&self) -> Recorded<&str> {
        self.0.text(&["instance"])
    }

    /// The stream this one continues.
    #[must_use]
    pub fn predecessor(&self) -> Recorded<&str> {
        self.0.text(&["predecessor"])
    }

    /// The position after this record's own, as claimed: the statement's header is what says where it stands.
    #[must_use]
    pub fn next_seq(&self) -> Recorded<u64> {
        self.0.uint(&["next_seq"])
    }

    /// A counter by its name, as `received`. Those by reason are had from [`Self::dropped`].
    #[must_use]
    pub fn counter(&self, name: &str) -> Recorded<u64> {
        self.0.uint(&["counters", name])
    }

    /// How many of the source's events were dropped for a reason.
    #[must_use]
    pub fn dropped(&self, reason: &str) -> Recorded<u64> {
        self.0.uint(&["counters", "dropped", reason])
    }

    /// The digest of the archived checkpoint note that had been seen.
    #[must_use]
    pub fn head(&self) -> Recorded<Digest> {
        self.0.digest(&["head"])
    }
}
