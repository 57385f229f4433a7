//! The kind `decision-batch`: many decisions under one root.

use ciborium::Value;

use super::body::{Body, Recorded};
use super::decision::{DecisionResult, PolicyRef};
use super::link::SchemeDigest;
use crate::digest::Digest;

/// A `decision-batch` record.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionBatch(pub(super) Body);

/// How many decisions of a batch have all of this in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchCount {
    /// What was decided.
    pub result: DecisionResult,
    /// How many.
    pub count: u64,
    /// The policies that decided.
    pub policies: Vec<PolicyRef>,
    /// The subject's id.
    pub subject: Option<String>,
}

impl DecisionBatch {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// How many decisions.
    #[must_use]
    pub fn count(&self) -> Recorded<u64> {
        self.0.uint(&["count"])
    }

    /// The Merkle root over the decisions' payload bytes.
    #[must_use]
    pub fn root(&self) -> Recorded<Digest> {
        self.0.digest(&["root"])
    }

    /// Who decided.
    #[must_use]
    pub fn pdp(&self) -> Recorded<&str> {
        self.0.text(&["pdp"])
    }

    /// Who asked for it to be decided.
    #[must_use]
    pub fn pep(&self) -> Recorded<&str> {
        self.0.text(&["pep"])
    }

    /// The least and the greatest `event_ms` among the decisions: POSIX milliseconds.
    #[must_use]
    pub fn time_ms(&self) -> (Recorded<u64>, Recorded<u64>) {
        (self.0.uint(&["from_ms"]), self.0.uint(&["to_ms"]))
    }

    /// The numbers of the first and the last decision in the source's own sequence.
    #[must_use]
    pub fn source_range(&self) -> (Recorded<u64>, Recorded<u64>) {
        (self.0.uint(&["first"]), self.0.uint(&["last"]))
    }

    /// The digest of the capture rule that let them be batched.
    #[must_use]
    pub fn capture(&self) -> Recorded<SchemeDigest> {
        self.0.scheme_digest(&["capture"])
    }

    /// How many of which. Sealed ones, and those with a sealed result or count, are left out.
    #[must_use]
    pub fn counts(&self) -> Vec<BatchCount> {
        let Recorded::Present(Value::Array(counts)) = self.0.at(&["counts"]) else { return Vec::new() };
        counts.iter().filter_map(BatchCount::from_value).collect()
    }
}

impl BatchCount {
    fn from_value(value: &Value) -> Option<Self> {
        let count = Body::of_checked(value.as_map()?.clone());
        Some(Self {
            result: count.text(&["result"]).and_then(DecisionResult::from_name).present()?,
            count: count.uint(&["count"]).present()?,
            policies: PolicyRef::list(&count.at(&["policies"])),
            subject: count.text(&["subject"]).present().map(str::to_owned),
        })
    }
}
