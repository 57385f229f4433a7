//! Records: the payloads of signed statements, kind by kind.
//!
//! A record is a deterministic CBOR map with text keys; its kind is the content type `application/vnd.govlog.<kind>+cbor`.

use ciborium::Value;

pub mod handles;
pub mod sealed;
pub mod view;

/// A record whose bytes are canonical and whose fields follow its kind's schema.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Record {
    /// A policy decision.
    Decision(Decision),
    /// What became of a decision.
    Effect(Effect),
    /// A credential that was issued, or was refused.
    Issuance(Issuance),
    /// A record of a kind that has no type here yet: only its common keys are known.
    Opaque(Opaque),
}

/// A field's value as a reader finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded<T> {
    /// The value stands in the record.
    Present(T),
    /// The record holds a commitment to the value.
    Sealed,
    /// The record does not have the key.
    Absent,
}

/// A `decision` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision(Value);

/// An `effect` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect(Value);

/// An `issuance` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Issuance(Value);

/// A record of a kind without a type.
#[derive(Clone, Debug, PartialEq)]
pub struct Opaque(Value);

/// Why bytes are not a record of their kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The payload is not a map.
    #[error("a record is a CBOR map with text keys")]
    NotAMap,
}

impl Record {
    /// Reads a record of `kind` (`decision`, or its content type).
    ///
    /// # Errors
    ///
    /// The payload is not canonical, or a field is missing or has the wrong form: every such field is named.
    pub fn parse(kind: &str, payload: &[u8]) -> Result<Self, RecordError> {
        let _ = (kind, payload);
        unimplemented!()
    }
}

/// Gives the `sub` that a statement of this record takes when none is given.
///
/// Decision: `subject.id`; effect: `performer`; issuance: `subject`. Where a decision's has neither `:` nor `/`, `<subject type>:<id>`.
/// `None`: the kind has no such field, it is sealed, or no type is recorded for an id that needs one.
#[must_use]
pub fn default_subject(record: &Record) -> Option<String> {
    let _ = record;
    unimplemented!()
}
