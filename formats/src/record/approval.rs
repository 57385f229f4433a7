//! The kind `approval`: somebody approved or rejected a change, an exception or an operation.

use ciborium::Value;

use super::body::{Body, Recorded, as_digest};
use super::link::Handle;
use super::names::names;
use crate::digest::Digest;

names! {
    /// What kind of thing was to be approved.
    ApprovalType {
        /// A change of what holds for many.
        Change = "change",
        /// What a rule would not allow.
        Exception = "exception",
        /// Access in an emergency, past the rules.
        BreakGlass = "break-glass",
        /// One operation.
        Operation = "operation",
    }
}

names! {
    /// What the approver decided.
    ApprovalDecision {
        /// It may go on.
        Approve = "approve",
        /// It may not.
        Reject = "reject",
    }
}

/// An `approval` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval(pub(super) Body);

/// What was to be approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approved {
    /// A statement, by SHA-256 of its Sig_structure.
    SigStructure(Digest),
    /// An operation, as both ends see it.
    OpDigest(Digest),
    /// A record, by SHA-256 of its payload's bytes.
    Payload(Digest),
}

impl Approval {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// What kind of thing was to be approved.
    #[must_use]
    pub fn approval_type(&self) -> Recorded<ApprovalType> {
        self.0.text(&["type"]).and_then(ApprovalType::from_name)
    }

    /// What was to be approved. Absent where a part of it is sealed.
    #[must_use]
    pub fn approved(&self) -> Recorded<Approved> {
        self.0.at(&["approved"]).and_then(Approved::from_value)
    }

    /// What the approver decided.
    #[must_use]
    pub fn decision(&self) -> Recorded<ApprovalDecision> {
        self.0.text(&["decision"]).and_then(ApprovalDecision::from_name)
    }

    /// Who decided.
    #[must_use]
    pub fn approver(&self) -> Recorded<&str> {
        self.0.text(&["approver"])
    }

    /// SHA-256 of what the approver saw.
    #[must_use]
    pub fn shown_digest(&self) -> Recorded<Digest> {
        self.0.digest(&["shown_digest"])
    }

    /// A handle of the credential by which the approver was known.
    #[must_use]
    pub fn credential(&self) -> Recorded<Handle> {
        self.0.handle(&["credential", "handle"])
    }

    /// Until when it may be relied upon: POSIX milliseconds.
    #[must_use]
    pub fn expires_ms(&self) -> Recorded<u64> {
        self.0.uint(&["expires_ms"])
    }

    /// What joins a request, its answers and what was decided again.
    #[must_use]
    pub fn thread(&self) -> Recorded<&str> {
        self.0.text(&["thread"])
    }
}

impl Approved {
    /// Reads the CBOR form; `None` if it is another, or the digest is sealed.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Self> {
        let [(key, digest)] = value.as_map()?.as_slice() else { return None };
        let digest = as_digest(digest)?;
        match key.as_text()? {
            "sig_structure" => Some(Self::SigStructure(digest)),
            "op_digest" => Some(Self::OpDigest(digest)),
            "payload" => Some(Self::Payload(digest)),
            _ => None,
        }
    }

    /// Gives the CBOR form.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let (key, digest) = match self {
            Self::SigStructure(digest) => ("sig_structure", digest),
            Self::OpDigest(digest) => ("op_digest", digest),
            Self::Payload(digest) => ("payload", digest),
        };
        Value::Map(vec![(key.into(), Value::Bytes(digest.as_bytes().to_vec()))])
    }
}
