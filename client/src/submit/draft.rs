//! From what a person writes to what is signed: one record's payload, kind and subject.

use govlog_formats::record::handles::{HandleError, certificate_from_pem, issuance_from_certificate};
use govlog_formats::record::view::{self, ViewError};
use govlog_formats::record::{self, Record, RecordError};
use serde_json::{Map, Value};

/// The kinds that `submit` does not take, with who makes them instead.
///
/// `stream`, `gap` and `quarantine` speak of the stream they stand in: whoever keeps that stream writes them.
const OTHERS: [(&str, &str); 4] = [
    ("admission-policy", "an admission policy is changed with `govlog admission`"),
    ("stream", ONLY_AGENTS),
    ("gap", ONLY_AGENTS),
    ("quarantine", ONLY_AGENTS),
];

const ONLY_AGENTS: &str = "it speaks of the stream it stands in, and only the agent that keeps that stream writes it";

/// The kinds that `submit` takes, in the order of the planes.
#[must_use]
pub fn kinds() -> Vec<&'static str> {
    record::KINDS.into_iter().filter(|kind| OTHERS.iter().all(|(other, _)| other != kind)).collect()
}

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
    #[error("kind {_0:?} is not known; `submit` knows {known}", known = kinds().join(", "))]
    Kind(String),
    /// This kind is made by another command or program.
    #[error("kind {kind:?}: {instead}; `submit` knows {known}", known = kinds().join(", "))]
    OtherKind {
        /// The kind.
        kind: String,
        /// Who makes it.
        instead: &'static str,
    },
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
    #[error("the record names no subject to sign for; give one with --sub: a URI, or <type>:<id>")]
    NoSubject,
}

impl Draft {
    /// Makes a draft from a record's JSON view, filled in from a certificate where one is given.
    ///
    /// `sub`: the subject; without one it is the record's own ([`record::default_subject`]).
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
        if let Some((_, instead)) = OTHERS.iter().find(|(other, _)| *other == kind) {
            return Err(DraftError::OtherKind { kind: kind.to_owned(), instead });
        }
        if !kinds().contains(&kind) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn example(kind: &str) -> String {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../formats/examples");
        std::fs::read_to_string(format!("{folder}/{kind}.json")).unwrap()
    }

    #[test]
    fn the_example_of_each_kind_is_taken_and_names_its_subject() {
        for kind in kinds() {
            let draft = Draft::new(kind, Some(&example(kind)), None, None);
            if matches!(kind, "approval" | "custody") {
                assert!(matches!(draft, Err(DraftError::NoSubject)), "{kind}");
            } else {
                assert!(draft.unwrap().sub.contains([':', '/']), "{kind}");
            }
            assert_eq!(Draft::new(kind, Some(&example(kind)), None, Some("a:b")).unwrap().sub, "a:b");
        }
    }

    #[test]
    fn other_kinds_are_refused_with_who_makes_them() {
        for (kind, instead) in OTHERS {
            let said = Draft::new(kind, Some(&example(kind)), None, Some("a:b")).unwrap_err().to_string();
            assert!(said.contains(instead) && said.ends_with("finding, custody, anchor"), "{said}");
        }
        let said = Draft::new("invoice", Some("{}"), None, None).unwrap_err().to_string();
        assert!(said.starts_with("kind \"invoice\" is not known; `submit` knows policy, activation, "), "{said}");
    }
}
