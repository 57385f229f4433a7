//! The kind `redaction`: openings of sealed values were destroyed.

use ciborium::Value;

use super::body::{Body, Recorded, as_digest, as_u64};
use super::link::{LinkTarget, SchemeDigest};
use super::names::names;
use crate::digest::Digest;

names! {
    /// What asked for a redaction.
    RedactionRule {
        /// The time to keep it was over.
        Retention = "retention",
        /// Somebody whose data it was.
        ErasureRequest = "erasure-request",
        /// A court or an authority.
        Order = "order",
    }
}

names! {
    /// How much of an entry cannot be opened any more.
    RedactionExtent {
        /// Nothing of it can be opened.
        All = "all",
        /// The named fields cannot.
        Fields = "fields",
        /// The named members of a batch cannot.
        Members = "members",
    }
}

/// A `redaction` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Redaction(pub(super) Body);

/// What of one entry cannot be opened any more.
#[derive(Clone, Debug, PartialEq)]
pub struct RedactionTarget {
    /// The entry.
    pub target: LinkTarget,
    /// How much of it.
    pub extent: RedactionExtent,
    /// JSON pointers into the record's view, to the sealed values.
    pub fields: Vec<String>,
    /// The places of a batch's members, from 0.
    pub members: Vec<u64>,
    /// The commitments that cannot be opened.
    pub digests: Vec<Digest>,
}

impl Redaction {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// What asked for it.
    #[must_use]
    pub fn rule(&self) -> Recorded<RedactionRule> {
        self.0.text(&["rule"]).and_then(RedactionRule::from_name)
    }

    /// What was destroyed, entry by entry. Sealed ones, and those with a sealed target or extent, are left out.
    #[must_use]
    pub fn targets(&self) -> Vec<RedactionTarget> {
        let Recorded::Present(Value::Array(targets)) = self.0.at(&["targets"]) else { return Vec::new() };
        targets.iter().filter_map(RedactionTarget::from_value).collect()
    }

    /// The law or contract it rests on.
    #[must_use]
    pub fn legal_basis(&self) -> Recorded<&str> {
        self.0.text(&["legal_basis"])
    }

    /// When the openings were destroyed: POSIX milliseconds; `event_ms` where nothing else is recorded.
    #[must_use]
    pub fn destroyed_ms(&self) -> Recorded<u64> {
        match self.0.uint(&["destroyed_ms"]) {
            Recorded::Absent => self.0.event_ms(),
            recorded => recorded,
        }
    }

    /// The digest of the retention policy.
    #[must_use]
    pub fn policy_digest(&self) -> Recorded<SchemeDigest> {
        self.0.scheme_digest(&["policy_digest"])
    }

    /// The opening store they were destroyed in.
    #[must_use]
    pub fn store(&self) -> Recorded<&str> {
        self.0.text(&["store"])
    }
}

impl RedactionTarget {
    fn from_value(value: &Value) -> Option<Self> {
        let target = Body::of_checked(value.as_map()?.clone());
        Some(Self {
            target: target.link_target(&["target"]).present()?,
            extent: target.text(&["extent"]).and_then(RedactionExtent::from_name).present()?,
            fields: elements(&target, "fields", |field| field.as_text().map(str::to_owned)),
            members: elements(&target, "members", as_u64),
            digests: elements(&target, "digests", as_digest),
        })
    }
}

/// Reads a list's elements; sealed ones are left out.
fn elements<T>(body: &Body, key: &str, read: impl Fn(&Value) -> Option<T>) -> Vec<T> {
    let Recorded::Present(Value::Array(items)) = body.at(&[key]) else { return Vec::new() };
    items.iter().filter_map(read).collect()
}
