//! The protected header's labels and claims.

use super::*;

fn wrong(error: &StatementError, expected: Field) {
    assert!(matches!(error, StatementError::Wrong { field, .. } if *field == expected), "{error}");
}

#[test]
fn iss_and_sub_are_1_to_2048_bytes_of_text() {
    for (label, field) in [(ISS, Field::Iss), (SUB, Field::Sub)] {
        for good in ["x".to_owned(), "x".repeat(2048), "é".repeat(1024)] {
            assert!(draft().with_claim(label, good).parse().is_ok());
        }
        for bad in [
            Value::from(""),
            Value::from("x".repeat(2049)),
            Value::from("é".repeat(1025)),
            Value::from(1),
            Value::Bytes(vec![1]),
        ] {
            wrong(&draft().with_claim(label, bad).error(), field);
        }
        assert_eq!(draft().without_claim(label).error(), StatementError::Missing { field });
    }
}

#[test]
fn aud_is_one_text() {
    assert!(plain().with_claim(AUD, ORIGIN).parse().is_ok());
    for bad in [Value::Array(vec![Value::from(ORIGIN)]), Value::from(1), Value::Bytes(vec![1]), Value::Null] {
        wrong(&draft().with_claim(AUD, bad).error(), Field::Aud);
    }
}

#[test]
fn iat_is_a_required_integer() {
    for good in [0, -1, i64::MAX, i64::MIN] {
        assert_eq!(draft().with_claim(IAT, good).parse().unwrap().claims().iat, good);
    }
    let beyond = Value::Tag(2, Box::new(Value::Bytes(vec![1; 9])));
    for bad in [Value::Float(1.5), Value::Float(1.0), Value::from("1"), Value::Null, Value::from(1u64 << 63), beyond] {
        wrong(&draft().with_claim(IAT, bad).error(), Field::Iat);
    }
    assert_eq!(draft().without_claim(IAT).error(), StatementError::Missing { field: Field::Iat });
}

#[test]
fn a_stream_is_1_to_255_of_its_characters() {
    let all: String = (b'0'..=b'z').map(char::from).filter(char::is_ascii_alphanumeric).chain("._-".chars()).collect();
    for good in ["a".to_owned(), "a".repeat(255), all] {
        assert!(draft().with_claim("stream", good).parse().is_ok());
    }
    for bad in ["", "a:b", "a/b", "a b", "é", "a\n", "a+b", "~", &"a".repeat(256)] {
        wrong(&draft().with_claim("stream", bad).error(), Field::Stream);
    }
    wrong(&draft().with_claim("stream", 1).error(), Field::Stream);
}

#[test]
fn seq_is_below_2_63() {
    for good in [0, 1, (1 << 63) - 1] {
        let statement = draft().with_claim("seq", good).parse().unwrap();
        assert_eq!(statement.claims().stream.as_ref().unwrap().seq, good);
    }
    for bad in [Value::from(1u64 << 63), Value::from(u64::MAX), Value::from(-1), Value::from("0"), Value::Float(0.0)] {
        wrong(&draft().with_claim("seq", bad).error(), Field::Seq);
    }
}

#[test]
fn prev_and_head_are_32_bytes() {
    for (label, field) in [("prev", Field::Prev), ("head", Field::Head)] {
        assert!(draft().with_claim(label, Value::Bytes(vec![9; 32])).parse().is_ok());
        for bad in [Value::Bytes(vec![9; 31]), Value::Bytes(vec![9; 33]), Value::from("x".repeat(32)), Value::Null] {
            wrong(&draft().with_claim(label, bad).error(), field);
        }
    }
    // `head` needs no stream.
    assert!(plain().with_claim("head", Value::Bytes(vec![9; 32])).parse().is_ok());
}

