//! The kind `finding`: what a check of the log found.

use super::body::{Body, Recorded};
use super::link::LinkTarget;
use super::names::names;

names! {
    /// How a check ended.
    Verdict {
        /// Everything is as it should be.
        Pass = "pass",
        /// Something is not.
        Fail = "fail",
        /// It could not be told.
        Unverifiable = "unverifiable",
        /// It cannot be told yet.
        Pending = "pending",
    }
}

/// A `finding` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding(pub(super) Body);

impl Finding {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// The check's id.
    #[must_use]
    pub fn check(&self) -> Recorded<&str> {
        self.0.text(&["check"])
    }

    /// How it ended.
    #[must_use]
    pub fn verdict(&self) -> Recorded<Verdict> {
        self.0.text(&["verdict"]).and_then(Verdict::from_name)
    }

    /// Whom it concerns.
    #[must_use]
    pub fn subject(&self) -> Recorded<&str> {
        self.0.text(&["subject"])
    }

    /// Who checked.
    #[must_use]
    pub fn auditor(&self) -> Recorded<&str> {
        self.0.text(&["auditor"])
    }

    /// The entries it rests on. Sealed ones are left out.
    #[must_use]
    pub fn entries(&self) -> Vec<LinkTarget> {
        self.0.link_targets(&["entries"])
    }
}
