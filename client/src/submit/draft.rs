//! From what a person writes to what is signed: one record's payload, kind and subject.

use govlog_formats::record::handles::{HandleError, certificate_from_pem, issuance_from_certificate};
use govlog_formats::record::view::{self, ViewError};
use govlog_formats::record::{self, Record, RecordError};
use serde_json::{Map, Value};

/// The kinds that `submit` has types for.
const KINDS: [&str; 3] = ["decision", "effect", "issuance"];

/// A record ready to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The kind, such as `decision`.
    pub kind: String,
    /// The subject.
    pub sub: String,
    /// The payload: deterministic CBOR.
    pub payload: Vec<u8>,
}

/// Why a record cannot be submitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// There is no type for this kind.
    #[error("kind {_0:?}: `submit` knows {known}; an admission policy is changed with `govlog admission`", known = KINDS.join(", "))]
    Kind(String),
    /// A certificate was given for a record that describes none.
    #[error("--cert fills in an issuance, not a {0}")]
    CertificateKind(String),
    /// The certificate cannot be read.
    #[error("the certificate: {0}")]
    Certificate(#[from] HandleError),
    /// The JSON view cannot be read.
    #[error("the record: {0}")]
    View(#[from] ViewError),
    /// The record is not one of its kind.
    #[error("the record: {0}")]
    Record(#[from] RecordError),
    /// The record is no JSON object.
    #[error("a record is a JSON object, such as {{\"v\": 1, …}}")]
    NotAnObject,
    /// No subject can be derived.
    #[error("the record names no subject to sign for; give one with --sub")]
    NoSubject,
}

impl Draft {
    /// Makes a draft from a record's JSON view, filled in from a certificate where one is given.
    ///
    /// `sub`: the subject; without one it is the record's own (`subject.id`, `performer`, `subject`).
    ///
    /// # Errors
    ///
    /// The kind has no type here, or the record is not one of its kind; every wrong field is named.
    pub fn new(
        kind: &str,
        text: Option<&str>,
        certificate: Option<&[u8]>,
        sub: Option<&str>,
    ) -> Result<Self, DraftError> {
        let kind = record::short_kind(kind);
        if !KINDS.contains(&kind) {
            return Err(DraftError::Kind(kind.to_owned()));
        }
        let mut fields = match text.map(view::parse_text).transpose()? {
            Some(Value::Object(fields)) => fields,
            Some(_) => return Err(DraftError::NotAnObject),
            None => Map::new(),
        };
        if let Some(pem) = certificate {
            if kind != "issuance" {
                return Err(DraftError::CertificateKind(kind.to_owned()));
            }
            view::fill(&mut fields, &issuance_from_certificate(&certificate_from_pem(pem)?)?)?;
        }
        let payload = view::from_json(kind, &Value::Object(fields))?;
        let record = Record::parse(kind, &payload)?;
        let sub = sub.map(str::to_owned).or_else(|| record::default_subject(&record)).ok_or(DraftError::NoSubject)?;
        Ok(Self { kind: kind.to_owned(), sub, payload })
    }
}
