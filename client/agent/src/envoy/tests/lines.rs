//! One line, one effect.

use govlog_formats::record::effect::Outcome;
use govlog_formats::record::view;

use super::*;

/// The record of a line as its view.
fn viewed(changes: &Value, known: &Known, envoy: &Envoy) -> Value {
    let draft = draft_with(&line(changes), known, envoy).unwrap();
    view::to_json("effect", &draft.payload).unwrap()
}

#[test]
fn a_line_says_who_did_what_for_whom_and_by_which_decision() {
    let envoy = envoy("");
    let draft = draft_with(&line(&json!({"duration": 12})), &known(&["d-1"]), &envoy).unwrap();
    assert_eq!(draft.sub.as_deref(), Some("spiffe://prod.example/pep/envoy"));
    let effect = record_of(&draft);
    assert_eq!(effect.decision_id().present(), Some("d-1"));
    assert_eq!(effect.time_ms().0.present(), Some(1_795_320_442_385));
    assert_eq!(effect.time_ms().1.present(), Some(1_795_320_442_397));
    let links = links(&effect);
    assert!(links[0].starts_with("authenticated_by cert_s256") && links[0].contains(PEER), "{links:?}");
    assert!(links[1].starts_with("enforces dec") && links[1].contains("d-1") && links[1].contains(ISS), "{links:?}");
    let view = viewed(&json!({}), &known(&["d-1"]), &envoy);
    assert_eq!(view["resource"], json!({"type": "http", "id": "opa.prod.example:18443/v1/data/ledger/authz/decision"}));
    assert_eq!(view["status"], json!({"code": 200}));
    assert_eq!(view["caller"]["id"], "spiffe://prod.example/pay");
    assert_eq!(view["caller"]["credential"]["trust_domain"], "prod.example");
    assert_eq!(view["handles"]["cert_s256"], PEER);
    assert_eq!(effect.body().at(&["serial"]).present().and_then(ciborium::Value::as_bytes).unwrap()[..2], [0xee, 0x88]);
    assert_eq!(view["trace_id"], "b3f49c39fe35074398cbe1af0328913c");
    assert_eq!(view["source"]["instance"], "envoy-lab");
}

#[test]
fn the_query_is_nowhere_in_clear_and_the_line_is_what_opens() {
    for more in ["", "seal_path = true"] {
        let bytes = line(&json!({}));
        let draft = draft_with(&bytes, &known(&[]), &envoy(more)).unwrap();
        let contains = |needle: &str| draft.payload.windows(needle.len()).any(|part| part == needle.as_bytes());
        assert!(!contains("secret"));
        assert_eq!(contains("ledger/authz"), more.is_empty());
        let native = draft.openings.iter().find(|opening| opening.path == "native").unwrap();
        assert_eq!(native.opening.value, ciborium::Value::Bytes(bytes));
    }
}

#[test]
fn an_effect_without_a_decision_says_so_and_one_of_several_does_not_choose() {
    let envoy = envoy("");
    let none = record_of(&draft_with(&line(&json!({})), &known(&[]), &envoy).unwrap());
    assert!(none.decision_id().present().is_none());
    assert_eq!(links(&none).len(), 1);
    let several = record_of(&draft_with(&line(&json!({})), &known(&["d-1", "d-2"]), &envoy).unwrap());
    assert!(several.decision_id().present().is_none());
    assert_eq!(links(&several).iter().filter(|link| link.starts_with("enforces")).count(), 2);
    let written = line(&json!({"decision_id": "d-own"}));
    let own = record_of(&draft_with(&written, &known(&["d-1", "d-2"]), &envoy).unwrap());
    assert_eq!(own.decision_id().present(), Some("d-own"), "what Envoy itself writes is the decision");
}

#[test]
fn what_became_of_it_is_what_code_and_flags_say() {
    use Outcome::{Blocked, Failed, Partial, Performed};
    let cases = [
        (json!({"code": 200}), Performed),
        (json!({"code": "204"}), Performed),
        (json!({"code": 101}), Performed),
        (json!({"code": 302, "flags": ""}), Performed),
        (json!({"code": 200, "flags": "UC"}), Partial),
        (json!({"code": 200, "flags": "X,DC"}), Partial),
        (json!({"code": 403}), Blocked),
        (json!({"code": 401}), Blocked),
        (json!({"code": 429, "flags": "RL"}), Blocked),
        (json!({"code": 403, "flags": "UAEX"}), Blocked),
        (json!({"code": 503, "flags": "UAEX"}), Blocked),
        (json!({"code": 404, "flags": "NR"}), Failed),
        (json!({"code": 500}), Failed),
        (json!({"code": 503, "flags": "UH"}), Failed),
        (json!({"code": 0, "flags": "DC"}), Failed),
        (json!({"code": 200, "grpc_status": "PermissionDenied"}), Blocked),
        (json!({"code": 200, "grpc_status": "Internal"}), Failed),
        (json!({"code": 200, "grpc_status": "OK"}), Performed),
    ];
    for (changes, outcome) in cases {
        let effect = record_of(&draft_with(&line(&changes), &known(&[]), &envoy("")).unwrap());
        assert_eq!(effect.outcome().present(), Some(outcome), "{changes}");
    }
}