#[test]
fn stream_seq_and_prev_stand_together_or_not_at_all() {
    assert_eq!(plain().parse().unwrap().claims().stream, None);
    let fields = [("stream", Field::Stream), ("seq", Field::Seq), ("prev", Field::Prev)];
    for (label, field) in fields {
        assert_eq!(draft().without_claim(label).error(), StatementError::PartialStream(field));
        let alone = fields.iter().filter(|(other, _)| *other != label);
        let alone = alone.fold(draft(), |draft, (other, _)| draft.without_claim(*other));
        assert!(matches!(alone.error(), StatementError::PartialStream(_)), "{label} alone");
    }
}

#[test]
fn a_stream_needs_an_audience() {
    assert_eq!(draft().without_claim(AUD).error(), StatementError::StreamWithoutAudience);
}

#[test]
fn cwt_claims_are_a_required_map_of_labels() {
    let mut missing = draft();
    missing.labels.retain(|(label, _)| *label != Value::from(CWT_CLAIMS));
    let without = to_deterministic(&Value::Map(missing.labels.clone()));
    let error = SignedStatement::parse(&missing.bytes_under(&without)).unwrap_err();
    assert_eq!(error, StatementError::Missing { field: Field::CwtClaims });
    assert!(matches!(draft().with(CWT_CLAIMS, 1).error(), StatementError::Claims(_)));
    assert!(matches!(draft().with_claim(Value::Bytes(vec![1]), 1).error(), StatementError::Claims(_)));
}

#[test]
fn exactly_one_of_kid_and_x5chain() {
    assert_eq!(draft().without(KID).error(), StatementError::Signer(0));
    assert_eq!(draft().with(X5CHAIN, Value::Bytes(vec![1])).error(), StatementError::Signer(2));
    let chain = |value: Value| draft().without(KID).with(X5CHAIN, value);
    let der = |byte| Value::Bytes(vec![byte]);
    let one = chain(der(1)).parse().unwrap();
    assert_eq!(one.signer(), &Signer::X5chain(vec![vec![1]]));
    // Under a chain the key comes from its leaf, so that any key of the right curve may be tried.
    assert_eq!(one.verify_signature(&draft().key.public()), Ok(()));
    let two = chain(Value::Array(vec![der(1), der(2)])).parse().unwrap();
    assert_eq!(two.signer(), &Signer::X5chain(vec![vec![1], vec![2]]));
    for bad in [
        Value::Array(vec![]),
        Value::Array(vec![der(1)]),
        Value::Array(vec![der(1), Value::from(1)]),
        Value::Bytes(vec![]),
        Value::from("x"),
    ] {
        wrong(&chain(bad).error(), Field::X5chain);
    }
}

#[test]
fn kid_is_a_thumbprint_of_32_bytes() {
    for bad in [Value::Bytes(vec![1; 31]), Value::Bytes(vec![]), Value::Bytes(vec![1; 33]), Value::from("kid")] {
        wrong(&draft().with(KID, bad).error(), Field::Kid);
    }
}

#[test]
fn exactly_one_of_content_type_and_payload_hash_algorithm() {
    assert_eq!(draft().without(CONTENT_TYPE).error(), StatementError::Content(0));
    assert_eq!(envelope().with(CONTENT_TYPE, DECISION).error(), StatementError::Content(2));
}

#[test]
fn content_types_are_text() {
    // "tstr or CoAP number": a number names no kind.
    wrong(&draft().with(CONTENT_TYPE, 50).error(), Field::ContentType);
    wrong(&envelope().with(PREIMAGE_CONTENT_TYPE, 50).error(), Field::PreimageContentType);
}

