//! The `admission-policy` record: one change to who may submit what.

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use ciborium::Value;

use crate::cbor;
use crate::cose::{Curve, PublicKey};
use crate::note::{SignatureAlgorithm, Vkey};

use super::fields::{Fields, bytes, text};
use super::names::shown;

/// A change to who may submit what: the payload of an `admission-policy` entry.
///
/// A value of this type follows the schema of exact.md §2; what it means for a policy is judged by
/// [`PolicyState`](super::PolicyState).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    fields: ChangeFields,
}

/// The fields of a [`Change`], as somebody writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeFields {
    /// When the operator decided, POSIX milliseconds (a claim).
    pub event_ms: u64,
    /// Rows to put in force; each replaces its issuer's whole row.
    pub set: Vec<IssuerRow>,
    /// Issuers whose rows end.
    pub retire: Vec<String>,
    /// All operator keys from now on; empty leaves them as they are.
    pub operators: Vec<PublicKey>,
    /// How many operators must agree to a change from now on.
    pub threshold: Option<u64>,
    /// The log's own row from now on.
    pub log: Option<LogRow>,
}

/// One issuer's row: who it is and what it may submit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerRow {
    /// The issuer, as in the claim `iss`; `spiffe://TD` for all SPIFFE IDs of a trust domain.
    pub iss: String,
    /// How its signatures are recognised.
    pub credentials: Credentials,
    /// The kinds it may submit; without a `/` short for `application/vnd.govlog.<kind>+cbor`.
    pub kinds: Vec<String>,
    /// The subjects it may speak about: exact, or prefixes ending in `/`.
    pub subjects: Vec<String>,
    /// Statements per second, of all that the row admits together; absent: the server's own limits only.
    pub rate: Option<NonZeroU64>,
    /// How old `iat` may be, in seconds; absent: a default of the row's kind of credentials.
    pub max_age_s: Option<u64>,
}

/// How an issuer's signatures are recognised. Never empty in a [`Change`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// By these keys, named by their thumbprints.
    Keys(Vec<PublicKey>),
    /// By certificates under these trust anchors, each one DER certificate.
    X509(Vec<Vec<u8>>),
}

/// The log's own row: its name and its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// The log's origin.
    pub origin: String,
    /// The key that signs checkpoints; its name is the origin.
    pub checkpoint: Vkey,
    /// The keys that sign receipts. Never empty in a [`Change`].
    pub receipts: Vec<ReceiptKey>,
}

/// A key that signs receipts, in force for tree sizes in `[from, below)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptKey {
    /// The key, P-256.
    pub key: PublicKey,
    /// The first tree size it is in force for.
    pub from: u64,
    /// The first tree size it is no longer in force for.
    pub below: Option<u64>,
}

/// How a record fails to be a change of the admission policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The bytes are not deterministic CBOR.
    #[error("{0}")]
    Cbor(String),
    /// The text is not JSON.
    #[error("not JSON: {0}")]
    Json(String),
    /// A field has a value of another type.
    #[error("{field} must be {expected}")]
    WrongType {
        /// The field.
        field: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// A map has a key that is no text.
    #[error("every key of {field} must be a text")]
    KeyNotText {
        /// The map.
        field: String,
    },
    /// A required field is absent.
    #[error("{field} is missing")]
    Missing {
        /// The field.
        field: String,
    },
    /// A field that the schema does not know.
    #[error("{} is not a field of an admission-policy record", shown(field))]
    Unknown {
        /// The field.
        field: String,
    },
    /// A list has no members.
    #[error("{field} must have at least one member; leave it out to change nothing")]
    Empty {
        /// The list.
        field: String,
    },
    /// The schema version is another.
    #[error("v is {found}; this version knows 1")]
    Version {
        /// The version.
        found: u64,
    },
    /// A row has both keys and trust anchors, or none of them.
    #[error("{field} must have exactly one of keys and x509")]
    Credentials {
        /// The row.
        field: String,
    },
    /// A rate of nothing.
    #[error("{field} is 0; a rate is at least 1 statement per second (use retire to end an issuer's row)")]
    RateZero {
        /// The field.
        field: String,
    },
    /// A key is not a key.
    #[error("{field}: {why}")]
    Key {
        /// The field.
        field: String,
        /// What is wrong with it.
        why: String,
    },
    /// A receipt key is on another curve.
    #[error("{field} must be a P-256 key: receipts are signed with ES256")]
    ReceiptKey {
        /// The field.
        field: String,
    },
    /// The checkpoint key is not a vkey.
    #[error("log.checkpoint {} is not a vkey: {why}", shown(found))]
    Vkey {
        /// The text.
        found: String,
        /// What is wrong with it.
        why: String,
    },
    /// The checkpoint key is not one a log signs checkpoints with.
    #[error(
        "log.checkpoint is {}; it must be an Ed25519 key (0x01) whose name is log.origin, {}",
        shown(found),
        shown(origin)
    )]
    CheckpointKey {
        /// The vkey.
        found: String,
        /// The origin it should be named after.
        origin: String,
    },
    /// A change says two things about one issuer.
    #[error("iss {} is named twice in one change", shown(iss))]
    IssuerTwice {
        /// The issuer.
        iss: String,
    },
}

