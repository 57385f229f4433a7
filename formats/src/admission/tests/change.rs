//! The schema of the record: exact.md §2, CDDL and the sentences below it.

use ciborium::Value;

use crate::admission::{Change, ChangeError, ChangeFields, Credentials, ReceiptKey};
use crate::cbor;

use super::world::*;

/// A record with everything in it.
fn full() -> Value {
    let mut set_row = row(PEP, &pep_key());
    set_row.rate = std::num::NonZeroU64::new(100);
    set_row.max_age_s = Some(60);
    let x509 = crate::admission::IssuerRow {
        credentials: Credentials::X509(vec![vec![0x30], vec![0x30, 0]]),
        ..row(TRUST_DOMAIN, &pep_key())
    };
    let mut log = log_row();
    log.receipts.push(ReceiptKey { key: p256(8).public(), from: 5, below: Some(900) });
    let fields = ChangeFields {
        event_ms: u64::MAX,
        set: vec![set_row, x509],
        retire: vec![OTHER.to_owned()],
        operators: vec![operator_key().public(), p256(3).public(), p384(4).public()],
        threshold: Some(1),
        log: Some(log),
    };
    cbor::parse(&change(fields).encode()).unwrap()
}

fn parse(value: &Value) -> Result<Change, ChangeError> {
    Change::parse(&cbor::to_deterministic(value))
}

fn refusal(value: &Value) -> String {
    parse(value).unwrap_err().to_string()
}

/// Reaches the value at a path of map keys and list positions.
fn at<'a>(value: &'a mut Value, path: &str) -> &'a mut Value {
    path.split('.').filter(|step| !step.is_empty()).fold(value, |value, step| match value {
        Value::Map(pairs) => &mut pairs.iter_mut().find(|(key, _)| *key == Value::from(step)).unwrap().1,
        Value::Array(members) => &mut members[step.parse::<usize>().unwrap()],
        other => panic!("{step} of {other:?}"),
    })
}

fn map<'a>(value: &'a mut Value, path: &str) -> &'a mut Vec<(Value, Value)> {
    at(value, path).as_map_mut().unwrap()
}

fn replaced(path: &str, by: Value) -> Value {
    let mut value = full();
    *at(&mut value, path) = by;
    value
}

fn without(path: &str, name: &str) -> Value {
    let mut value = full();
    map(&mut value, path).retain(|(key, _)| *key != Value::from(name));
    value
}

#[test]
fn a_record_with_everything_is_read_and_written_back() {
    let bytes = cbor::to_deterministic(&full());
    let change = Change::parse(&bytes).unwrap();
    assert_eq!(change.encode(), bytes);
    assert_eq!(change.fields().set.len(), 2);
    assert_eq!(change.fields().log.as_ref().unwrap().receipts[1].below, Some(900));
}

#[test]
fn only_v_and_event_ms_are_required() {
    let mut value = full();
    map(&mut value, "").retain(|(key, _)| *key == Value::from("v") || *key == Value::from("event_ms"));
    assert_eq!(parse(&value).unwrap().fields(), &ChangeFields { event_ms: u64::MAX, ..ChangeFields::default() });
    assert_eq!(refusal(&without("", "v")), "v is missing");
    assert_eq!(refusal(&without("", "event_ms")), "event_ms is missing");
    assert_eq!(refusal(&replaced("v", Value::from(2))), "v is 2; this version knows 1");
}

#[test]
fn every_required_field_of_every_row_is_named_when_it_is_missing() {
    for (path, name) in [
        ("set.0", "iss"),
        ("set.0", "kinds"),
        ("set.0", "subjects"),
        ("log", "origin"),
        ("log", "checkpoint"),
        ("log", "receipts"),
        ("log.receipts.1", "key"),
        ("log.receipts.1", "from"),
    ] {
        let told = refusal(&without(path, name));
        assert!(told.ends_with(&format!("{name} is missing")), "{path}.{name}: {told}");
    }
    assert_eq!(refusal(&without("set.0", "kinds")), "set[0].kinds is missing");
    assert_eq!(refusal(&without("log.receipts.1", "from")), "log.receipts[1].from is missing");
}

