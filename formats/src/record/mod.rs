//! Records: the payloads of signed statements, kind by kind.
//!
//! A record is a deterministic CBOR map with text keys; its kind is the content type `application/vnd.govlog.<kind>+cbor`, the version of
//! its schema the key `v`. What is known of each kind's fields stands in one table: the checks here, the [JSON view](view) and the files
//! in `formats/cddl` follow it. Unknown keys are kept, never refused, except in `admission-policy`.
//!
//! In scope: bytes to typed records and back, the JSON view, sealed values, links, handles. Out of scope: whether what a record claims is
//! true (the client's audit), and who may submit it (admission).

use ciborium::Value;

#[cfg(test)]
mod arbitrary;
pub mod body;
mod cddl;
mod check;
pub mod decision;
pub mod effect;
pub mod handles;
pub mod issuance;
pub mod link;
mod names;
pub mod quarantine;
mod schema;
pub mod sealed;
pub mod stream;
mod tables;
pub mod view;

pub use body::{Body, Recorded};
pub use cddl::cddl;
pub use check::{FieldError, FieldProblem};
pub use decision::Decision;
pub use effect::Effect;
pub use issuance::Issuance;
pub use link::{Handle, Link, LinkTarget, SchemeDigest};
pub use quarantine::Quarantine;
pub use stream::Stream;
pub use tables::{ASSURANCES, CREDENTIAL_TYPES, KINDS, RELATIONS};

use crate::admission::{Change, ChangeError};
use crate::cbor::{self, CborError};

/// A record whose bytes are canonical and whose fields follow its kind's schema.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Record {
    /// A change to who may submit what.
    AdmissionPolicy(Box<Change>),
    /// A policy decision.
    Decision(Decision),
    /// What became of a decision.
    Effect(Effect),
    /// A credential that was issued, or was refused.
    Issuance(Issuance),
    /// What a stream of statements says of itself.
    Stream(Stream),
    /// What stands in the place of an input that could not be mapped, or of a statement that the log refused.
    Quarantine(Quarantine),
    /// A record of a kind that has no type here yet: only its common keys are known.
    Opaque(Opaque),
}

/// A record of a kind without a type.
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
            "decision" => Self::Decision(Decision(body)),
            "effect" => Self::Effect(Effect(body)),
            "issuance" => Self::Issuance(Issuance(body)),
            "stream" => Self::Stream(Stream(body)),
            "quarantine" => Self::Quarantine(Quarantine(body)),
            _ => Self::Opaque(Opaque { kind: kind.to_owned(), body }),
        })
    }

    /// The kind, as `decision`.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::AdmissionPolicy(_) => tables::ADMISSION_POLICY,
            Self::Decision(_) => "decision",
            Self::Effect(_) => "effect",
            Self::Issuance(_) => "issuance",
            Self::Stream(_) => "stream",
            Self::Quarantine(_) => "quarantine",
            Self::Opaque(opaque) => &opaque.kind,
        }
    }

    /// All fields; an `admission-policy` record has those of its type alone.
    #[must_use]
    pub fn body(&self) -> Option<&Body> {
        match self {
            Self::AdmissionPolicy(_) => None,
            Self::Decision(decision) => Some(decision.body()),
            Self::Effect(effect) => Some(effect.body()),
            Self::Issuance(issuance) => Some(issuance.body()),
            Self::Stream(stream) => Some(stream.body()),
            Self::Quarantine(quarantine) => Some(quarantine.body()),
            Self::Opaque(opaque) => Some(&opaque.body),
        }
    }
}

/// Gives the `sub` that a statement of this record takes when none is given.
///
/// Decision: `subject.id`; effect: `performer`; issuance: `subject`. Where that has neither `:` nor `/`, `<subject type>:<id>`: the type is
/// a decision's `subject.type`; performers, and subjects of credentials, are workloads.
/// `None`: the kind has no such field, as `stream` and `quarantine`, whose `sub` is the stream they stand in; it is sealed; or no type is
/// recorded for a decision's subject that needs one.
#[must_use]
pub fn default_subject(record: &Record) -> Option<String> {
    let (id, kind_of_subject) = match record {
        Record::Decision(decision) => (decision.subject_id().present()?, decision.subject_type().present()),
        Record::Effect(effect) => (effect.performer().present()?, Some("workload")),
        Record::Issuance(issuance) => (issuance.subject().present()?, Some("workload")),
        Record::AdmissionPolicy(_) | Record::Stream(_) | Record::Quarantine(_) | Record::Opaque(_) => return None,
    };
    // exact.md §2: "Where a source's subject id has neither, `submit` and the adapters write `<subject type>:<id>`."
    if id.contains([':', '/']) {
        return Some(id.to_owned());
    }
    kind_of_subject.filter(|name| !name.is_empty()).map(|name| format!("{name}:{id}"))
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
