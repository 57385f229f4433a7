//! Records: the payloads of signed statements, kind by kind.
//!
//! A record is a deterministic CBOR map with text keys; its kind is the content type `application/vnd.govlog.<kind>+cbor`, the version of
//! its schema the key `v`. What is known of each kind's fields stands in one table: the checks here, the [JSON view](view) and the files
//! in `formats/cddl` follow it. Unknown keys are kept, never refused, except in `admission-policy`.
//!
//! In scope: bytes to typed records and back, the JSON view, sealed values, links, handles. Out of scope: whether what a record claims is
//! true (the client's audit), and who may submit it (admission).

use ciborium::Value;

mod about;
pub mod activation;
pub mod agent;
pub mod anchor;
pub mod approval;
#[cfg(test)]
pub(crate) mod arbitrary;
pub mod attestation;
pub mod body;
mod cddl;
mod check;
pub mod custody;
pub mod decision;
pub mod decision_batch;
pub mod delegation;
pub mod effect;
mod examples;
pub mod federation;
pub mod finding;
pub mod gap;
pub mod handles;
pub mod issuance;
pub mod link;
mod names;
pub mod observation;
pub mod ownership;
mod page;
pub mod policy;
pub mod quarantine;
pub mod redaction;
pub mod registration;
pub mod revocation;
pub(crate) mod schema;
pub mod sealed;
pub mod signing_key;
pub mod stream;
mod subject;
pub(crate) mod tables;
pub mod view;

pub use about::{about_field, about_kind};
pub use activation::Activation;
pub use agent::Agent;
pub use anchor::Anchor;
pub use approval::Approval;
pub use attestation::Attestation;
pub use body::{Body, Recorded};
pub use cddl::cddl;
pub(crate) use check::find;
pub use check::{FieldError, FieldProblem};
pub use custody::Custody;
pub use decision::Decision;
pub use decision_batch::DecisionBatch;
pub use delegation::Delegation;
pub use effect::Effect;
pub use examples::example;
pub use federation::Federation;
pub use finding::Finding;
pub use gap::Gap;
pub use issuance::Issuance;
pub use link::{Handle, Link, LinkTarget, SchemeDigest};
pub use observation::Observation;
pub use ownership::Ownership;
pub use page::records_page;
pub use policy::Policy;
pub use quarantine::Quarantine;
pub use redaction::Redaction;
pub use registration::{Registration, entry_digest};
pub use revocation::Revocation;
pub use signing_key::SigningKey;
pub use stream::Stream;
pub use subject::default_subject;
pub use tables::{ASSURANCES, CREDENTIAL_TYPES, KINDS, RELATIONS, indexed_fields};

use crate::admission::{Change, ChangeError};
use crate::cbor::{self, CborError};

/// A record whose bytes are canonical and whose fields follow its kind's schema.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Record {
    /// A change to who may submit what.
    AdmissionPolicy(Box<Change>),
    /// A policy that was published.
    Policy(Policy),
    /// A policy in force at a PDP, or not any more.
    Activation(Activation),
    /// Somebody's word on a change, an exception or an operation.
    Approval(Approval),
    /// Who answers for an identity.
    Ownership(Ownership),
    /// An AI agent's identity.
    Agent(Agent),
    /// A registration entry.
    Registration(Registration),
    /// Evidence of what a node or workload is.
    Attestation(Attestation),
    /// A credential that was issued, or was refused.
    Issuance(Issuance),
    /// A key that signs credentials.
    SigningKey(SigningKey),
    /// What stopped being good before its time.
    Revocation(Revocation),
    /// A trust domain's bundle, or what was agreed with that domain.
    Federation(Federation),
    /// Who may act in whose name.
    Delegation(Delegation),
    /// A policy decision.
    Decision(Decision),
    /// Many decisions under one root.
    DecisionBatch(DecisionBatch),
    /// What became of a decision.
    Effect(Effect),
    /// What somebody saw.
    Observation(Observation),
    /// What a stream of statements says of itself.
    Stream(Stream),
    /// Events that were lost before they reached the stream.
    Gap(Gap),
    /// What stands in the place of an input that could not be mapped, or of a statement that the log refused.
    Quarantine(Quarantine),
    /// Openings that were destroyed.
    Redaction(Redaction),
    /// What a check found.
    Finding(Finding),
    /// What was done with evidence.
    Custody(Custody),
    /// Another log, or another epoch of this one.
    Anchor(Anchor),
    /// A record of an unknown kind: only its common keys are known.
    Opaque(Opaque),
}

/// A record of an unknown kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Opaque {
    kind: String,
    body: Body,
}

/// Why bytes are not a record of their kind.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The bytes are not deterministic CBOR.
    #[error("not deterministic CBOR: {0}")]
    Cbor(#[from] CborError),
    /// The payload is not a map.
    #[error("a record is a map with text keys, not a {0}")]
    NotAMap(String),
    /// A key at the top level is not text.
    #[error("the keys of a record are text, not {0}")]
    Key(String),
    /// An `admission-policy` record does not follow its schema.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// Fields are missing or have the wrong form.
    #[error("{}", list(.0))]
    Fields(Vec<FieldError>),
}

