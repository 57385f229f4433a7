//! The envelope: outer array, unprotected map, canonical form, size, payload.

use super::*;
use crate::limits::{MAX_CBOR_DEPTH, MAX_ENTRY_BYTES, MAX_SUBMISSION_BYTES};

#[test]
fn the_unprotected_map_is_replaced_by_the_empty_one() {
    // An x5bag helper, a receipt and a text label.
    let full = draft().with_unprotected("a3 1820 4101 19018a 814100 6161 f5");
    let statement = full.parse().unwrap();
    let bare = draft();
    assert_eq!(statement.entry(), bare.bytes());
    assert_eq!(statement, bare.parse().unwrap());
    assert_eq!(statement.payload(), bare.payload);
    assert_eq!(statement.verify_signature(&bare.key.public()), Ok(()));
}

#[test]
fn an_entry_has_an_empty_unprotected_map() {
    let full = draft().with_unprotected("a1 6161 f5").bytes();
    assert_eq!(SignedStatement::parse_entry(&full), Err(StatementError::UnprotectedNotEmpty));
    assert!(SignedStatement::parse_entry(&draft().bytes()).is_ok());
}

#[test]
fn the_unprotected_map_is_deterministic() {
    for (map, fault) in [
        ("a2 6162 f5 6161 f5", CborFault::KeyOrder),
        ("a2 6161 f5 6161 f5", CborFault::DuplicateKey),
        ("bf 6161 f5 ff", CborFault::Indefinite),
        ("a1 6161 1800", CborFault::NotShortest(0)),
        ("a1 6161 fa3f800000", CborFault::FloatNotShortest),
        ("a1 6161 f7", CborFault::Simple(23)),
        ("a1 6161 c24101", CborFault::Bignum),
        ("a1 61ff 00", CborFault::NotUtf8),
    ] {
        assert_eq!(cbor_fault(draft().with_unprotected(map).error()), fault, "{map}");
    }
}

#[test]
fn the_unprotected_map_shares_no_label_with_the_protected_header() {
    let error = draft().with_unprotected("a1 04 4101").error();
    assert_eq!(error, StatementError::LabelTwice(Label::from(KID)));
    let error = draft().with("note", 1).with_unprotected("a1 646e6f7465 02").error();
    assert_eq!(error, StatementError::LabelTwice(Label::Text("note".to_owned())));
    // −9 in a private label of each header is one label; 1 and "1" are two.
    assert_eq!(
        draft().with(-70_000, 1).with_unprotected("a1 3a0001116f 02").error(),
        StatementError::LabelTwice(Label::from(-70_000))
    );
    assert!(draft().with_unprotected("a1 6131 02").parse().is_ok());
}

#[test]
fn crit_is_refused_in_both_headers() {
    assert_eq!(draft().with(CRIT, Value::Array(vec![Value::from(4)])).error(), StatementError::Crit);
    assert_eq!(draft().with_unprotected("a1 02 8104").error(), StatementError::Crit);
}

#[test]
fn the_unprotected_header_is_a_map_of_labels() {
    for other in ["80", "40", "f6", "00"] {
        let error = draft().with_unprotected(other).error();
        assert!(matches!(error, StatementError::Envelope(Sign1Error::Header { header: "unprotected", .. })), "{error}");
    }
    let error = draft().with_unprotected("a1 4161 00").error();
    assert!(matches!(error, StatementError::Envelope(Sign1Error::Header { header: "unprotected", .. })), "{error}");
}

#[test]
fn labels_of_a_hash_envelope_are_protected_only() {
    for (map, label) in [("a1 190102 2f", 258), ("a1 190103 6161", 259), ("a1 190104 6161", 260)] {
        assert_eq!(plain().with_unprotected(map).error(), StatementError::LabelUnprotected(Label::from(label)));
    }
    // "3 MUST NOT appear anywhere" beside them.
    assert_eq!(envelope().with_unprotected("a1 03 6161").error(), StatementError::LabelUnprotected(Label::from(3)));
}

