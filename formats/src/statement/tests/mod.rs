mod envelope;
mod fields;
mod mutations;
mod signing;

use super::*;
use crate::cbor::tests::unhex;
use crate::cbor::{CborError, CborFault, Encoder, Value, to_deterministic};
use crate::cose::label::{
    ALG, AUD, CONTENT_TYPE, CRIT, CWT_CLAIMS, IAT, ISS, KID, PAYLOAD_HASH_ALG, PAYLOAD_LOCATION, PREIMAGE_CONTENT_TYPE,
    SUB, X5CHAIN,
};
use crate::cose::{Curve, Label, Sign1Error, SignatureError, SigningKey, encode_sign1};

const ORIGIN: &str = "log.example/1";
const DECISION: &str = "application/vnd.govlog.decision+cbor";

fn key(curve: Curve) -> SigningKey {
    SigningKey::from_seed(curve, &vec![42; curve.secret_bytes()]).unwrap()
}

/// A statement whose every part can be spoilt before it is signed.
#[derive(Clone)]
struct Draft {
    labels: Vec<(Value, Value)>,
    claims: Vec<(Value, Value)>,
    unprotected: Vec<u8>,
    payload: Vec<u8>,
    key: SigningKey,
}

fn draft() -> Draft {
    let key = key(Curve::Ed25519);
    let text = |text: &str| Value::from(text);
    Draft {
        labels: vec![
            (ALG.into(), Value::from(-8)),
            (CONTENT_TYPE.into(), text(DECISION)),
            (KID.into(), digest_value(key.public().thumbprint())),
        ],
        claims: vec![
            (ISS.into(), text("spiffe://example.org/pep")),
            (SUB.into(), text("spiffe://example.org/workload")),
            (AUD.into(), text(ORIGIN)),
            (IAT.into(), Value::from(1_790_000_000)),
            (text("stream"), text("pep-1")),
            (text("seq"), Value::from(0)),
            (text("prev"), digest_value(Digest::ZERO)),
        ],
        unprotected: vec![0xa0],
        payload: unhex("a1 6176 01"),
        key,
    }
}

/// A draft without a stream.
fn plain() -> Draft {
    draft().without_claim("stream").without_claim("seq").without_claim("prev").without_claim(AUD)
}

/// A draft whose payload is only a digest.
fn envelope() -> Draft {
    let draft = plain().without(CONTENT_TYPE).with(PAYLOAD_HASH_ALG, -16).with(PREIMAGE_CONTENT_TYPE, DECISION);
    Draft { payload: vec![7; 32], ..draft }
}

fn digest_value(digest: Digest) -> Value {
    Value::Bytes(digest.as_bytes().to_vec())
}

impl Draft {
    fn with(mut self, label: impl Into<Value>, value: impl Into<Value>) -> Self {
        let label = label.into();
        self.labels.retain(|(found, _)| *found != label);
        self.labels.push((label, value.into()));
        self
    }

    fn without(mut self, label: impl Into<Value>) -> Self {
        let label = label.into();
        self.labels.retain(|(found, _)| *found != label);
        self
    }

    fn with_claim(mut self, label: impl Into<Value>, value: impl Into<Value>) -> Self {
        let label = label.into();
        self.claims.retain(|(found, _)| *found != label);
        self.claims.push((label, value.into()));
        self
    }

    fn without_claim(mut self, label: impl Into<Value>) -> Self {
        let label = label.into();
        self.claims.retain(|(found, _)| *found != label);
        self
    }

    fn with_payload(self, payload: &str) -> Self {
        Self { payload: unhex(payload), ..self }
    }

    fn with_unprotected(self, unprotected: &str) -> Self {
        Self { unprotected: unhex(unprotected), ..self }
    }

    fn protected(&self) -> Vec<u8> {
        let claims = (Value::from(CWT_CLAIMS), Value::Map(self.claims.clone()));
        let has_claims = self.labels.iter().any(|(label, _)| *label == claims.0);
        let claims = if has_claims { vec![] } else { vec![claims] };
        to_deterministic(&Value::Map([&self.labels[..], &claims].concat()))
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes_under(&self.protected())
    }

    /// Signs the draft under a protected header that is already written.
    fn bytes_under(&self, protected: &[u8]) -> Vec<u8> {
        let signature = self.key.sign(&sig_structure(protected, &self.payload));
        encode_sign1(protected, &self.unprotected, Some(&self.payload), &signature)
    }

    fn parse(&self) -> Result<SignedStatement, StatementError> {
        SignedStatement::parse(&self.bytes())
    }

    fn error(&self) -> StatementError {
        self.parse().unwrap_err()
    }
}

fn cbor_fault(error: StatementError) -> CborFault {
    match error {
        StatementError::Envelope(Sign1Error::Cbor(error)) | StatementError::Payload(error) => error.why,
        other => panic!("{other}"),
    }
}

#[test]
fn a_good_statement_says_what_it_holds() {
    let draft = draft().with_claim("head", digest_value(Digest::sha256(b"note")));
    let statement = draft.parse().unwrap();
    assert_eq!(statement.entry(), draft.bytes());
    assert_eq!(statement.leaf_hash(), merkle::leaf_hash(&draft.bytes()));
    let expected = Claims {
        iss: "spiffe://example.org/pep".to_owned(),
        sub: "spiffe://example.org/workload".to_owned(),
        aud: Some(ORIGIN.to_owned()),
        iat: 1_790_000_000,
        stream: Some(StreamPosition { stream: "pep-1".to_owned(), seq: 0, prev: Digest::ZERO }),
        head: Some(Digest::sha256(b"note")),
    };
    assert_eq!(statement.claims(), &expected);
    assert_eq!(statement.algorithm(), Algorithm::EdDsa);
    assert_eq!(statement.signer(), &Signer::Kid(draft.key.public().thumbprint()));
    assert_eq!((statement.content_type(), statement.kind()), (DECISION, "decision"));
    assert_eq!((statement.is_hash_envelope(), statement.payload_location()), (false, None));
    assert_eq!(statement.payload(), draft.payload);
    assert_eq!(statement.protected(), draft.protected());
    assert_eq!(statement.verify_signature(&draft.key.public()), Ok(()));
    assert_eq!(SignedStatement::parse_entry(statement.entry()).unwrap(), statement);
    assert_eq!(statement.clone().into_entry(), draft.bytes());
}

#[test]
fn identity_is_the_digest_of_the_sig_structure() {
    let draft = draft();
    let statement = draft.parse().unwrap();
    let mut structure = Encoder::default();
    structure.array(4).text("Signature1").bytes(&draft.protected()).bytes(&[]).bytes(&draft.payload);
    assert_eq!(statement.sig_structure_digest(), Digest::sha256(&structure.into_vec()));
}

#[test]
fn kinds_are_short_names_of_content_types() {
    assert_eq!(kind_of("application/vnd.govlog.admission-policy+cbor"), Some("admission-policy"));
    for foreign in [
        "application/json",
        "application/vnd.govlog.decision+json",
        "application/vnd.govlog.+cbor",
        "application/vnd.govlog.a/b+cbor",
        "Application/vnd.govlog.decision+cbor",
        "application/vnd.govlog.decision+cbor; v=1",
    ] {
        assert_eq!(kind_of(foreign), None, "{foreign}");
    }
    assert_eq!(content_type_of("decision"), DECISION);
    assert_eq!(content_type_of("application/spdx+json"), "application/spdx+json");
    let foreign = plain().with(CONTENT_TYPE, "application/spdx+json").parse().unwrap();
    assert_eq!(foreign.kind(), "application/spdx+json");
}