impl Change {
    /// Checks the fields of a change against the rules that the schema's CDDL can not express by itself.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn new(fields: ChangeFields) -> Result<Self, ChangeError> {
        for (position, row) in fields.set.iter().enumerate() {
            check_row(&format!("set[{position}]"), row)?;
        }
        check_named_once(&fields)?;
        fields.log.as_ref().map_or(Ok(()), check_log)?;
        Ok(Self { fields })
    }

    /// Reads a change from a statement's payload.
    ///
    /// # Errors
    /// When the bytes are not deterministic CBOR, or do not follow the schema; the error names the field.
    pub fn parse(payload: &[u8]) -> Result<Self, ChangeError> {
        let value = cbor::parse(payload).map_err(|error| ChangeError::Cbor(error.to_string()))?;
        Self::new(read_fields(&value)?)
    }

    /// Writes the change as the payload of a statement; the inverse of [`Change::parse`].
    pub fn encode(&self) -> Vec<u8> {
        cbor::to_deterministic(&write_fields(&self.fields))
    }

    /// Returns the fields of the change.
    pub fn fields(&self) -> &ChangeFields {
        &self.fields
    }
}

fn check_row(field: &str, row: &IssuerRow) -> Result<(), ChangeError> {
    let (name, empty) = match &row.credentials {
        Credentials::Keys(keys) => ("keys", keys.is_empty()),
        Credentials::X509(anchors) => ("x509", anchors.is_empty()),
    };
    for (name, empty) in [(name, empty), ("kinds", row.kinds.is_empty()), ("subjects", row.subjects.is_empty())] {
        if empty {
            return Err(ChangeError::Empty { field: format!("{field}.{name}") });
        }
    }
    Ok(())
}

/// exact.md §2: "An `iss` named twice in one change, or the operator's own: 400."
fn check_named_once(fields: &ChangeFields) -> Result<(), ChangeError> {
    let mut named = BTreeSet::new();
    let all = fields.set.iter().map(|row| &row.iss).chain(&fields.retire);
    for iss in all {
        if !named.insert(iss) {
            return Err(ChangeError::IssuerTwice { iss: iss.clone() });
        }
    }
    Ok(())
}

fn check_log(log: &LogRow) -> Result<(), ChangeError> {
    if log.receipts.is_empty() {
        return Err(ChangeError::Empty { field: "log.receipts".to_owned() });
    }
    for (position, receipt) in log.receipts.iter().enumerate() {
        // exact.md §2: "receipt keys are P-256".
        if receipt.key.curve() != Curve::P256 {
            return Err(ChangeError::ReceiptKey { field: format!("log.receipts[{position}].key") });
        }
    }
    let vkey = &log.checkpoint;
    if vkey.algorithm() != SignatureAlgorithm::Ed25519 || vkey.name().as_str() != log.origin {
        return Err(ChangeError::CheckpointKey { found: vkey.to_string(), origin: log.origin.clone() });
    }
    Ok(())
}

// --- Reading ---------------------------------------------------------------------------------------------------------------------------

pub(super) fn read_fields(value: &Value) -> Result<ChangeFields, ChangeError> {
    let mut map = Fields::open("", value)?;
    let found = map.required_uint("v")?;
    if found != 1 {
        return Err(ChangeError::Version { found });
    }
    let fields = ChangeFields {
        event_ms: map.required_uint("event_ms")?,
        set: map.optional_list("set", read_row)?.unwrap_or_default(),
        retire: map.optional_list("retire", read_text)?.unwrap_or_default(),
        operators: map.optional_list("operators", read_key)?.unwrap_or_default(),
        threshold: map.optional_uint("threshold")?,
        log: map.optional("log").map(read_log).transpose()?,
    };
    map.end()?;
    Ok(fields)
}