#[test]
fn a_statement_is_tag_18_over_an_array_of_four() {
    let good = draft().bytes();
    assert_eq!(good[..2], [0xd2, 0x84]);
    for (bytes, what) in [
        (good[1..].to_vec(), "untagged"),
        ([&[0xd1], &good[1..]].concat(), "tag 17"),
        ([&[0xd2], &good[..]].concat(), "tagged twice"),
        (unhex("d2 83 40 a0 40"), "an array of three"),
        (unhex("d2 85 40 a0 40 40 40"), "an array of five"),
        (unhex("d2 a0"), "a map"),
        (unhex("00"), "a number"),
    ] {
        let error = SignedStatement::parse(&bytes).unwrap_err();
        assert_eq!(error, StatementError::Envelope(Sign1Error::NotSign1), "{what}");
    }
    assert_eq!(cbor_fault(SignedStatement::parse(&[]).unwrap_err()), CborFault::Truncated);
}

#[test]
fn every_element_has_its_type() {
    let (draft, protected) = (draft(), draft().protected());
    let build = |protected: &[u8], payload: &[u8], signature: &[u8]| {
        [&[0xd2, 0x84][..], protected, &[0xa0], payload, signature].concat()
    };
    let bytes = |content: &[u8]| to_deterministic(&Value::Bytes(content.to_vec()));
    let (protected, payload, signature) = (bytes(&protected), bytes(&draft.payload), bytes(&[0; 64]));
    assert!(SignedStatement::parse(&build(&protected, &payload, &signature)).is_ok());
    for (bytes, wrong) in [
        (build(&[0xa0], &payload, &signature), "the protected header"),
        (build(&protected, &[0xa0], &signature), "the payload"),
        (build(&protected, &[0x61, 0x61], &signature), "the payload"),
        (build(&protected, &payload, &[0xf6]), "the signature"),
    ] {
        let error = SignedStatement::parse(&bytes).unwrap_err();
        assert!(
            matches!(error, StatementError::Envelope(Sign1Error::Element { element, .. }) if element == wrong),
            "{error}"
        );
    }
    // "COSE_Sign1 […] payload bstr or nil": what is logged has its payload in it.
    assert_eq!(SignedStatement::parse(&build(&protected, &[0xf6], &signature)), Err(StatementError::Detached));
}

#[test]
fn the_outer_array_is_deterministic_without_trailing_bytes() {
    let good = draft().bytes();
    let trailing = [&good[..], &[0]].concat();
    assert_eq!(cbor_fault(SignedStatement::parse(&trailing).unwrap_err()), CborFault::Trailing(1));
    let long_tag = [&[0xd8, 18], &good[1..]].concat();
    assert_eq!(cbor_fault(SignedStatement::parse(&long_tag).unwrap_err()), CborFault::NotShortest(18));
    let indefinite = [&[0xd2, 0x9f], &good[2..], &[0xff]].concat();
    assert_eq!(cbor_fault(SignedStatement::parse(&indefinite).unwrap_err()), CborFault::Indefinite);
    for end in 0..good.len() {
        assert!(SignedStatement::parse(&good[..end]).is_err(), "cut to {end} bytes");
    }
}

