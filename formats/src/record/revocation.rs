//! The kind `revocation`: something stopped being good before its time.

use ciborium::Value;

use super::body::{Body, Recorded};
use super::link::LinkTarget;
use super::names::names;

names! {
    /// What was revoked.
    TargetType {
        /// A credential.
        Credential = "credential",
        /// A key of a workload.
        Key = "key",
        /// A registration entry.
        Entry = "entry",
        /// An agent: of a node, or an AI agent.
        Agent = "agent",
        /// A delegation.
        Delegation = "delegation",
        /// A policy.
        Policy = "policy",
        /// A key that signs credentials.
        IssuerKey = "issuer-key",
        /// All of a trust domain.
        TrustDomain = "trust-domain",
    }
}

/// A `revocation` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Revocation(pub(super) Body);

/// What was revoked.
#[derive(Clone, Debug, PartialEq)]
pub enum RevocationTarget {
    /// What an entry records, or a handle names.
    Link(LinkTarget),
    /// What a URI or an id names.
    Id(String),
}

impl Revocation {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// What the target is.
    #[must_use]
    pub fn target_type(&self) -> Recorded<TargetType> {
        self.0.text(&["target_type"]).and_then(TargetType::from_name)
    }

    /// The target. Absent where a part of it is sealed.
    #[must_use]
    pub fn target(&self) -> Recorded<RevocationTarget> {
        self.0.at(&["target"]).and_then(RevocationTarget::from_value)
    }

    /// From when it is not good any more: POSIX milliseconds.
    #[must_use]
    pub fn effective_ms(&self) -> Recorded<u64> {
        self.0.uint(&["effective_ms"])
    }

    /// Whom it was good for.
    #[must_use]
    pub fn subject(&self) -> Recorded<&str> {
        self.0.text(&["subject"])
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> Recorded<&str> {
        self.0.text(&["reason"])
    }

    /// By when every enforcement point must follow: POSIX milliseconds.
    #[must_use]
    pub fn propagate_by_ms(&self) -> Recorded<u64> {
        self.0.uint(&["propagate_by_ms"])
    }

    /// What it was decided upon.
    #[must_use]
    pub fn cause(&self) -> Recorded<LinkTarget> {
        self.0.link_target(&["cause"])
    }
}

impl RevocationTarget {
    /// Reads the CBOR form; `None` if it is another, or a part is sealed.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Self> {
        match value.as_map()?.as_slice() {
            [(key, id)] if key.as_text() == Some("id") => id.as_text().map(|id| Self::Id(id.to_owned())),
            _ => LinkTarget::from_value(value).map(Self::Link),
        }
    }

    /// Gives the CBOR form.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Link(target) => target.to_value(),
            Self::Id(id) => Value::Map(vec![("id".into(), id.as_str().into())]),
        }
    }
}