#[test]
fn a_hash_envelope_is_sha_256_and_names_the_content_type() {
    let statement = envelope().parse().unwrap();
    assert!(statement.is_hash_envelope());
    assert_eq!((statement.content_type(), statement.kind()), (DECISION, "decision"));
    assert_eq!(statement.payload_location(), None);
    let located = envelope().with(PAYLOAD_LOCATION, "https://example.org/x").parse().unwrap();
    assert_eq!(located.payload_location(), Some("https://example.org/x"));
    for bad in [Value::from(-43), Value::from(-44), Value::from("SHA-256"), Value::from(16)] {
        wrong(&envelope().with(PAYLOAD_HASH_ALG, bad).error(), Field::PayloadHashAlg);
    }
    wrong(&envelope().with(PAYLOAD_LOCATION, 1).error(), Field::PayloadLocation);
    let error = envelope().without(PREIMAGE_CONTENT_TYPE).error();
    assert_eq!(error, StatementError::Missing { field: Field::PreimageContentType });
    for bytes in [0, 31, 33, 64] {
        let error = Draft { payload: vec![7; bytes], ..envelope() }.error();
        assert!(matches!(error, StatementError::EnvelopePayload { bytes: found, .. } if found == bytes));
    }
}

#[test]
fn labels_259_and_260_need_258() {
    let error = plain().with(PREIMAGE_CONTENT_TYPE, DECISION).error();
    assert_eq!(error, StatementError::NoEnvelope(Field::PreimageContentType));
    let error = plain().with(PAYLOAD_LOCATION, "https://example.org").error();
    assert_eq!(error, StatementError::NoEnvelope(Field::PayloadLocation));
}

#[test]
fn alg_is_one_of_six() {
    assert_eq!(draft().without(ALG).error(), StatementError::Missing { field: Field::Alg });
    for label in [-7, -8, -9, -19, -35, -51] {
        assert_eq!(draft().with(ALG, label).parse().unwrap().algorithm().label(), label);
    }
    for (bad, shown) in [
        (Value::from(-36), "-36"),
        (Value::from(-52), "-52"),
        (Value::from(-257), "-257"),
        (Value::from(0), "0"),
        (Value::from(u64::MAX), "18446744073709551615"),
        (Value::from("ES256"), "\"ES256\""),
    ] {
        assert_eq!(draft().with(ALG, bad).error(), StatementError::Algorithm(shown.to_owned()));
    }
    wrong(&draft().with(ALG, Value::Null).error(), Field::Alg);
}

#[test]
fn unknown_protected_labels_and_claims_are_carried_unjudged() {
    let draft = draft()
        .with(16, "application/example")
        .with(-65_537, Value::Map(vec![(Value::Bytes(vec![1]), Value::Null)]))
        .with("x", Value::Array(vec![]))
        .with(34, Value::Array(vec![Value::from(-16), Value::Bytes(vec![1; 32])]))
        .with_claim(7, Value::Bytes(vec![1]))
        .with_claim("y", Value::Bool(true));
    let statement = draft.parse().unwrap();
    assert_eq!(statement.protected(), draft.protected());
    assert_eq!(statement.verify_signature(&draft.key.public()), Ok(()));
}

#[test]
fn protected_labels_are_integers_or_text() {
    for label in [Value::Bytes(vec![1]), Value::Array(vec![]), Value::Bool(true), Value::Float(1.5)] {
        let error = draft().with(label, 1).error();
        assert!(matches!(error, StatementError::Envelope(Sign1Error::Header { header: "protected", .. })), "{error}");
    }
}

#[test]
fn errors_name_the_field_the_offset_and_what_would_be_right() {
    let draft = draft().with_claim("stream", "a/b");
    let StatementError::Wrong { offset, .. } = draft.error() else { panic!("{}", draft.error()) };
    assert_eq!(draft.bytes()[offset..offset + 4], unhex("63612f62"));
    assert_eq!(
        draft.error().to_string(),
        format!("offset {offset}: claim stream must be text of 1 to 255 characters out of A-Z a-z 0-9 . _ -")
    );
    let missing = StatementError::Missing { field: Field::Iat };
    assert_eq!(missing.to_string(), "claim 6 iat is missing; it must be an integer of 64 bits, seconds");
    let payload = draft_with_bad_payload();
    let StatementError::Payload(CborError { offset, .. }) = payload.error() else { panic!("{}", payload.error()) };
    assert_eq!(payload.bytes()[offset], 0xf7);
}

fn draft_with_bad_payload() -> Draft {
    draft().with_payload("a2 6176 01 6178 f7")
}