#[test]
fn what_is_not_well_formed_is_left_out_and_what_is_needed_refused() {
    let left_out = [
        ("request_id", json!("x".repeat(600))),
        ("request_id", json!(["a"])),
        ("traceparent", json!("00-zz-1-01")),
        ("peer_s256", json!("not hex")),
        ("peer_uri", json!("spiffe://prod.example/a,spiffe://prod.example/b")),
        ("peer_serial", json!("xyz")),
        ("peer_serial", json!("000")),
        ("method", json!("M".repeat(9_000))),
        ("duration", json!("-1")),
        ("path", json!("?only=query")),
    ];
    for (name, value) in left_out {
        let mut changes = json!({});
        changes[name] = value.clone();
        let draft = draft_with(&line(&changes), &known(&["d-1"]), &envoy("")).unwrap();
        assert_eq!(record_of(&draft).decision_id().present(), Some("d-1"), "{name} {value}");
    }
    let refused = [
        (json!({"start": "yesterday"}), "no time"),
        (json!({"start": null}), "no time"),
        (json!({"start": "99999999999.0"}), "no time"),
        (json!({"start": "17e8"}), "no time"),
        (json!({"code": "-"}), "no response code"),
        (json!({"code": 70_000}), "no response code"),
    ];
    for (changes, named) in refused {
        let why = draft_with(&line(&changes), &known(&[]), &envoy("")).unwrap_err();
        assert!(why.contains(named), "{changes}: {why}");
    }
    for bytes in [&b"{\"code\":200,\"code\":403}"[..], b"\xff{}", b"[]", b"{", b""] {
        assert!(draft_with(bytes, &known(&[]), &envoy("")).is_err());
    }
}

#[test]
fn a_time_is_read_in_either_form() {
    for (start, ms) in [
        (json!("1795320442.3"), 1_795_320_442_300),
        (json!("1795320442"), 1_795_320_442_000),
        (json!(1_795_320_442.125_f64), 1_795_320_442_125),
        (json!("2026-11-22T04:07:22.453324345Z"), 1_795_320_442_453),
    ] {
        let effect = record_of(&draft_with(&line(&json!({"start": start})), &known(&[]), &envoy("")).unwrap());
        assert_eq!(effect.time_ms().0.present(), Some(ms), "{start}");
    }
}

#[test]
fn members_may_be_called_otherwise() {
    let envoy = envoy("[fields]\nrequest_id = \"x_request_id\"\ncode = \"response_code\"");
    let bytes = line(&json!({"x_request_id": "r-7", "response_code": 403}));
    let view = view::to_json("effect", &draft_with(&bytes, &known(&[]), &envoy).unwrap().payload).unwrap();
    assert_eq!((&view["request_id"], &view["outcome"]), (&json!("r-7"), &json!("blocked")));
}

#[test]
fn a_wrong_table_is_refused_by_its_key() {
    let table = "name = \"edge\"\nlog = \"a\"\nnode = \"n\"\nperformer = \"p\"\n";
    for (text, named) in [
        (table.replace("\"edge\"", "\"a/b\""), "name"),
        (table.replace("\"n\"", "\"\""), "node"),
        (table.replace("\"p\"", &format!("\"{}\"", "p".repeat(9_000))), "performer"),
        (format!("{table}settle_s = 99999"), "settle_s"),
        (format!("{table}join_s = 0"), "join_s"),
        (format!("{table}line_kib = 0"), "line_kib"),
        (format!("{table}no_decision = [\"/a?b\"]"), "no_decision"),
    ] {
        let why = Envoy::new(toml::from_str(&text).unwrap(), Path::new("/")).unwrap_err().to_string();
        assert!(why.contains(named), "{why}");
    }
    assert!(toml::from_str::<RawEnvoy>(&format!("{table}nodes = 1")).is_err());
    let envoy =
        Envoy::new(toml::from_str(&format!("{table}no_decision = [\"/a\", \"/b/*\"]")).unwrap(), Path::new("/etc"));
    let envoy = envoy.unwrap();
    assert_eq!(envoy.log, Path::new("/etc/a"));
    assert_eq!(["/a", "/a/b", "/b/c", "/b"].map(|path| envoy.needs_decision(path)), [false, true, false, true]);
}
