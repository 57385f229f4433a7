//! Keys, statements and notes that properties and seeds are made of. All of it is fixed.

use govlog_formats::admission::{Expected, GenesisRequest, LogRow, PolicyState, ReceiptKey};
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::digest::Digest;
use govlog_formats::note::{KeyName, NoteSigner, SignatureAlgorithm};
use govlog_formats::statement::{Claims, Content, SignedStatement, StatementHeader, StreamPosition};

pub(crate) const ORIGIN: &str = "log.example/1";
pub(crate) const SUBJECT: &str = "spiffe://example.org/api";

pub(crate) fn ed25519(number: u8) -> SigningKey {
    SigningKey::from_seed(Curve::Ed25519, &[number; 32]).unwrap()
}

pub(crate) fn p256(number: u8) -> SigningKey {
    SigningKey::from_seed(Curve::P256, &[number; 32]).unwrap()
}

pub(crate) fn p384(number: u8) -> SigningKey {
    SigningKey::from_seed(Curve::P384, &[number; 48]).unwrap()
}

/// The key that signs the log's checkpoints.
pub(crate) fn log_signer() -> NoteSigner {
    note_signer(ORIGIN, SignatureAlgorithm::Ed25519, 9)
}

pub(crate) fn witness(number: u8) -> NoteSigner {
    note_signer(&format!("witness.example/{number}"), SignatureAlgorithm::CosignatureEd25519, number)
}

fn note_signer(name: &str, algorithm: SignatureAlgorithm, number: u8) -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(name).unwrap(), algorithm, &[number; 32]).unwrap()
}

/// The policy of a log that has just begun; its operator has the Ed25519 key 1.
pub(crate) fn begun() -> PolicyState {
    PolicyState::genesis(&genesis_request().sign(&ed25519(1), 1_700_000_000_000).unwrap()).unwrap()
}

pub(crate) fn genesis_request() -> GenesisRequest {
    let receipts = vec![ReceiptKey { key: p256(7).public(), from: 0, below: None }];
    let row = LogRow { origin: ORIGIN.to_owned(), checkpoint: log_signer().vkey().clone(), receipts };
    GenesisRequest::new(row).unwrap()
}

/// The statement of a record, in a stream or alone.
pub(crate) fn statement(kind: &str, payload: &[u8], key: &SigningKey, in_stream: bool) -> SignedStatement {
    let Expected { seq, prev } = Expected::START;
    let claims = Claims {
        iss: "spiffe://example.org/pep".to_owned(),
        sub: SUBJECT.to_owned(),
        aud: in_stream.then(|| ORIGIN.to_owned()),
        iat: 1_700_000_000,
        stream: in_stream.then(|| StreamPosition { stream: "pep-1".to_owned(), seq, prev }),
        head: in_stream.then(|| Digest::sha256(b"note")),
    };
    let content = Content::Plain(govlog_formats::statement::content_type_of(kind));
    SignedStatement::sign(&StatementHeader { content, claims }, payload, key).unwrap()
}