#[test]
fn the_protected_header_needs_no_order_but_unique_keys_and_shortest_definite_forms() {
    let draft = plain();
    let kid = to_deterministic(&draft.labels[2].1);
    let kid: String = kid.iter().map(|byte| format!("{byte:02x}")).collect();
    let claims = "a3 06 00 02 6161 01 6162";
    let mixed = unhex(&format!("a4 0f {claims} 04 {kid} 03 6161 01 27"));
    let statement = SignedStatement::parse(&draft.bytes_under(&mixed)).unwrap();
    assert_eq!(statement.protected(), mixed, "nothing is re-serialised");
    assert_eq!(statement.verify_signature(&draft.key.public()), Ok(()));
    for (header, fault) in [
        (format!("a5 0f {claims} 04 {kid} 03 6161 01 27 01 27"), CborFault::DuplicateKey),
        (format!("a4 0f a4 06 00 02 6161 01 6162 06 01 04 {kid} 03 6161 01 27"), CborFault::DuplicateKey),
        (format!("a5 0f {claims} 04 {kid} 03 6161 01 27 6178 82 00 a2 00 01 00 02"), CborFault::DuplicateKey),
        (format!("bf 0f {claims} 04 {kid} 03 6161 01 27 ff"), CborFault::Indefinite),
        (format!("a4 0f bf 06 00 02 6161 01 6162 ff 04 {kid} 03 6161 01 27"), CborFault::Indefinite),
        (format!("a4 180f {claims} 04 {kid} 03 6161 01 27"), CborFault::NotShortest(15)),
        (format!("a4 0f {claims} 04 {kid} 03 6161 01 27 00"), CborFault::Trailing(1)),
        (format!("a5 0f {claims} 04 {kid} 03 6161 01 27 6178 fa3f800000"), CborFault::FloatNotShortest),
        (format!("a5 0f {claims} 04 {kid} 03 6161 01 27 6178 f97e01"), CborFault::NotANumber),
        (format!("a5 0f {claims} 04 {kid} 03 6161 01 27 6178 c24101"), CborFault::Bignum),
        (format!("a5 0f {claims} 04 {kid} 03 6161 01 27 6178 f7"), CborFault::Simple(23)),
        (format!("a5 0f {claims} 04 {kid} 03 6161 01 27 6178 61ff"), CborFault::NotUtf8),
    ] {
        let error = SignedStatement::parse(&draft.bytes_under(&unhex(&header))).unwrap_err();
        assert_eq!(cbor_fault(error), fault, "{header}");
    }
    assert_eq!(cbor_fault(SignedStatement::parse(&draft.bytes_under(&[])).unwrap_err()), CborFault::Truncated);
}

/// Wraps a number in arrays.
fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::from(0), |inner, _| Value::Array(vec![inner]))
}

#[test]
fn depth_is_counted_on_its_own_in_statement_protected_header_and_payload() {
    // Around a value of the protected header: its map.
    assert!(draft().with("x", nested(MAX_CBOR_DEPTH - 1)).parse().is_ok());
    assert_eq!(cbor_fault(draft().with("x", nested(MAX_CBOR_DEPTH)).error()), CborFault::Depth);
    // Around a value of the unprotected header: tag, array, map.
    let unprotected = |depth| {
        let map = Value::Map(vec![(Value::from("x"), nested(depth))]);
        Draft { unprotected: to_deterministic(&map), ..draft() }
    };
    assert!(unprotected(MAX_CBOR_DEPTH - 3).parse().is_ok());
    assert_eq!(cbor_fault(unprotected(MAX_CBOR_DEPTH - 2).error()), CborFault::Depth);
    // Around a value of the payload: its map.
    let payload = |depth| {
        let map = Value::Map(vec![(Value::from("v"), Value::from(1)), (Value::from("x"), nested(depth))]);
        Draft { payload: to_deterministic(&map), ..draft() }
    };
    assert!(payload(MAX_CBOR_DEPTH - 1).parse().is_ok());
    assert_eq!(cbor_fault(payload(MAX_CBOR_DEPTH).error()), CborFault::Depth);
    // All three at once.
    let all = Draft { payload: payload(15).payload, ..unprotected(13).with("y", nested(15)) };
    assert!(all.parse().is_ok());
}

#[test]
fn an_entry_has_65_535_bytes_at_most_after_the_replacement() {
    let foreign = |bytes| Draft { payload: vec![0; bytes], ..plain().with(CONTENT_TYPE, "application/octet-stream") };
    let fixed = foreign(60_000).bytes().len() - 60_000;
    let largest = foreign(MAX_ENTRY_BYTES - fixed);
    assert_eq!(largest.parse().unwrap().entry().len(), MAX_ENTRY_BYTES);
    let error = foreign(MAX_ENTRY_BYTES - fixed + 1).error();
    assert_eq!(error, StatementError::TooLarge { bytes: MAX_ENTRY_BYTES + 1, most: MAX_ENTRY_BYTES });
    // A large unprotected header does not count.
    let mut map = Encoder::default();
    map.map(1).text("x").bytes(&vec![0; 60_000]);
    let padded = Draft { unprotected: map.into_vec(), ..largest };
    assert!(padded.bytes().len() > MAX_ENTRY_BYTES + 60_000);
    assert_eq!(padded.parse().unwrap().entry().len(), MAX_ENTRY_BYTES);
    assert!(matches!(SignedStatement::parse_entry(&padded.bytes()), Err(StatementError::TooLarge { .. })));
}

