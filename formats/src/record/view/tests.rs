use ciborium::Value;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::record::KINDS;
use crate::record::arbitrary::{any_record, any_value, typed_record};

const HEX: &str = "292c42db8692942a23f02804e23af6428631ef7f49c167e7f37129a3b6c8f9e9";

fn digest() -> Value {
    Value::Bytes(crate::digest::Digest::from_hex_lenient(HEX).unwrap().as_bytes().to_vec())
}

fn bytes_of(pairs: Vec<(&str, Value)>) -> Vec<u8> {
    cbor::to_deterministic(&Value::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect()))
}

/// Checks one value under one key of a kind, both ways.
#[track_caller]
fn both_ways(kind: &str, key: &str, value: Value, view: &Json) {
    let payload = bytes_of(vec![(key, value)]);
    let mut object = Object::new();
    let name = if key.starts_with(MARK) { format!("${key}") } else { key.to_owned() };
    object.insert(name, view.clone());
    let record = Json::Object(object);
    assert_eq!(to_json(kind, &payload).unwrap(), record);
    assert_eq!(from_json(kind, &record).unwrap(), payload);
}

#[track_caller]
fn refused(kind: &str, view: &Json) -> String {
    from_json(kind, view).unwrap_err().to_string()
}

#[test]
fn every_form_of_value_both_ways() {
    let none = "no such kind";
    both_ways(none, "a", Value::Null, &json!(null));
    both_ways(none, "a", Value::Bool(true), &json!(true));
    both_ways(none, "a", Value::from(u64::MAX), &json!(u64::MAX));
    both_ways(none, "a", Value::from(i64::MIN), &json!(i64::MIN));
    both_ways(none, "a", Value::from("text"), &json!("text"));
    both_ways(none, "a", Value::from("$text"), &json!("$text"));
    both_ways(none, "a", Value::Float(1.0), &json!(1.0));
    both_ways(none, "a", Value::Float(-0.0), &json!(-0.0));
    both_ways(none, "a", Value::Float(0.1), &json!(0.1));
    both_ways(none, "a", Value::Float(f64::INFINITY), &json!({"$float": "Infinity"}));
    both_ways(none, "a", Value::Float(f64::NEG_INFINITY), &json!({"$float": "-Infinity"}));
    both_ways(none, "a", Value::Float(f64::NAN), &json!({"$float": "NaN"}));
    both_ways(none, "a", Value::Bytes(vec![0xfb, 0xff]), &json!({"$bytes": "-_8"}));
    both_ways(none, "a", Value::Bytes(Vec::new()), &json!({"$bytes": ""}));
    both_ways(none, "a", Value::Array(vec![Value::from(1), Value::Null]), &json!([1, null]));
    both_ways(none, "a", Value::Map(Vec::new()), &json!({}));
    both_ways(none, "a", Value::Map(vec![(1.into(), 2.into())]), &json!({"$map": [[1, 2]]}));
    both_ways(none, "a", Value::Tag(1, Box::new(5.into())), &json!({"$tag": 1, "value": 5}));
    let below = i128::from(i64::MIN) - 1;
    both_ways(none, "a", Value::Integer(below.try_into().unwrap()), &json!({"$int": "-9223372036854775809"}));
    let beyond = Value::Tag(2, Box::new(Value::Bytes(vec![1, 0, 0, 0, 0, 0, 0, 0, 0])));
    both_ways(none, "a", beyond, &json!({"$tag": 2, "value": {"$bytes": "AQAAAAAAAAAA"}}));
}

#[test]
fn keys_that_begin_with_a_dollar_get_a_second_one() {
    both_ways("decision", "$", Value::from(1), &json!(1));
    both_ways("decision", "$bytes", Value::from(1), &json!(1));
    both_ways("decision", "$$sealed", Value::from("x"), &json!("x"));
}

#[test]
fn floats_become_the_shortest_exact_form() {
    let payload = from_json("x", &json!({"a": 1.5, "b": 0.1, "c": 65505.0})).unwrap();
    let floats = [&[0xf9, 0x3e, 0x00][..], &0.1_f64.to_be_bytes(), &65505.0_f32.to_be_bytes()];
    for float in floats {
        assert!(payload.windows(float.len()).any(|window| window == float), "{float:x?}");
    }
}