fn list(errors: &[FieldError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Record {
    /// Reads a record of `kind` (`decision`, or its content type).
    ///
    /// # Errors
    ///
    /// The payload is not canonical, or a field is missing or has the wrong form: every such field is named.
    pub fn parse(kind: &str, payload: &[u8]) -> Result<Self, RecordError> {
        let kind = short_kind(kind);
        if kind == tables::ADMISSION_POLICY {
            return Ok(Self::AdmissionPolicy(Box::new(Change::parse(payload)?)));
        }
        let pairs = text_map(cbor::parse(payload)?)?;
        let errors = check::check(tables::group_of(kind), &pairs);
        if !errors.is_empty() {
            return Err(RecordError::Fields(errors));
        }
        let body = Body::of_checked(pairs);
        Ok(match kind {
            "policy" => Self::Policy(Policy(body)),
            "activation" => Self::Activation(Activation(body)),
            "approval" => Self::Approval(Approval(body)),
            "ownership" => Self::Ownership(Ownership(body)),
            "agent" => Self::Agent(Agent(body)),
            "registration" => Self::Registration(Registration(body)),
            "attestation" => Self::Attestation(Attestation(body)),
            "issuance" => Self::Issuance(Issuance(body)),
            "signing-key" => Self::SigningKey(SigningKey(body)),
            "revocation" => Self::Revocation(Revocation(body)),
            "federation" => Self::Federation(Federation(body)),
            "delegation" => Self::Delegation(Delegation(body)),
            "decision" => Self::Decision(Decision(body)),
            "decision-batch" => Self::DecisionBatch(DecisionBatch(body)),
            "effect" => Self::Effect(Effect(body)),
            "observation" => Self::Observation(Observation(body)),
            "stream" => Self::Stream(Stream(body)),
            "gap" => Self::Gap(Gap(body)),
            "quarantine" => Self::Quarantine(Quarantine(body)),
            "redaction" => Self::Redaction(Redaction(body)),
            "finding" => Self::Finding(Finding(body)),
            "custody" => Self::Custody(Custody(body)),
            "anchor" => Self::Anchor(Anchor(body)),
            _ => Self::Opaque(Opaque { kind: kind.to_owned(), body }),
        })
    }

    /// The kind, as `decision`.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::AdmissionPolicy(_) => tables::ADMISSION_POLICY,
            Self::Policy(_) => "policy",
            Self::Activation(_) => "activation",
            Self::Approval(_) => "approval",
            Self::Ownership(_) => "ownership",
            Self::Agent(_) => "agent",
            Self::Registration(_) => "registration",
            Self::Attestation(_) => "attestation",
            Self::Issuance(_) => "issuance",
            Self::SigningKey(_) => "signing-key",
            Self::Revocation(_) => "revocation",
            Self::Federation(_) => "federation",
            Self::Delegation(_) => "delegation",
            Self::Decision(_) => "decision",
            Self::DecisionBatch(_) => "decision-batch",
            Self::Effect(_) => "effect",
            Self::Observation(_) => "observation",
            Self::Stream(_) => "stream",
            Self::Gap(_) => "gap",
            Self::Quarantine(_) => "quarantine",
            Self::Redaction(_) => "redaction",
            Self::Finding(_) => "finding",
            Self::Custody(_) => "custody",
            Self::Anchor(_) => "anchor",
            Self::Opaque(opaque) => &opaque.kind,
        }
    }

    /// All fields; an `admission-policy` record has those of its type alone.
    #[must_use]
    pub fn body(&self) -> Option<&Body> {
        match self {
            Self::AdmissionPolicy(_) => None,
            Self::Policy(record) => Some(record.body()),
            Self::Activation(record) => Some(record.body()),
            Self::Approval(record) => Some(record.body()),
            Self::Ownership(record) => Some(record.body()),
            Self::Agent(record) => Some(record.body()),
            Self::Registration(record) => Some(record.body()),
            Self::Attestation(record) => Some(record.body()),
            Self::Issuance(record) => Some(record.body()),
            Self::SigningKey(record) => Some(record.body()),
            Self::Revocation(record) => Some(record.body()),
            Self::Federation(record) => Some(record.body()),
            Self::Delegation(record) => Some(record.body()),
            Self::Decision(record) => Some(record.body()),
            Self::DecisionBatch(record) => Some(record.body()),
            Self::Effect(record) => Some(record.body()),
            Self::Observation(record) => Some(record.body()),
            Self::Stream(record) => Some(record.body()),
            Self::Gap(record) => Some(record.body()),
            Self::Quarantine(record) => Some(record.body()),
            Self::Redaction(record) => Some(record.body()),
            Self::Finding(record) => Some(record.body()),
            Self::Custody(record) => Some(record.body()),
            Self::Anchor(record) => Some(record.body()),
            Self::Opaque(opaque) => Some(&opaque.body),
        }
    }
}

/// Gives the kind of a content type `application/vnd.govlog.<kind>+cbor`; other text is taken for a kind itself.
#[must_use]
pub fn short_kind(kind: &str) -> &str {
    kind.strip_prefix("application/vnd.govlog.").and_then(|rest| rest.strip_suffix("+cbor")).unwrap_or(kind)
}

fn text_map(value: Value) -> Result<Vec<(Value, Value)>, RecordError> {
    let pairs = value.into_map().map_err(|other| RecordError::NotAMap(check::describe(&other)))?;
    match pairs.iter().find(|(key, _)| !key.is_text()) {
        Some((key, _)) => Err(RecordError::Key(check::describe(key))),
        None => Ok(pairs),
    }
}

#[cfg(test)]
mod tests;