fn read_row(field: &str, value: &Value) -> Result<IssuerRow, ChangeError> {
    let mut map = Fields::open(field, value)?;
    let iss = map.required_text("iss")?.to_owned();
    let keys = map.optional_list("keys", read_key)?;
    let anchors = map.optional_list("x509", |field, value| bytes(field, value).map(<[u8]>::to_vec))?;
    let credentials = match (keys, anchors) {
        (Some(keys), None) => Credentials::Keys(keys),
        (None, Some(anchors)) => Credentials::X509(anchors),
        (Some(_), Some(_)) | (None, None) => return Err(ChangeError::Credentials { field: field.to_owned() }),
    };
    let row = IssuerRow {
        iss,
        credentials,
        kinds: map.required_list("kinds", read_text)?,
        subjects: map.required_list("subjects", read_text)?,
        rate: match map.optional_uint("rate")? {
            None => None,
            Some(rate) => {
                Some(NonZeroU64::new(rate).ok_or_else(|| ChangeError::RateZero { field: format!("{field}.rate") })?)
            }
        },
        max_age_s: map.optional_uint("max_age_s")?,
    };
    map.end()?;
    Ok(row)
}

pub(super) fn read_log(value: &Value) -> Result<LogRow, ChangeError> {
    let mut map = Fields::open("log", value)?;
    let found = map.required_text("checkpoint")?;
    let row = LogRow {
        origin: map.required_text("origin")?.to_owned(),
        checkpoint: found.parse().map_err(|error: <Vkey as std::str::FromStr>::Err| ChangeError::Vkey {
            found: found.to_owned(),
            why: error.to_string(),
        })?,
        receipts: map.required_list("receipts", read_receipt)?,
    };
    map.end()?;
    Ok(row)
}

fn read_receipt(field: &str, value: &Value) -> Result<ReceiptKey, ChangeError> {
    let mut map = Fields::open(field, value)?;
    let row = ReceiptKey {
        key: read_key(&map.at("key"), map.required("key")?)?,
        from: map.required_uint("from")?,
        below: map.optional_uint("below")?,
    };
    map.end()?;
    Ok(row)
}

fn read_text(field: &str, value: &Value) -> Result<String, ChangeError> {
    text(field, value).map(str::to_owned)
}

/// exact.md §2: "A COSE_Key holds exactly 1, −1, −2 and for EC2 −3."
fn read_key(field: &str, value: &Value) -> Result<PublicKey, ChangeError> {
    PublicKey::from_cose_value(value)
        .map_err(|error| ChangeError::Key { field: field.to_owned(), why: error.to_string() })
}

// --- Writing ---------------------------------------------------------------------------------------------------------------------------

pub(super) fn write_fields(fields: &ChangeFields) -> Value {
    let mut map = vec![entry("v", Value::from(1)), entry("event_ms", Value::from(fields.event_ms))];
    push_list(&mut map, "set", &fields.set, write_row);
    push_list(&mut map, "retire", &fields.retire, |iss| Value::from(iss.as_str()));
    push_list(&mut map, "operators", &fields.operators, write_key);
    map.extend(fields.threshold.map(|threshold| entry("threshold", Value::from(threshold))));
    map.extend(fields.log.as_ref().map(|log| entry("log", write_log(log))));
    Value::Map(map)
}

fn write_row(row: &IssuerRow) -> Value {
    let mut map = vec![entry("iss", Value::from(row.iss.as_str()))];
    match &row.credentials {
        Credentials::Keys(keys) => push_list(&mut map, "keys", keys, write_key),
        Credentials::X509(anchors) => push_list(&mut map, "x509", anchors, |der| Value::from(der.as_slice())),
    }
    push_list(&mut map, "kinds", &row.kinds, |kind| Value::from(kind.as_str()));
    push_list(&mut map, "subjects", &row.subjects, |subject| Value::from(subject.as_str()));
    map.extend(row.rate.map(|rate| entry("rate", Value::from(rate.get()))));
    map.extend(row.max_age_s.map(|age| entry("max_age_s", Value::from(age))));
    Value::Map(map)
}

pub(super) fn write_log(log: &LogRow) -> Value {
    let mut map = vec![
        entry("origin", Value::from(log.origin.as_str())),
        entry("checkpoint", Value::from(log.checkpoint.to_string())),
    ];
    push_list(&mut map, "receipts", &log.receipts, |receipt| {
        let mut map = vec![entry("key", write_key(&receipt.key)), entry("from", Value::from(receipt.from))];
        map.extend(receipt.below.map(|below| entry("below", Value::from(below))));
        Value::Map(map)
    });
    Value::Map(map)
}

fn write_key(key: &PublicKey) -> Value {
    key.to_cose_value()
}

fn push_list<T>(map: &mut Vec<(Value, Value)>, name: &str, members: &[T], write: impl Fn(&T) -> Value) {
    if !members.is_empty() {
        map.push(entry(name, Value::Array(members.iter().map(write).collect())));
    }
}

fn entry(name: &str, value: Value) -> (Value, Value) {
    (Value::from(name), value)
}