#[test]
fn digests_of_known_kinds_are_hex() {
    both_ways("decision", "op_digest", digest(), &json!(HEX));
    both_ways("application/vnd.govlog.decision+cbor", "op_digest", digest(), &json!(HEX));
    both_ways("effect", "output_digest", digest(), &json!(HEX));
    both_ways("issuance", "entry_digest", digest(), &json!(HEX));
    both_ways("stream", "head", digest(), &json!(HEX));
    both_ways("quarantine", "digest", digest(), &json!(HEX));
    let handles = |value| Value::Map(vec![("tbs_s256".into(), value)]);
    both_ways("issuance", "handles", handles(digest()), &json!({"tbs_s256": HEX}));
    both_ways("policy", "handles", handles(digest()), &json!({"tbs_s256": HEX}));
    let target = Value::Map(vec![("handle".into(), Value::Array(vec!["cert_s256".into(), digest()]))]);
    let link = Value::Map(vec![("rel".into(), "about".into()), ("target".into(), target)]);
    both_ways(
        "finding",
        "links",
        Value::Array(vec![link]),
        &json!([{"rel": "about", "target": {"handle": ["cert_s256", HEX]}}]),
    );
    let policy =
        Value::Map(vec![("policy_digest".into(), Value::Array(vec!["sha1".into(), Value::Bytes(vec![1; 20])]))]);
    both_ways("issuance", "governance", policy, &json!({"policy_digest": ["sha1", "01".repeat(20)]}));
}

#[test]
fn what_stands_in_the_place_of_a_digest_keeps_its_type() {
    both_ways("decision", "op_digest", Value::from(HEX), &json!({"$text": HEX}));
    both_ways("decision", "op_digest", Value::Bytes(vec![1; 31]), &json!({"$bytes": base64url(&[1; 31])}));
    both_ways("decision", "op_digest", Value::from(5), &json!(5));
}

#[test]
fn elsewhere_bytes_are_not_hex() {
    both_ways("no such kind", "op_digest", digest(), &json!({"$bytes": "KSxC24aSlCoj8CgE4jr2QoYx739JwWfn83Epo7bI-ek"}));
}

fn base64url(bytes: &[u8]) -> String {
    crate::base64::encode_url(bytes)
}

#[test]
fn sealed_values_print_digest_and_reference() {
    let sealed = crate::record::sealed::Sealed {
        digest: crate::digest::Digest::from_bytes([7; 32]),
        reference: Some(vec![1, 2, 3]),
    };
    let b64 = base64url(&[7; 32]);
    both_ways("decision", "op_digest", sealed.to_value(), &json!({"$sealed": b64, "ref": "AQID"}));
    let plain = crate::record::sealed::Sealed { reference: None, ..sealed };
    both_ways("effect", "anything", plain.to_value(), &json!({"$sealed": b64}));
    // records.md §1: "Body keys common to all kinds but `admission-policy`, which has […] no sealed values"
    refused("admission-policy", &json!({"v": 1, "event_ms": {"$sealed": b64}}));
    refused("admission-policy", &json!({"v": 1, "event_ms": 1, "retire": [{"$sealed": b64}]}));
}

#[test]
fn refusals_name_the_place_and_what_would_be_right() {
    let cases = [
        (json!({"op_digest": "29"}), "op_digest: \"29\" is not a digest: 64 lower-case hex digits"),
        (json!({"op_digest": HEX.to_uppercase()}), "is not a digest"),
        (
            json!({"op_digest": {"$bytes": base64url(&[1; 32])}}),
            "op_digest: a digest is written as 64 lower-case hex digits",
        ),
        (
            json!({"policies": [{}, {"policy_digest": ["s", "0"]}]}),
            "policies[1].policy_digest[1]: \"0\" is not a digest",
        ),
        (json!({"a": {"$bytes": "A"}}), "a: not base64url without padding"),
        (json!({"a": {"$bytes": "AQ=="}}), "a: not base64url without padding"),
        (json!({"a": {"$bytes": "AR"}}), "a: not base64url without padding"),
        (json!({"a": {"$bytes": 5}}), "a: bytes are base64url in a string"),
        (
            json!({"a": {"$bytes": "", "b": 1}}),
            "a: \"$bytes\" and \"b\" do not stand together; a key that begins with $ is written with $$",
        ),
        (json!({"a": {"$bytes": "", "": null}}), "a: \"$bytes\" and \"\" do not stand together"),
        (json!({"a": {"$other": 1}}), "a: \"$other\" is none of $bytes, $sealed"),
        (json!({"a": {"$sealed": "AQ"}}), "a: \"$sealed\" is 32 bytes"),
        (json!({"a": {"$tag": 1}}), "a: \"value\" belongs beside \"$tag\""),
        (json!({"a": {"$tag": -1, "value": 1}}), "a: \"$tag\" is an integer of 0 or more"),
        (json!({"a": {"$tag": 2, "value": {"$bytes": "AQ"}}}), "a: tags 2 and 3 are for integers beyond 64 bits"),
        (json!({"a": {"$int": "5"}}), "a: an integer of 64 bits is written plainly"),
        (json!({"a": {"$int": "-18446744073709551617"}}), "a: \"$int\" is at least"),
        (json!({"a": {"$int": "-09223372036854775809"}}), "a: \"$int\" is a decimal number"),
        (json!({"a": {"$float": "1"}}), "a: \"$float\" is \"NaN\""),
        (json!({"a": {"$text": "x"}}), "a: text is written as a plain string here"),
        (json!({"a": {"$map": [["k", 1]]}}), "a: \"$map\" is a list of lists"),
        (json!({"a": {"$map": [[1]]}}), "a[0]: \"$map\" is a list of lists"),
        (json!({"a": {"$map": [[1, 2], [1, 3]]}}), "record: offset"),
        (json!([1]), "record: a record is a map with text keys"),
        (json!("x"), "record: a record is a map with text keys"),
        (json!({"$map": [[1, 2]]}), "record: a record is a map with text keys"),
    ];
    for (view, expected) in cases {
        let error = refused("decision", &view);
        assert!(error.contains(expected), "{view}: {error}");
    }
}

