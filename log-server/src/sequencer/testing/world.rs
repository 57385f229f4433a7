//! The people of the tests: an operator and three issuers, with keys made from fixed seeds.

use std::sync::OnceLock;

use govlog_formats::admission::{
    Change, ChangeFields, Credentials, Expected, IssuerRow, LogRow, ReceiptKey, operator_statement,
};
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::digest::Digest;
use govlog_formats::note::{KeyName, NoteSigner, SignatureAlgorithm};
use govlog_formats::statement::{Claims, Content, SignedStatement, StatementHeader, StreamPosition};

use super::START_MS;
use crate::refusal::Refusal;
use crate::sequencer::Committed;
use crate::tree::testing::ORIGIN;

/// Keys, and the entry 0 that names them.
pub(crate) struct World {
    pub(crate) operator: SigningKey,
    pub(crate) issuers: [SigningKey; 3],
    pub(crate) note: NoteSigner,
    pub(crate) genesis: SignedStatement,
}

/// A place in a stream, or outside all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Alone,
    At { stream: String, seq: u64, prev: Digest },
}

impl Place {
    pub(crate) fn at(stream: &str, seq: u64, prev: Digest) -> Self {
        Self::At { stream: stream.into(), seq, prev }
    }

    /// The place behind a statement that stands in a stream.
    pub(crate) fn after(statement: &SignedStatement) -> Self {
        let position = statement.claims().stream.as_ref().unwrap();
        Self::at(&position.stream, position.seq + 1, statement.sig_structure_digest())
    }
}

/// The content type that every issuer may submit; the log does not look into it.
pub(crate) const KIND: &str = "application/vnd.example.note";

impl World {
    pub(crate) fn get() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(Self::new)
    }

    fn new() -> Self {
        let operator = key(Curve::Ed25519, 1);
        let issuers = [key(Curve::Ed25519, 2), key(Curve::Ed25519, 3), key(Curve::P256, 4)];
        let name = KeyName::new(ORIGIN).unwrap();
        let note = NoteSigner::from_seed(name, SignatureAlgorithm::Ed25519, &[5; 32]).unwrap();
        let receipt = ReceiptKey { key: key(Curve::P256, 6).public(), from: 0, below: None };
        let set = issuers.iter().zip(0..).map(|(key, number)| row(number, key)).collect();
        let log = LogRow { origin: ORIGIN.into(), checkpoint: note.vkey().clone(), receipts: vec![receipt] };
        let change = Change::new(ChangeFields {
            event_ms: START_MS,
            set,
            operators: vec![operator.public()],
            log: Some(log),
            ..ChangeFields::default()
        });
        let genesis =
            operator_statement(ORIGIN, &change.unwrap(), Expected::START, START_MS / 1000, &operator).unwrap();
        Self { operator, issuers, note, genesis }
    }

    /// Signs a statement of an issuer; `text` tells statements at one place apart.
    pub(crate) fn statement(&self, issuer: usize, place: &Place, text: &str) -> SignedStatement {
        let stream = match place {
            Place::Alone => None,
            Place::At { stream, seq, prev } => Some(StreamPosition { stream: stream.clone(), seq: *seq, prev: *prev }),
        };
        let claims = Claims {
            iss: iss(issuer),
            sub: "urn:example:thing".into(),
            aud: stream.as_ref().map(|_| ORIGIN.to_owned()),
            iat: i64::try_from(START_MS / 1000).unwrap(),
            stream,
            head: None,
        };
        let header = StatementHeader { content: Content::Plain(KIND.into()), claims };
        SignedStatement::sign(&header, text.as_bytes(), &self.issuers[issuer]).unwrap()
    }

    /// Signs a chain of `count` statements of one stream from its beginning.
    pub(crate) fn chain(&self, issuer: usize, stream: &str, count: u64) -> Vec<SignedStatement> {
        let mut place = Place::at(stream, 0, Digest::ZERO);
        (0..count)
            .map(|seq| {
                let statement = self.statement(issuer, &place, &format!("{stream} {seq}"));
                place = Place::after(&statement);
                statement
            })
            .collect()
    }

    /// Signs a change of the policy at a place of the operator's stream.
    pub(crate) fn change(&self, place: Expected, fields: ChangeFields) -> SignedStatement {
        let change = Change::new(ChangeFields { event_ms: START_MS, ..fields }).unwrap();
        operator_statement(ORIGIN, &change, place, START_MS / 1000, &self.operator).unwrap()
    }
}

/// The row of an issuer's key.
pub(crate) fn row(number: usize, key: &SigningKey) -> IssuerRow {
    IssuerRow {
        iss: iss(number),
        credentials: Credentials::Keys(vec![key.public()]),
        kinds: vec![KIND.into()],
        subjects: vec!["urn:example:thing".into()],
        rate: None,
        max_age_s: None,
    }
}

pub(crate) fn iss(number: usize) -> String {
    format!("https://issuer-{number}.example")
}

fn key(curve: Curve, seed: u8) -> SigningKey {
    SigningKey::from_seed(curve, &[seed; 32]).unwrap()
}

/// Writes an answer down: `=7` a new entry, `+7` a duplicate, else why not.
pub(crate) fn decoded(answer: Result<Committed, Refusal>) -> String {
    match answer {
        Ok(committed) => {
            assert!(committed.head().size().covers(committed.index()), "an entry is under its head");
            format!("{}{}", if committed.duplicate() { '+' } else { '=' }, committed.index())
        }
        Err(Refusal::Conflict(conflict)) => format!("conflict, expected {}", conflict.expected_seq),
        Err(Refusal::Unavailable { why, .. }) => format!("{why:?}"),
        Err(Refusal::NotAdmitted(refusal)) => format!("{:?}", refusal.class()),
        Err(other) => format!("{other:?}"),
    }
}
