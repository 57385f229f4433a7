//! The kind `effect`: what became of a decision, or what was done without one.

use super::body::{Body, Recorded};
use super::names::names;

names! {
    /// What became of the operation.
    Outcome {
        /// It was done.
        Performed = "performed",
        /// It was held back.
        Blocked = "blocked",
        /// It was tried and failed.
        Failed = "failed",
        /// A part of it was done.
        Partial = "partial",
    }
}

/// An `effect` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect(pub(super) Body);

impl Effect {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// The id of the decision carried out; absent: none is known.
    #[must_use]
    pub fn decision_id(&self) -> Recorded<&str> {
        self.0.text(&["decision_id"])
    }

    /// Who issued that decision. `statement_iss`: the effect's own `iss`, which stands for it when none is recorded.
    #[must_use]
    pub fn decision_iss<'a>(&'a self, statement_iss: &'a str) -> Recorded<&'a str> {
        match self.0.text(&["decision_iss"]) {
            Recorded::Absent => Recorded::Present(statement_iss),
            recorded => recorded,
        }
    }

    /// What became of the operation.
    #[must_use]
    pub fn outcome(&self) -> Recorded<Outcome> {
        self.0.text(&["outcome"]).and_then(Outcome::from_name)
    }

    /// The workload that acted.
    #[must_use]
    pub fn performer(&self) -> Recorded<&str> {
        self.0.text(&["performer"])
    }

    /// When it began and ended, as claimed: POSIX milliseconds.
    #[must_use]
    pub fn time_ms(&self) -> (Recorded<u64>, Recorded<u64>) {
        (self.0.uint(&["start_ms"]), self.0.uint(&["end_ms"]))
    }
}
