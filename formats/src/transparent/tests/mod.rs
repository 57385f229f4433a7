mod elements;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::cbor::tests::unhex;
use crate::cbor::{CborFault, Value, to_deterministic};
use crate::cose::{Curve, SigningKey, label};
use crate::digest::Digest;
use crate::limits::MAX_ENTRY_BYTES;
use crate::merkle::{InclusionProof, LeafIndex, TreeSize};
use crate::receipt::{ReceiptClaims, SignedRoot};
use crate::statement::{Claims, Content, StatementHeader};

fn key(curve: Curve) -> SigningKey {
    SigningKey::from_seed(curve, &[9; 32]).unwrap()
}

fn statement_of(payload: &[u8]) -> SignedStatement {
    let claims = Claims {
        iss: "https://issuer.example".to_owned(),
        sub: "spiffe://example.org/workload".to_owned(),
        aud: None,
        iat: 1_790_000_000,
        stream: None,
        head: None,
    };
    let content = Content::Plain("application/octet-stream".to_owned());
    SignedStatement::sign(&StatementHeader { content, claims }, payload, &key(Curve::Ed25519)).unwrap()
}

fn statement() -> SignedStatement {
    statement_of(b"payload")
}

fn receipt(iat: i64) -> Vec<u8> {
    let claims = ReceiptClaims { iss: "https://log.example/1".to_owned(), sub: "x:y".to_owned(), iat };
    let proof = InclusionProof { index: LeafIndex::new(1), size: TreeSize::new(2), path: vec![Digest::ZERO] };
    SignedRoot::sign(&key(Curve::P256), &claims, &Digest::ZERO).unwrap().receipt(&proof, b"note").unwrap()
}

/// The statement with any unprotected header.
fn with_unprotected(unprotected: &Value) -> Vec<u8> {
    let statement = statement();
    let unprotected = to_deterministic(unprotected);
    encode_sign1(statement.protected(), &unprotected, Some(statement.payload()), statement.signature())
}

fn with_elements(elements: Vec<Value>) -> Vec<u8> {
    with_unprotected(&Value::Map(vec![(Value::from(label::RECEIPTS), Value::Array(elements))]))
}

fn error(bytes: &[u8]) -> TransparentError {
    TransparentStatement::parse(bytes).unwrap_err()
}

#[test]
fn a_statement_and_its_receipts_travel_together() {
    let receipts = [receipt(1), receipt(2), receipt(3)];
    let bytes = assemble(statement().entry(), &receipts).unwrap();
    let parsed = TransparentStatement::parse(&bytes).unwrap();
    assert_eq!(parsed.statement(), &statement());
    assert_eq!(parsed.receipts().iter().map(AttachedReceipt::bytes).collect::<Vec<_>>(), receipts);
    for (attached, bytes) in parsed.receipts().iter().zip(&receipts) {
        assert_eq!(attached.kid(), key(Curve::P256).public().thumbprint().as_bytes());
        assert_eq!(attached.parse().unwrap().bytes(), bytes);
    }
    crate::cbor::check_deterministic(&bytes).unwrap();
}

#[test]
fn receipts_are_byte_strings_in_an_array_under_394() {
    let bytes = assemble(statement().entry(), &[receipt(1)]).unwrap();
    let element = Value::Bytes(receipt(1));
    assert_eq!(bytes, with_elements(vec![element]));
    let at = statement().entry().iter().position(|byte| *byte == 0xa0).unwrap();
    assert_eq!(bytes[..at], statement().entry()[..at]);
    assert_eq!(bytes[at..at + 5], unhex("a1 19018a 81"));
}

#[test]
fn what_is_submitted_with_receipts_is_logged_without() {
    let bytes = assemble(statement().entry(), &[receipt(1)]).unwrap();
    assert_eq!(SignedStatement::parse(&bytes).unwrap(), statement());
    assert_eq!(SignedStatement::parse_entry(&bytes), Err(StatementError::UnprotectedNotEmpty));
}

#[test]
fn a_statement_without_receipts_is_not_transparent() {
    assert_eq!(error(statement().entry()), TransparentError::NoReceipts);
    assert_eq!(error(&with_elements(vec![])), TransparentError::NoReceipts);
    assert_eq!(
        error(&with_unprotected(&Value::Map(vec![(Value::from("x"), Value::Null)]))),
        TransparentError::NoReceipts
    );
    assert_eq!(assemble(statement().entry(), &[]), Err(TransparentError::NoReceipts));
}

#[test]
fn an_inline_receipt_is_named() {
    let inline = crate::cbor::parse(&receipt(1)).unwrap();
    let refused = error(&with_elements(vec![Value::Bytes(receipt(2)), inline.clone()]));
    assert!(matches!(refused, TransparentError::Inline { position: 1, .. }));
    assert!(refused.to_string().contains("receipt 1 is written inline; it must be wrapped in a byte string"));
    // Without its tag too.
    let Value::Tag(18, array) = inline else { panic!("a receipt is tagged") };
    assert!(matches!(error(&with_elements(vec![*array])), TransparentError::Inline { position: 0, .. }));
    for other in [Value::from(1), Value::from("x"), Value::Null, Value::Map(vec![])] {
        assert!(matches!(error(&with_elements(vec![other])), TransparentError::NotBytes { position: 0, .. }));
    }
    for other in [Value::Bytes(receipt(1)), Value::Map(vec![]), Value::Null] {
        let bytes = with_unprotected(&Value::Map(vec![(Value::from(label::RECEIPTS), other)]));
        assert!(matches!(error(&bytes), TransparentError::NotArray(_)));
    }
}