#[test]
fn optional_fields_may_be_absent() {
    for (path, name) in [
        ("", "set"),
        ("", "retire"),
        ("", "operators"),
        ("", "threshold"),
        ("", "log"),
        ("set.0", "rate"),
        ("set.0", "max_age_s"),
        ("log.receipts.1", "below"),
    ] {
        parse(&without(path, name)).unwrap_or_else(|error| panic!("{path}.{name}: {error}"));
    }
}

#[test]
fn unknown_keys_are_refused_at_every_depth() {
    for path in ["", "set.0", "log", "log.receipts.0"] {
        let mut value = full();
        map(&mut value, path).push((Value::from("extra"), Value::from(1)));
        let told = refusal(&value);
        assert!(told.contains("extra") && told.contains("is not a field"), "{told}");
    }
    let mut value = full();
    map(&mut value, "operators.0").push((Value::from(2), Value::Bytes(vec![1])));
    assert!(refusal(&value).starts_with("operators[0]: "), "{}", refusal(&value));
}

#[test]
fn keys_of_another_type_are_refused() {
    let mut value = full();
    map(&mut value, "log").push((Value::from(1), Value::from(1)));
    assert_eq!(refusal(&value), "every key of log must be a text");
}

#[test]
fn values_of_another_type_are_refused_with_the_field() {
    let wrong = Value::Bool(true);
    for path in [
        "v",
        "event_ms",
        "set",
        "set.0",
        "set.0.iss",
        "set.0.keys",
        "set.0.keys.0",
        "set.0.kinds",
        "set.0.kinds.0",
        "set.0.subjects",
        "set.0.subjects.1",
        "set.0.rate",
        "set.0.max_age_s",
        "set.1.x509",
        "set.1.x509.1",
        "retire",
        "retire.0",
        "operators",
        "operators.1",
        "threshold",
        "log",
        "log.origin",
        "log.checkpoint",
        "log.receipts",
        "log.receipts.0",
        "log.receipts.0.key",
        "log.receipts.1.from",
        "log.receipts.1.below",
    ] {
        let told = refusal(&replaced(path, wrong.clone()));
        let named = path.replace(".0", "[0]").replace(".1", "[1]");
        assert!(told.starts_with(&named), "{path}: {told}");
    }
}

#[test]
fn numbers_are_unsigned_and_at_most_64_bits() {
    for path in
        ["event_ms", "set.0.rate", "set.0.max_age_s", "threshold", "log.receipts.1.from", "log.receipts.1.below"]
    {
        assert!(refusal(&replaced(path, Value::from(-1))).contains("unsigned integer"), "{path}");
        parse(&replaced(path, Value::from(u64::MAX))).unwrap();
    }
}

#[test]
fn lists_hold_at_least_one_member() {
    for path in
        ["set", "set.0.keys", "set.0.kinds", "set.0.subjects", "set.1.x509", "retire", "operators", "log.receipts"]
    {
        assert!(refusal(&replaced(path, Value::Array(vec![]))).contains("at least one member"), "{path}");
    }
}

#[test]
fn a_row_has_keys_or_anchors_and_not_both() {
    assert_eq!(refusal(&without("set.0", "keys")), "set[0] must have exactly one of keys and x509");
    let mut value = full();
    let anchors = at(&mut value, "set.1.x509").clone();
    map(&mut value, "set.0").push((Value::from("x509"), anchors));
    assert_eq!(refusal(&value), "set[0] must have exactly one of keys and x509");
}

#[test]
fn a_rate_is_at_least_1() {
    assert!(refusal(&replaced("set.0.rate", Value::from(0))).starts_with("set[0].rate is 0"));
    parse(&replaced("set.0.rate", Value::from(1))).unwrap();
}

