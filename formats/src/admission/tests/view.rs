//! The JSON view of a change.

use serde_json::{Value as Json, json};

use crate::admission::{Change, ChangeFields, Credentials, ReceiptKey};
use crate::base64;

use super::world::*;

fn full() -> Change {
    let mut limited = row(PEP, &pep_key());
    limited.rate = std::num::NonZeroU64::new(100);
    limited.max_age_s = Some(60);
    let mut log = log_row();
    log.receipts.push(ReceiptKey { key: p256(8).public(), from: 5, below: Some(900) });
    change(ChangeFields {
        event_ms: 1_767_225_600_000,
        set: vec![
            limited,
            crate::admission::IssuerRow {
                credentials: Credentials::X509(vec![vec![0xff, 0xfe]]),
                ..row(TRUST_DOMAIN, &pep_key())
            },
        ],
        retire: vec![OTHER.to_owned()],
        operators: vec![operator_key().public(), p256(3).public(), p384(4).public()],
        threshold: Some(1),
        log: Some(log),
    })
}

fn refusal(spoil: impl FnOnce(&mut Json)) -> String {
    let mut view = full().to_view();
    spoil(&mut view);
    Change::from_view(&view).unwrap_err().to_string()
}

#[test]
fn a_view_reads_as_it_is_documented() {
    let view = full().to_view();
    assert_eq!(view["v"], json!(1));
    assert_eq!(view["event_ms"], json!(1_767_225_600_000_u64));
    assert_eq!(view["set"][0]["iss"], json!(PEP));
    assert_eq!(view["set"][0]["kinds"], json!(["decision", "effect"]));
    assert_eq!(view["set"][0]["rate"], json!(100));
    assert_eq!(view["set"][1]["x509"], json!([{ "$bytes": "__4" }]));
    let key = &view["set"][0]["keys"][0];
    assert_eq!((&key["kty"], &key["crv"], key.as_object().unwrap().len()), (&json!("OKP"), &json!("Ed25519"), 3));
    let x = base64::decode_url(key["x"].as_str().unwrap()).unwrap();
    assert_eq!(pep_key().public(), crate::cose::PublicKey::ed25519(x.try_into().unwrap()).unwrap());
    let key = &view["operators"][1];
    assert_eq!((&key["kty"], &key["crv"], key.as_object().unwrap().len()), (&json!("EC"), &json!("P-256"), 4));
    let key = &view["operators"][2];
    assert_eq!((&key["kty"], &key["crv"], key["x"].as_str().unwrap().len()), (&json!("EC"), &json!("P-384"), 64));
    assert_eq!(view["log"]["origin"], json!(ORIGIN));
    assert_eq!(view["log"]["receipts"][1]["below"], json!(900));
}

#[test]
fn view_to_record_to_view_is_the_identity() {
    let change = full();
    let view = change.to_view();
    let read = Change::from_view(&view).unwrap();
    assert_eq!(read, change);
    assert_eq!(read.encode(), change.encode());
    assert_eq!(read.to_view(), view);
}

#[test]
fn a_view_that_is_wrong_is_refused_with_its_field() {
    assert_eq!(refusal(|view| *view = json!([])), "the record must be a map");
    assert_eq!(refusal(|view| *view = json!(null)), "the record must be a text, a number, a list or an object");
    assert_eq!(refusal(|view| view["v"] = json!(2)), "v is 2; this version knows 1");
    let told = refusal(|view| view["event_ms"] = json!(-1));
    assert_eq!(told, "event_ms must be an unsigned integer of at most 64 bits");
    assert!(refusal(|view| view["threshold"] = json!(1.5)).starts_with("threshold must be"));
    assert!(refusal(|view| view["set"][0]["extra"] = json!(1)).starts_with("\"set[0].extra\" is not a field"));
    assert!(refusal(|view| view["set"][0]["rate"] = json!(0)).starts_with("set[0].rate is 0"));
    assert!(refusal(|view| view["log"]["origin"] = json!(true)).starts_with("log.origin must be"));
}

#[test]
fn a_key_in_a_view_is_a_jwk_of_a_kind_that_is_known() {
    let first = |spoil: fn(&mut Json)| refusal(|view| spoil(&mut view["operators"][0]));
    assert!(first(|key| key["crv"] = json!("Ed448")).starts_with("operators[0] must be a JWK"));
    assert!(first(|key| key["kty"] = json!("EC")).starts_with("operators[0] must be a JWK"));
    assert!(first(|key| key["d"] = json!("AA")).starts_with("\"operators[0].d\" is not a field"));
    assert!(first(|key| key["x"] = json!("A===")).starts_with("operators[0].x must be base64url"));
    assert!(first(|key| key["x"] = json!(5)).starts_with("operators[0].x must be base64url"));
    assert!(first(|key| key["x"] = json!("AA")).starts_with("operators[0]: "));
    assert!(first(|key| key["y"] = key["x"].clone()).starts_with("operators[0]: "));
    assert!(first(|key| drop(key.as_object_mut().unwrap().remove("x"))).starts_with("operators[0]: "));
}

#[test]
fn bytes_in_a_view_are_base64url_and_nothing_beside() {
    let anchor = |by: Json| refusal(move |view| view["set"][1]["x509"][0] = by);
    assert!(anchor(json!({ "$bytes": "_-8", "more": 1 })).starts_with("set[1].x509[0] must be {\"$bytes\""));
    assert!(anchor(json!({ "$bytes": "/+8" })).starts_with("set[1].x509[0] must be {\"$bytes\""));
    assert!(anchor(json!("_-8")).starts_with("set[1].x509[0] must be a byte string"));
}