#[test]
fn a_tag_of_sealed_values_is_not_written_as_a_plain_tag() {
    let view = json!({"a": {"$tag": 1_735_357_036, "value": {"d": {"$bytes": base64url(&[7; 32])}}}});
    assert_eq!(refused("decision", &view), "a: tag 1735357036 is written as \"$sealed\"");
    both_ways(
        "decision",
        "a",
        Value::Tag(1_735_357_036, Box::new(5.into())),
        &json!({"$tag": 1_735_357_036, "value": 5}),
    );
}

#[test]
fn sixteen_levels_pass_and_seventeen_do_not() {
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let payload = from_json("decision", &json!({"a": nested(15)})).unwrap();
    assert_eq!(to_json("decision", &payload).unwrap(), json!({"a": nested(15)}));
    assert!(refused("decision", &json!({"a": nested(16)})).contains("16"));
    assert!(refused("decision", &json!({"a": nested(100)})).contains("nested deeper than 16"));
}

#[test]
fn an_admission_policy_prints_as_its_type_does() {
    let view = json!({"v": 1, "event_ms": 5, "retire": ["spiffe://prod.example/pep"], "threshold": 1});
    let payload = from_json("admission-policy", &view).unwrap();
    assert_eq!(Change::parse(&payload).unwrap().to_view(), view);
    assert_eq!(to_json("application/vnd.govlog.admission-policy+cbor", &payload).unwrap(), view);
    assert!(refused("admission-policy", &json!({"v": 1, "event_ms": 5, "other": 1})).contains("other"));
    assert!(to_json("admission-policy", &[0xa0]).is_err());
}

#[test]
fn not_a_record_is_not_printed() {
    for payload in [&[0x80_u8][..], &[0xa1, 0x01, 0x02], &[0xa0, 0x00], &[0xbf, 0xff], &[]] {
        assert!(to_json("decision", payload).is_err(), "{payload:x?}");
    }
}

