//! Every line of the reference on routes, statuses and shapes, by name.

mod access;
mod admin;
mod any;
mod batches;
mod entries;
mod json;
mod openapi;
mod receipts;
mod records;
mod tiles;

use govlog_formats::cose::SigningKey;
use govlog_formats::statement::{Claims, Content, SignedStatement, StatementHeader};

use crate::sequencer::testing::{Place, START_MS, World};

/// A statement of the first issuer outside all streams.
pub(super) fn statement(text: &str) -> SignedStatement {
    World::get().statement(0, &Place::Alone, text)
}

/// Statements of the first issuer outside all streams.
pub(super) fn statements(count: u64) -> Vec<SignedStatement> {
    (0..count).map(|number| statement(&format!("entry {number}"))).collect()
}

/// A statement of which a test changes the header, signed by the key given.
pub(super) fn signed_with(key: &SigningKey, change: impl FnOnce(&mut StatementHeader)) -> SignedStatement {
    let claims = Claims {
        iss: "https://issuer-0.example".into(),
        sub: "urn:example:thing".into(),
        aud: None,
        iat: i64::try_from(START_MS / 1000).unwrap(),
        stream: None,
        head: None,
    };
    let mut header = StatementHeader { content: Content::Plain("application/vnd.example.note".into()), claims };
    change(&mut header);
    SignedStatement::sign(&header, b"payload", key).unwrap()
}

/// As [`signed_with`], with the first issuer's key.
pub(super) fn changed(change: impl FnOnce(&mut StatementHeader)) -> SignedStatement {
    signed_with(&World::get().issuers[0], change)
}
