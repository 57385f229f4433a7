//! An issuer: a key, a stream, and statements that continue it.

use std::time::{SystemTime, UNIX_EPOCH};

use govlog_formats::admission::{Credentials, IssuerRow};
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::digest::Digest;
use govlog_formats::record::view;
use govlog_formats::statement::{Claims, Content, SignedStatement, StatementHeader, StreamPosition, content_type_of};
use serde_json::json;

/// An issuer of decisions, the only one of its stream.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Who signs.
    pub iss: String,
    /// With what.
    pub key: SigningKey,
    /// For which log.
    pub origin: String,
    /// The stream's name; none: statements stand alone.
    pub stream: Option<String>,
    /// The stream's next position.
    pub next_seq: u64,
    /// The identity of the stream's last statement.
    pub prev: Digest,
    /// How many statements were signed, so that no two are alike.
    pub signed: u64,
}

/// A statement before it is signed, open to every change that a test wants.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The claims.
    pub claims: Claims,
    /// The content type.
    pub content: Content,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Draft {
    /// Signs it as it is.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> SignedStatement {
        let header = StatementHeader { content: self.content.clone(), claims: self.claims.clone() };
        SignedStatement::sign(&header, &self.payload, key).unwrap()
    }
}

/// The prefix of every subject that issuers may speak about.
pub const SUBJECTS: &str = "spiffe://prod.example/";

impl Issuer {
    /// Makes an issuer with a key of its own: even numbers sign with Ed25519, odd ones with P-256.
    #[must_use]
    pub fn new(number: u8, origin: &str) -> Self {
        let curve = if number.is_multiple_of(2) { Curve::Ed25519 } else { Curve::P256 };
        let seed = *Digest::sha256(&[b'i', number]).as_bytes();
        Self {
            iss: format!("https://issuer-{number}.example"),
            key: SigningKey::from_seed(curve, &seed).unwrap(),
            origin: origin.to_owned(),
            stream: Some(format!("stream-{number}")),
            next_seq: 0,
            prev: Digest::ZERO,
            signed: 0,
        }
    }

    /// The row that admits it.
    #[must_use]
    pub fn row(&self) -> IssuerRow {
        IssuerRow {
            iss: self.iss.clone(),
            credentials: Credentials::Keys(vec![self.key.public()]),
            kinds: vec!["decision".into(), "effect".into(), "issuance".into()],
            subjects: vec![SUBJECTS.into()],
            rate: None,
            max_age_s: None,
        }
    }

    /// Drafts a decision at the stream's next position, without taking it.
    #[must_use]
    pub fn draft(&self) -> Draft {
        let subject = format!("{SUBJECTS}workload-{}", self.signed % 7);
        let record = json!({
            "v": 1, "event_ms": now_s() * 1000, "decision_id": format!("{}-{}", self.iss, self.signed),
            "subject": { "id": subject }, "action": { "name": "read" },
            "resource": { "type": "account", "id": format!("acct-{}", self.signed) }, "result": "permit",
        });
        let position = |stream: &String| StreamPosition { stream: stream.clone(), seq: self.next_seq, prev: self.prev };
        let claims = Claims {
            iss: self.iss.clone(),
            sub: subject,
            aud: Some(self.origin.clone()),
            iat: i64::try_from(now_s()).unwrap(),
            stream: self.stream.as_ref().map(position),
            head: None,
        };
        let payload = view::from_json("decision", &record).unwrap();
        Draft { claims, content: Content::Plain(content_type_of("decision")), payload }
    }

    /// Signs the stream's next statement.
    pub fn sign_next(&mut self) -> SignedStatement {
        let statement = self.draft().sign(&self.key);
        self.took(&statement);
        statement
    }

    /// Goes on behind a statement.
    pub fn took(&mut self, statement: &SignedStatement) {
        self.signed += 1;
        if statement.claims().stream.is_some() {
            self.next_seq += 1;
            self.prev = statement.sig_structure_digest();
        }
    }
}

/// The clock, in POSIX seconds.
#[must_use]
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
