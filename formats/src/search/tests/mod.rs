//! Tests of what entries are found by.

use serde_json::{Value as Json, json};

use super::*;
use crate::cose::{Curve, SigningKey};
use crate::record::view::{from_json, parse_text};
use crate::record::{KINDS, example};
use crate::statement::{Claims, Content, SignedStatement, StatementHeader, StreamPosition};

mod entries;
mod fields;
mod filters;
mod properties;

const PEP: &str = "spiffe://prod.example/pep/envoy";
const HEX: &str = "292c42db8692942a23f02804e23af6428631ef7f49c167e7f37129a3b6c8f9e9";

fn key() -> SigningKey {
    SigningKey::from_seed(Curve::Ed25519, &[42; 32]).unwrap()
}

fn header(content: Content) -> StatementHeader {
    let claims = Claims {
        iss: PEP.to_owned(),
        sub: "spiffe://prod.example/pay".to_owned(),
        aud: Some("log.example/1".to_owned()),
        iat: 1_795_320_443,
        stream: Some(StreamPosition { stream: "envoy-7f".to_owned(), seq: 0, prev: crate::digest::Digest::ZERO }),
        head: None,
    };
    StatementHeader { content, claims }
}

fn plain(content_type: &str, payload: &[u8]) -> SignedStatement {
    SignedStatement::sign(&header(Content::Plain(content_type.to_owned())), payload, &key()).unwrap()
}

/// A statement of a record's bytes; of kind `admission-policy` under another key's name than the operator's, which nobody asks here.
fn signed(kind: &str, payload: &[u8]) -> SignedStatement {
    plain(&crate::statement::content_type_of(kind), payload)
}

fn of_view(kind: &str, view: &Json) -> SignedStatement {
    signed(kind, &from_json(kind, view).unwrap())
}

fn of_example(kind: &str) -> SignedStatement {
    of_view(kind, &parse_text(example(kind).unwrap()).unwrap())
}

#[track_caller]
fn term(parameter: &str, value: &str) -> Term {
    Term::new(Column::named(parameter).unwrap(), value).unwrap()
}

/// Asks for one thing.
#[track_caller]
fn finds(parameter: &str, value: &str, statement: &SignedStatement) -> bool {
    Filter::from_pairs([(parameter, value)]).unwrap().matches(statement)
}
