//! The kind `delegation`: somebody let another act in their name, within limits.

use ciborium::Value;

use super::body::{Body, Recorded};
use super::link::LinkTarget;

/// A `delegation` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Delegation(pub(super) Body);

impl Delegation {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// In whose name.
    #[must_use]
    pub fn delegator(&self) -> Recorded<&str> {
        self.0.text(&["delegator", "id"])
    }

    /// Who may act.
    #[must_use]
    pub fn delegate(&self) -> Recorded<&str> {
        self.0.text(&["delegate", "id"])
    }

    /// What kind of party may act: user, workload, agent.
    #[must_use]
    pub fn delegate_type(&self) -> Recorded<&str> {
        self.0.text(&["delegate", "type"])
    }

    /// The delegation this one derives from.
    #[must_use]
    pub fn parent(&self) -> Recorded<LinkTarget> {
        self.0.link_target(&["parent"])
    }

    /// What was granted. Sealed if any part is.
    #[must_use]
    pub fn scope(&self) -> Recorded<Vec<&str>> {
        self.0.texts(&["scope"])
    }

    /// From when and until when it may be used: POSIX milliseconds.
    #[must_use]
    pub fn validity_ms(&self) -> (Recorded<u64>, Recorded<u64>) {
        (self.0.uint(&["not_before_ms"]), self.0.uint(&["expires_ms"]))
    }

    /// How many further delegations may follow one another.
    #[must_use]
    pub fn max_hops(&self) -> Recorded<u64> {
        self.0.uint(&["max_hops"])
    }

    /// Whether the delegate may delegate further.
    #[must_use]
    pub fn redelegation(&self) -> Recorded<bool> {
        self.0.at(&["redelegation"]).and_then(Value::as_bool)
    }

    /// The consent or approval it rests on.
    #[must_use]
    pub fn consent(&self) -> Recorded<LinkTarget> {
        self.0.link_target(&["consent"])
    }
}