#[test]
fn text_is_read_strictly() {
    assert_eq!(
        parse_text(r#"{"a": [1, -1, 1.5, "1e999999 \" 18446744073709551616", null, true]}"#).unwrap()["a"][1],
        json!(-1)
    );
    assert_eq!(parse_text("18446744073709551615").unwrap(), json!(u64::MAX));
    assert_eq!(parse_text("-9223372036854775808").unwrap(), json!(i64::MIN));
    assert_eq!(parse_text("0.1").unwrap(), json!(0.1));
    // Written for a reader that rounds the last digit wrongly unless told to be exact.
    assert_eq!(
        parse_text("2.0716950400735e-292").unwrap().as_f64().unwrap().to_bits(),
        2.0716950400735e-292_f64.to_bits()
    );
    let cases = [
        ("{\"a\": 1,\n \"a\": 2}", "line 2: the key \"a\" stands twice in one object"),
        ("{\n\n\"a\": 18446744073709551616}", "line 3: the integer 18446744073709551616 does not fit 64 bits"),
        ("[-9223372036854775809]", "line 1: the integer -9223372036854775809 does not fit 64 bits"),
        ("{\"a\": tru}", "line 1: expected ident"),
        ("{} {}", "line 1: trailing characters"),
        ("", "EOF"),
        ("\"open", "EOF"),
    ];
    for (text, expected) in cases {
        let error = parse_text(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn filling_adds_and_never_changes() {
    let object = |json: Json| json.as_object().unwrap().clone();
    let mut view = object(json!({"stage": "issued", "handles": {"jkt": "1"}}));
    fill(&mut view, &object(json!({"subject": "s", "handles": {"jkt": "1", "cert_s256": "2"}}))).unwrap();
    assert_eq!(
        Json::Object(view.clone()),
        json!({"stage": "issued", "subject": "s", "handles": {"jkt": "1", "cert_s256": "2"}})
    );
    let error = fill(&mut view, &object(json!({"handles": {"cert_s256": "3"}}))).unwrap_err();
    assert_eq!(error.to_string(), "handles.cert_s256: \"2\" stands there, should be \"3\"");
    assert!(fill(&mut view, &object(json!({"subject": {"id": "s"}}))).is_err());
}

fn kind() -> impl Strategy<Value = &'static str> {
    prop::sample::select(KINDS[1..].to_vec())
}

proptest! {
    #[test]
    fn cbor_to_view_to_cbor_is_the_identity(kind in kind(), record in any_record()) {
        let payload = cbor::to_deterministic(&record);
        // A value that cannot be a record's is refused here as there.
        prop_assume!(cbor::check_deterministic(&payload).is_ok());
        let view = to_json(kind, &payload).unwrap();
        prop_assert_eq!(from_json(kind, &view).unwrap(), payload.clone());
        let text = serde_json::to_string(&view).unwrap();
        let read = parse_text(&text).unwrap();
        prop_assert_eq!(from_json(kind, &read).unwrap(), payload);
        prop_assert_eq!(read, view);
    }

    #[test]
    fn valid_records_survive_their_view((kind, record) in typed_record()) {
        let payload = cbor::to_deterministic(&record);
        prop_assert_eq!(from_json(kind, &to_json(kind, &payload).unwrap()).unwrap(), payload);
    }

    #[test]
    fn view_to_cbor_to_view_is_the_identity(kind in kind(), view in any_json()) {
        if let Ok(payload) = from_json(kind, &view) {
            prop_assert_eq!(sorted(&to_json(kind, &payload).unwrap()), sorted(&view));
        }
    }

    #[test]
    fn no_bytes_and_no_text_panic(kind in kind(), bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,200}") {
        let _ = to_json(kind, &bytes);
        if let Ok(view) = parse_text(&text) {
            let _ = from_json(kind, &view);
        }
    }

    #[test]
    fn json_text_never_panics(text in r#"[\[\]{}:,"\\0-9eE.$a-z+ -]{0,60}"#) {
        if let Ok(view) = parse_text(&text) {
            prop_assert_eq!(&view, &serde_json::from_str::<Json>(&text).unwrap());
            let _ = from_json("decision", &view);
        }
    }

    #[test]
    fn nested_values_are_the_same_under_unknown_keys(value in any_value()) {
        let payload = bytes_of(vec![("x", value)]);
        prop_assume!(cbor::check_deterministic(&payload).is_ok());
        prop_assert_eq!(to_json("decision", &payload).unwrap(), to_json("of-tomorrow", &payload).unwrap());
    }
}

/// JSON that comes near to a view.
fn any_json() -> BoxedStrategy<Json> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "[0-9a-f]{64}".prop_map(Json::from),
        "[0-9a-zA-Z_-]{0,12}".prop_map(Json::from),
        "[0-9a-zA-Z_-]{43}".prop_map(Json::from),
        Just(json!("NaN")),
        Just(json!("-9223372036854775810")),
    ];
    let value = leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::hash_map(name(), inner.clone(), 0..4)
                .prop_map(|pairs| Json::Object(pairs.into_iter().collect())),
            (name(), inner.clone()).prop_map(|(name, inner)| json!({ name: inner })),
            (inner.clone(), inner).prop_map(|(key, value)| json!({ "$map": [[key, value]] })),
        ]
    });
    prop::collection::hash_map(name(), value, 0..5).prop_map(|pairs| Json::Object(pairs.into_iter().collect())).boxed()
}

fn name() -> impl Strategy<Value = String> {
    let names = [
        "op_digest",
        "handles",
        "cert_s256",
        "links",
        "target",
        "entry",
        "$bytes",
        "$sealed",
        "$tag",
        "value",
        "ref",
        "$int",
        "$float",
        "$text",
        "$map",
        "$$a",
        "policies",
        "policy_digest",
    ];
    prop_oneof![4 => prop::sample::select(names.to_vec()).prop_map(str::to_owned), 1 => "[a-z$]{0,4}"]
}

/// Puts the pairs of `$map` in one order, as objects have none either.
fn sorted(json: &Json) -> Json {
    match json {
        Json::Array(items) => items.iter().map(sorted).collect(),
        Json::Object(object) => object
            .iter()
            .map(|(key, value)| {
                let mut value = sorted(value);
                if let (true, Json::Array(pairs)) = (key == "$map", &mut value) {
                    pairs.sort_by_key(ToString::to_string);
                }
                (key.clone(), value)
            })
            .collect::<Object>()
            .into(),
        other => other.clone(),
    }
}
