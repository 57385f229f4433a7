//! A log with an operator and a few issuers, and statements to submit to it.

use ciborium::Value;

use crate::admission::{
    ADMISSION_POLICY, Change, ChangeFields, Credentials, Expected, GenesisRequest, IssuerRow, LogRow, PolicyState,
    ReceiptKey, operator_statement,
};
use crate::cbor;
use crate::cose::{Curve, SigningKey};
use crate::digest::Digest;
use crate::merkle::LeafIndex;
use crate::note::{KeyName, NoteSigner, SignatureAlgorithm, Vkey};
use crate::statement::{Claims, Content, SignedStatement, StatementHeader, StreamPosition};

pub(super) const ORIGIN: &str = "log.example/1";
pub(super) const OPERATOR: &str = "https://log.example/1/operator";
pub(super) const PEP: &str = "spiffe://example.org/pep";
pub(super) const OTHER: &str = "spiffe://example.org/other";
pub(super) const TRUST_DOMAIN: &str = "spiffe://x509.example";
pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const DECISION: &str = "application/vnd.govlog.decision+cbor";

pub(super) fn ed25519(number: u8) -> SigningKey {
    SigningKey::from_seed(Curve::Ed25519, &[number; 32]).unwrap()
}

pub(super) fn p384(number: u8) -> SigningKey {
    SigningKey::from_seed(Curve::P384, &[number; 48]).unwrap()
}

pub(super) fn p256(number: u8) -> SigningKey {
    SigningKey::from_seed(Curve::P256, &[number; 32]).unwrap()
}

pub(super) fn operator_key() -> SigningKey {
    ed25519(1)
}

pub(super) fn pep_key() -> SigningKey {
    ed25519(2)
}

pub(super) fn vkey(name: &str) -> Vkey {
    let name = KeyName::new(name).unwrap();
    NoteSigner::from_seed(name, SignatureAlgorithm::Ed25519, &[9; 32]).unwrap().vkey().clone()
}

pub(super) fn log_row() -> LogRow {
    let receipts = vec![ReceiptKey { key: p256(7).public(), from: 0, below: None }];
    LogRow { origin: ORIGIN.to_owned(), checkpoint: vkey(ORIGIN), receipts }
}

pub(super) fn row(iss: &str, key: &SigningKey) -> IssuerRow {
    IssuerRow {
        iss: iss.to_owned(),
        credentials: Credentials::Keys(vec![key.public()]),
        kinds: vec!["decision".to_owned(), "effect".to_owned()],
        subjects: vec!["spiffe://example.org/api".to_owned(), "spiffe://example.org/jobs/".to_owned()],
        rate: None,
        max_age_s: None,
    }
}

pub(super) fn change(fields: ChangeFields) -> Change {
    Change::new(fields).unwrap()
}

pub(super) fn set(rows: Vec<IssuerRow>) -> Change {
    change(ChangeFields { event_ms: 1, set: rows, ..ChangeFields::default() })
}

pub(super) fn genesis_statement() -> SignedStatement {
    GenesisRequest::new(log_row()).unwrap().sign(&operator_key(), 1_700_000_000_000).unwrap()
}

/// The policy of a log that has just begun.
pub(super) fn begun() -> PolicyState {
    PolicyState::genesis(&genesis_statement()).unwrap()
}

/// Signs a change in its place, by the operator, now.
pub(super) fn signed(policy: &PolicyState, change: &Change) -> SignedStatement {
    operator_statement(ORIGIN, change, policy.next_change(), NOW.unsigned_abs(), &operator_key()).unwrap()
}

/// Folds a change by the operator at the next index.
pub(super) fn applied(policy: &PolicyState, change: &Change) -> PolicyState {
    let index = LeafIndex::new(policy.as_of().get() + 5);
    policy.apply(index, &signed(policy, change)).unwrap()
}

/// The policy that most tests judge by: an enforcement point with one key, and an X.509 trust domain.
pub(super) fn policy() -> PolicyState {
    let x509 = IssuerRow { credentials: Credentials::X509(vec![vec![0x30]]), ..row(TRUST_DOMAIN, &pep_key()) };
    applied(&begun(), &set(vec![row(PEP, &pep_key()), x509]))
}

/// A record of any kind: the least that is one.
pub(super) fn record() -> Vec<u8> {
    cbor::to_deterministic(&Value::Map(vec![
        (Value::from("v"), Value::from(1)),
        (Value::from("event_ms"), Value::from(1)),
    ]))
}

