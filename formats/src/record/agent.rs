//! The kind `agent`: an AI agent's identity.

use super::body::{Body, Recorded};
use crate::digest::Digest;

/// An `agent` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent(pub(super) Body);

impl Agent {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// The agent's id, the same through all its versions.
    #[must_use]
    pub fn agent_id(&self) -> Recorded<&str> {
        self.0.text(&["agent_id"])
    }

    /// Who answers for what it does.
    #[must_use]
    pub fn sponsor(&self) -> Recorded<&str> {
        self.0.text(&["sponsor"])
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> Recorded<&str> {
        self.0.text(&["version"])
    }

    /// The SPIFFE IDs it runs as. Sealed if any of them is.
    #[must_use]
    pub fn runs_as(&self) -> Recorded<Vec<&str>> {
        self.0.texts(&["runs_as"])
    }

    /// SHA-256 of its tools' descriptions as it gets them.
    #[must_use]
    pub fn tools_digest(&self) -> Recorded<Digest> {
        self.0.digest(&["tools_digest"])
    }

    /// SHA-256 of its standing instructions.
    #[must_use]
    pub fn system_prompt_digest(&self) -> Recorded<Digest> {
        self.0.digest(&["system_prompt_digest"])
    }
}
