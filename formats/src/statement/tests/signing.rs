//! Signing, and verifying what was signed.

use coset::{CoseSign1, TaggedCborSerializable as _};

use super::*;

fn header() -> StatementHeader {
    StatementHeader {
        content: Content::Plain(DECISION.to_owned()),
        claims: Claims {
            iss: "https://issuer.example".to_owned(),
            sub: "spiffe://example.org/workload".to_owned(),
            aud: Some(ORIGIN.to_owned()),
            iat: 1_790_000_000,
            stream: Some(StreamPosition { stream: "s.1".to_owned(), seq: 7, prev: Digest::sha256(b"previous") }),
            head: Some(Digest::sha256(b"note")),
        },
    }
}

#[test]
fn what_is_signed_is_what_was_asked_for() {
    for curve in [Curve::Ed25519, Curve::P256, Curve::P384] {
        let (key, payload) = (key(curve), unhex("a1 6176 01"));
        let statement = SignedStatement::sign(&header(), &payload, &key).unwrap();
        assert_eq!(statement.claims(), &header().claims);
        assert_eq!(statement.algorithm(), key.algorithm());
        assert_eq!(statement.signer(), &Signer::Kid(key.public().thumbprint()));
        assert_eq!((statement.kind(), statement.payload()), ("decision", &payload[..]));
        assert_eq!(statement.verify_signature(&key.public()), Ok(()));
        crate::cbor::check_deterministic(statement.protected()).unwrap();
        assert_eq!(SignedStatement::sign(&header(), &payload, &key).unwrap(), statement, "deterministic");
        assert_eq!(SignedStatement::parse(statement.entry()).unwrap(), statement);
    }
}

#[test]
fn what_is_shown_before_signing_is_what_is_signed() {
    for curve in [Curve::Ed25519, Curve::P256] {
        let (key, payload) = (key(curve), unhex("a1 6176 01"));
        let unsigned = UnsignedStatement::new(&header(), &payload, &key).unwrap();
        let signed = unsigned.sign(&key).unwrap();
        assert_eq!(signed, SignedStatement::sign(&header(), &payload, &key).unwrap());
        assert_eq!(unsigned.sig_structure_digest(), signed.sig_structure_digest());
        assert_eq!((unsigned.protected(), unsigned.payload()), (signed.protected(), signed.payload()));
        assert_eq!((unsigned.claims(), unsigned.kind()), (signed.claims(), "decision"));
        assert_eq!(UnsignedStatement::new(&header(), &unhex("a1 6176 02"), &key), Err(StatementError::RecordVersion));
    }
}

#[test]
fn optional_claims_may_be_left_out() {
    for bits in 0..8 {
        let mut header = header();
        header.claims.head = header.claims.head.filter(|_| bits & 1 != 0);
        header.claims.stream = header.claims.stream.filter(|_| bits & 2 != 0);
        header.claims.aud = header.claims.aud.filter(|_| bits & 6 != 0);
        let statement = SignedStatement::sign(&header, &unhex("a1 6176 01"), &key(Curve::Ed25519)).unwrap();
        assert_eq!(statement.claims(), &header.claims);
        crate::cbor::check_deterministic(statement.protected()).unwrap();
    }
}

#[test]
fn hash_envelopes_are_signed_too() {
    for location in [None, Some("https://example.org/record".to_owned())] {
        let content = Content::HashEnvelope { content_type: DECISION.to_owned(), location: location.clone() };
        let header = StatementHeader { content, ..header() };
        let statement = SignedStatement::sign(&header, &[5; 32], &key(Curve::P256)).unwrap();
        assert!(statement.is_hash_envelope());
        assert_eq!((statement.kind(), statement.payload_location()), ("decision", location.as_deref()));
        crate::cbor::check_deterministic(statement.protected()).unwrap();
        assert!(SignedStatement::sign(&header, &[5; 31], &key(Curve::P256)).is_err());
    }
}

#[test]
fn nothing_is_handed_out_that_a_log_refuses_for_its_bytes() {
    let sign = |header: &StatementHeader, payload: &str| {
        SignedStatement::sign(header, &unhex(payload), &key(Curve::Ed25519)).unwrap_err()
    };
    let mut no_audience = header();
    no_audience.claims.aud = None;
    assert_eq!(sign(&no_audience, "a1 6176 01"), StatementError::StreamWithoutAudience);
    let mut no_subject = header();
    no_subject.claims.sub = String::new();
    assert!(matches!(sign(&no_subject, "a1 6176 01"), StatementError::Wrong { field: Field::Sub, .. }));
    assert_eq!(sign(&header(), "a1 6176 02"), StatementError::RecordVersion);
}

#[test]
fn an_oracle_reads_and_verifies_our_statements() {
    for curve in [Curve::Ed25519, Curve::P256, Curve::P384] {
        let key = key(curve);
        let statement = SignedStatement::sign(&header(), &unhex("a1 6176 01"), &key).unwrap();
        let oracle = CoseSign1::from_tagged_slice(statement.entry()).unwrap();
        assert_eq!(oracle.protected.header.key_id, key.public().thumbprint().as_bytes());
        assert_eq!(oracle.payload.as_deref(), Some(statement.payload()));
        assert!(oracle.unprotected.is_empty());
        let structure = oracle.tbs_data(&[]);
        assert_eq!(statement.sig_structure_digest(), Digest::sha256(&structure));
        let verified =
            oracle.verify_signature(&[], |signature, data| key.public().verify(statement.algorithm(), data, signature));
        assert_eq!(verified, Ok(()));
        assert_eq!(oracle.to_tagged_vec().unwrap(), statement.entry());
    }
}

#[test]
fn the_key_must_be_the_one_that_is_named() {
    let (signer, other) = (key(Curve::Ed25519), SigningKey::from_seed(Curve::Ed25519, &[1; 32]).unwrap());
    let statement = SignedStatement::sign(&header(), &unhex("a1 6176 01"), &signer).unwrap();
    let (named, given) = (signer.public().thumbprint(), other.public().thumbprint());
    assert_eq!(statement.verify_signature(&other.public()), Err(VerifyError::OtherKey { named, given }));
}

#[test]
fn alg_and_key_must_match() {
    let draft = draft().with(ALG, -7);
    let error = draft.parse().unwrap().verify_signature(&draft.key.public()).unwrap_err();
    let expected = SignatureError::Curve { algorithm: Algorithm::Es256, key: Curve::Ed25519 };
    assert_eq!(error, VerifyError::Signature(expected));
    // −19 and −8 are the same signatures under two numbers; the number is signed.
    let fully_specified = super::draft().with(ALG, -19);
    assert_eq!(fully_specified.parse().unwrap().verify_signature(&fully_specified.key.public()), Ok(()));
}

#[test]
fn another_ecdsa_signature_is_the_same_statement() {
    let key = key(Curve::P256);
    let statement = SignedStatement::sign(&header(), &unhex("a1 6176 01"), &key).unwrap();
    let signature = p256::ecdsa::Signature::from_slice(statement.signature()).unwrap();
    let (r, s) = (signature.r().to_bytes(), (-*signature.s()).to_bytes());
    let other = [&r[..], &s[..]].concat();
    let bytes = encode_sign1(statement.protected(), &[0xa0], Some(statement.payload()), &other);
    let altered = SignedStatement::parse(&bytes).unwrap();
    assert_eq!(altered.verify_signature(&key.public()), Ok(()));
    assert_ne!(altered.leaf_hash(), statement.leaf_hash());
    assert_eq!(altered.sig_structure_digest(), statement.sig_structure_digest());
}