/// A statement to be signed; as it starts out, [`policy`] admits it.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) claims: Claims,
    pub(super) content: Content,
    pub(super) payload: Vec<u8>,
    pub(super) key: SigningKey,
    pub(super) break_signature: bool,
}

impl Draft {
    pub(super) fn new() -> Self {
        let claims = Claims {
            iss: PEP.to_owned(),
            sub: "spiffe://example.org/api".to_owned(),
            aud: None,
            iat: NOW,
            stream: None,
            head: None,
        };
        let content = Content::Plain(DECISION.to_owned());
        Self { claims, content, payload: record(), key: pep_key(), break_signature: false }
    }

    /// A change of the policy, in its place; as it starts out, [`policy`] admits it.
    pub(super) fn change(policy: &PolicyState, change: &Change) -> Self {
        let Expected { seq, prev } = policy.next_change();
        let claims = Claims {
            iss: OPERATOR.to_owned(),
            sub: ORIGIN.to_owned(),
            aud: Some(ORIGIN.to_owned()),
            iat: NOW,
            stream: Some(StreamPosition { stream: "admission".to_owned(), seq, prev }),
            head: None,
        };
        let content = Content::Plain(ADMISSION_POLICY.to_owned());
        Self { claims, content, payload: change.encode(), key: operator_key(), break_signature: false }
    }

    pub(super) fn iss(mut self, iss: &str) -> Self {
        self.claims.iss = iss.to_owned();
        self
    }

    pub(super) fn sub(mut self, sub: &str) -> Self {
        self.claims.sub = sub.to_owned();
        self
    }

    pub(super) fn aud(mut self, aud: &str) -> Self {
        self.claims.aud = Some(aud.to_owned());
        self
    }

    pub(super) fn iat(mut self, iat: i64) -> Self {
        self.claims.iat = iat;
        self
    }

    pub(super) fn stream(mut self, name: &str, seq: u64) -> Self {
        self.claims.stream = Some(StreamPosition { stream: name.to_owned(), seq, prev: Digest::ZERO });
        self.claims.aud.get_or_insert_with(|| ORIGIN.to_owned());
        self
    }

    pub(super) fn kind(mut self, content_type: &str) -> Self {
        self.content = Content::Plain(content_type.to_owned());
        self
    }

    pub(super) fn enveloped(mut self, content_type: &str) -> Self {
        self.content = Content::HashEnvelope { content_type: content_type.to_owned(), location: None };
        self.payload = vec![0x5a; 32];
        self
    }

    pub(super) fn key(mut self, key: SigningKey) -> Self {
        self.key = key;
        self
    }

    pub(super) fn bad_signature(mut self) -> Self {
        self.break_signature = true;
        self
    }

    pub(super) fn sign(&self) -> SignedStatement {
        let header = StatementHeader { content: self.content.clone(), claims: self.claims.clone() };
        let statement = SignedStatement::sign(&header, &self.payload, &self.key).unwrap();
        if !self.break_signature {
            return statement;
        }
        // The signature stands last, R ‖ S; the lowest byte of an Ed25519 S keeps it in range.
        let mut entry = statement.entry().to_vec();
        let at = entry.len() - 32;
        entry[at] ^= 1;
        SignedStatement::parse(&entry).unwrap()
    }
}

/// A statement that names its key by a certificate chain, with a signature of nothing.
pub(super) fn x5chain_statement(iss: &str) -> SignedStatement {
    let claims = Value::Map(vec![
        (Value::from(1), Value::from(iss)),
        (Value::from(2), Value::from("spiffe://example.org/api")),
        (Value::from(6), Value::from(NOW)),
    ]);
    let protected = cbor::to_deterministic(&Value::Map(vec![
        (Value::from(1), Value::from(-7)),
        (Value::from(3), Value::from(DECISION)),
        (Value::from(15), claims),
        (Value::from(33), Value::Bytes(vec![0x30, 0x00])),
    ]));
    let array =
        vec![Value::Bytes(protected), Value::Map(Vec::new()), Value::Bytes(record()), Value::Bytes(vec![1; 64])];
    let bytes = cbor::to_deterministic(&Value::Tag(18, Box::new(Value::Array(array))));
    SignedStatement::parse(&bytes).unwrap()
}