#[test]
fn an_issuer_is_named_once_in_a_change() {
    let mut value = full();
    *at(&mut value, "set.1.iss") = Value::from(PEP);
    assert!(refusal(&value).ends_with("is named twice in one change"));
    let value = replaced("retire.0", Value::from(PEP));
    assert!(refusal(&value).ends_with("is named twice in one change"));
    let value = replaced("retire", Value::Array(vec![Value::from(OTHER), Value::from(OTHER)]));
    assert!(refusal(&value).ends_with("is named twice in one change"));
}

#[test]
fn a_cose_key_holds_exactly_what_it_needs() {
    for (label, path) in [(-1, "operators.0"), (-2, "operators.0"), (1, "operators.0"), (-3, "operators.1")] {
        let mut value = full();
        map(&mut value, path).retain(|(key, _)| *key != Value::from(label));
        assert!(refusal(&value).starts_with(&path.replace(".0", "[0]").replace(".1", "[1]")), "{label}");
    }
}

#[test]
fn receipt_keys_are_p256() {
    let ed25519 = ed25519(3).public().to_cose_value();
    let told = refusal(&replaced("log.receipts.1.key", ed25519));
    assert!(told.starts_with("log.receipts[1].key must be a P-256 key"), "{told}");
    let told = refusal(&replaced("log.receipts.1.key", p384(3).public().to_cose_value()));
    assert!(told.starts_with("log.receipts[1].key must be a P-256 key"), "{told}");
}

#[test]
fn checkpoint_is_the_logs_vkey() {
    assert!(refusal(&replaced("log.checkpoint", Value::from("key"))).contains("is not a vkey"));
    let other = refusal(&replaced("log.checkpoint", Value::from(vkey("log.example/2").to_string())));
    assert!(other.contains("whose name is log.origin"), "{other}");
    let name = crate::note::KeyName::new(ORIGIN).unwrap();
    let witness =
        crate::note::Vkey::new(name, crate::note::SignatureAlgorithm::CosignatureEd25519, vkey(ORIGIN).public_key());
    let told = refusal(&replaced("log.checkpoint", Value::from(witness.unwrap().to_string())));
    assert!(told.contains("must be an Ed25519 key (0x01)"), "{told}");
}

#[test]
fn bytes_that_are_not_deterministic_are_refused() {
    let good = cbor::to_deterministic(&full());
    let mut trailing = good.clone();
    trailing.push(0);
    assert!(matches!(Change::parse(&trailing), Err(ChangeError::Cbor(_))));
    assert!(matches!(Change::parse(&good[..good.len() - 1]), Err(ChangeError::Cbor(_))));
    // {"event_ms": 1, "v": 1}: the shorter key comes first in deterministic order.
    let unordered = [b"\xa2\x68event_ms\x01".as_slice(), b"\x61v\x01"].concat();
    assert!(matches!(Change::parse(&unordered), Err(ChangeError::Cbor(_))));
    let indefinite = [b"\xbf\x61v\x01".as_slice(), b"\x68event_ms\x01\xff"].concat();
    assert!(matches!(Change::parse(&indefinite), Err(ChangeError::Cbor(_))));
    assert_eq!(Change::parse(b"\x80").unwrap_err().to_string(), "the record must be a map");
}

#[test]
fn fields_that_could_not_be_read_back_are_not_taken() {
    let empty_row = |credentials| ChangeFields {
        set: vec![crate::admission::IssuerRow { credentials, ..row(PEP, &pep_key()) }],
        ..ChangeFields::default()
    };
    assert!(Change::new(empty_row(Credentials::Keys(vec![]))).is_err());
    assert!(Change::new(empty_row(Credentials::X509(vec![]))).is_err());
    let mut log = log_row();
    log.receipts.clear();
    assert!(Change::new(ChangeFields { log: Some(log), ..ChangeFields::default() }).is_err());
}