#[test]
fn a_submission_has_128_kib_at_most() {
    let error = SignedStatement::parse(&vec![0xd2; MAX_SUBMISSION_BYTES + 1]).unwrap_err();
    assert_eq!(error, StatementError::TooLarge { bytes: MAX_SUBMISSION_BYTES + 1, most: MAX_SUBMISSION_BYTES });
    assert!(!matches!(SignedStatement::parse(&vec![0xd2; MAX_SUBMISSION_BYTES]), Err(StatementError::TooLarge { .. })));
}

#[test]
fn the_payload_of_a_record_is_deterministic() {
    for (payload, fault) in [
        ("a2 6176 01 6161 00", CborFault::KeyOrder),
        ("a2 6176 01 6176 01", CborFault::DuplicateKey),
        ("a2 6176 01 6178 a2 02 00 01 00", CborFault::KeyOrder),
        ("bf 6176 01 ff", CborFault::Indefinite),
        ("a1 6176 1801", CborFault::NotShortest(1)),
        ("a2 6176 01 6178 fb3ff0000000000000", CborFault::FloatNotShortest),
        ("a2 6176 01 6178 fa7fc00000", CborFault::NotANumber),
        ("a2 6176 01 6178 c248ffffffffffffffff", CborFault::Bignum),
        ("a2 6176 01 6178 e0", CborFault::Simple(0)),
        ("a2 6176 01 6178 62c328", CborFault::NotUtf8),
        ("a1 6176 01 00", CborFault::Trailing(1)),
        ("a1 6176", CborFault::Truncated),
        ("", CborFault::Truncated),
    ] {
        assert_eq!(cbor_fault(draft().with_payload(payload).error()), fault, "{payload}");
    }
    draft()
        .with_payload("a5 6176 01 6177 fb3ff199999999999a 6178 f97e00 6179 c249010000000000000000 617a d9270fa0")
        .parse()
        .unwrap();
}

#[test]
fn a_record_is_a_map_with_text_keys_and_v_1() {
    // After the payload come the two bytes of a head and the 64 of a signature.
    let at = |payload: &str| draft().with_payload(payload).bytes().len() - 66 - unhex(payload).len();
    for payload in ["80", "01", "f6", "61 76", "d9 0100 a1 6176 01"] {
        assert_eq!(draft().with_payload(payload).error(), StatementError::RecordNotMap(at(payload)), "{payload}");
    }
    for payload in ["a2 01 00 6176 01", "a2 4176 01 6176 01", "a2 6176 01 80 00"] {
        assert!(matches!(draft().with_payload(payload).error(), StatementError::RecordKey(_)), "{payload}");
    }
    for payload in
        ["a0", "a1 6176 00", "a1 6176 02", "a1 6176 20", "a1 6176 6131", "a1 6176 f93c00", "a1 6176 f5", "a1 6178 01"]
    {
        assert_eq!(draft().with_payload(payload).error(), StatementError::RecordVersion, "{payload}");
    }
    // Non-text keys further down are no matter.
    draft().with_payload("a2 6176 01 6178 a1 01 02").parse().unwrap();
}

#[test]
fn the_record_rules_hold_for_every_kind_of_ours_and_for_no_other() {
    for kind in ["decision", "issuance", "no-such-kind", "", "a/b"] {
        let content_type = format!("application/vnd.govlog.{kind}+cbor");
        let error = draft().with(CONTENT_TYPE, content_type.as_str()).with_payload("a0").error();
        assert_eq!(error, StatementError::RecordVersion, "{kind}");
    }
    for foreign in ["application/json", "application/vnd.govlog.decision+json", "application/cbor", ""] {
        let statement = draft().with(CONTENT_TYPE, foreign).with_payload("ff 00 1800").parse().unwrap();
        assert_eq!(statement.payload(), unhex("ff 00 1800"), "{foreign}");
    }
    // Under a hash envelope the payload is no record.
    assert!(envelope().parse().is_ok());
}