#[test]
fn a_repeated_receipt_is_refused() {
    let twice = [receipt(1), receipt(2), receipt(1)];
    assert_eq!(assemble(statement().entry(), &twice), Err(TransparentError::Repeated(2)));
    let elements = twice.into_iter().map(Value::Bytes).collect();
    assert_eq!(error(&with_elements(elements)), TransparentError::Repeated(2));
}

#[test]
fn receipts_are_unprotected_only() {
    // A statement that has the label in its protected header cannot have it in the other one too.
    let header = to_deterministic(&Value::Map(vec![
        (Value::from(1), Value::from(-8)),
        (Value::from(3), Value::from("application/octet-stream")),
        (Value::from(4), Value::Bytes(vec![1; 32])),
        (Value::from(15), crate::cbor::parse(&unhex("a3 01 6161 02 6162 06 00")).unwrap()),
        (Value::from(394), Value::Array(vec![Value::Bytes(receipt(1))])),
    ]));
    let bytes = encode_sign1(&header, &[0xa0], Some(b"x"), &[0; 64]);
    assert_eq!(error(&bytes), TransparentError::NoReceipts);
    let both = encode_sign1(&header, &unhex("a1 19018a 80"), Some(b"x"), &[0; 64]);
    assert!(matches!(error(&both), TransparentError::Statement(StatementError::LabelTwice(_))));
}

#[test]
fn the_statements_own_rules_hold() {
    let bytes = assemble(statement().entry(), &[receipt(1)]).unwrap();
    let trailing = error(&[&bytes[..], &[0]].concat());
    let TransparentError::Statement(StatementError::Envelope(Sign1Error::Cbor(fault))) = trailing else {
        panic!("{trailing}")
    };
    assert_eq!(fault.why, CborFault::Trailing(1));
    assert!(assemble(&bytes, &[receipt(1)]).is_err(), "not an entry: it has receipts already");
    assert!(matches!(error(&[]), TransparentError::Statement(_)));
}

#[test]
fn the_largest_entry_still_takes_receipts_up_to_a_bound() {
    let fixed = statement_of(&vec![0; 60_000]).entry().len() - 60_000;
    let largest = statement_of(&vec![0; MAX_ENTRY_BYTES - fixed]);
    assert_eq!(largest.entry().len(), MAX_ENTRY_BYTES);
    let receipts: Vec<_> = (0..20).map(receipt).collect();
    let bytes = assemble(largest.entry(), &receipts).unwrap();
    assert_eq!(TransparentStatement::parse(&bytes).unwrap().receipts().len(), 20);
    let claims = ReceiptClaims { iss: "a".to_owned(), sub: "b".to_owned(), iat: 0 };
    let proof = InclusionProof { index: LeafIndex::new(0), size: TreeSize::new(2), path: vec![Digest::ZERO] };
    let root = SignedRoot::sign(&key(Curve::P256), &claims, &Digest::ZERO).unwrap();
    let huge: Vec<_> = (0..9).map(|fill| root.receipt(&proof, &vec![fill; 130_000]).unwrap()).collect();
    assert!(matches!(assemble(largest.entry(), &huge), Err(TransparentError::TooLarge { .. })));
    assert!(matches!(error(&vec![0xd2; MAX_TRANSPARENT_BYTES + 1]), TransparentError::TooLarge { .. }));
}

#[test]
fn every_changed_byte_is_refused_or_leaves_the_statement_as_it_was() {
    let bytes = assemble(statement().entry(), &[receipt(1)]).unwrap();
    let public = key(Curve::Ed25519).public();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            let Ok(parsed) = TransparentStatement::parse(&changed) else { continue };
            if parsed.statement().verify_signature(&public).is_ok() {
                assert_eq!(parsed.statement(), &statement());
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(
        bytes in vec(any::<u8>(), 0..300),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let _ = TransparentStatement::parse(&bytes);
        let _ = TransparentStatement::parse(&with_elements(vec![Value::Bytes(bytes)]));
        let mut changed = assemble(statement().entry(), &[receipt(1), receipt(2)]).unwrap();
        for (at, byte) in changes {
            let at = at.index(changed.len());
            changed[at] = byte;
        }
        if let Ok(parsed) = TransparentStatement::parse(&changed) {
            let receipts: Vec<_> = parsed.receipts().iter().map(|receipt| receipt.bytes().to_vec()).collect();
            prop_assert_eq!(assemble(parsed.statement().entry(), &receipts).unwrap(), changed);
        }
    }
}
