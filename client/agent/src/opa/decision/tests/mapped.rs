//! What stands in a record, in clear and sealed.

use govlog_formats::record::Recorded;

use super::*;

const MCP: &str = r#"
prefix = "/opa"
pdp = "opa.prod"
pep = "gateway"
enforcement = "shadow"
[[mapping]]
path = "mcp/tools"
subject = "/input/user"
subject_type = "/input/kind"
action = "/input/method"
resource = "/input/params/0"
resource_type = "tool"
decision = "/result/allow"
reasons = "/result/reasons"
"#;

fn mcp_event() -> Json {
    let mut event =
        event_with("/input", json!({"user": "u-1", "kind": "human", "method": "tools/call", "params": ["mail.send"]}));
    event["path"] = json!("/mcp/tools/allow");
    event["result"] = json!({"allow": false, "reasons": ["scope", "hours"]});
    event
}

#[test]
fn an_authzen_event_becomes_a_record() {
    let draft = mapped(&event());
    assert_eq!((draft.kind, draft.sub.as_deref()), ("decision", Some(PAY)));
    let expected = json!({
        "v": 1, "event_ms": 1_795_320_442_453_u64, "decision_id": "d-1", "assurance": "adapter-signed",
        "source": {"system": "opa", "version": "1.22.2", "instance": "opa-1", "native_id": "d-1"},
        "pdp": "opa/opa-1", "pep": ENVOY, "result": "permit",
        "subject": {
            "id": PAY, "type": "workload",
            "credential": {"type": "x509", "trust_domain": "prod.example", "handle": ["cert_s256", HASH]},
        },
        "action": {"name": "post"}, "resource": {"type": "account", "id": "acct-5"},
        "policies": [{"name": "authz", "revision": "r1"}, {"name": "data"}], "policy_ids": ["ledger/authz/decision"],
        "erased": ["/input/context/session_token"], "masked": ["/input/context/email"],
        "trace_id": "b0b4ffc0043079a03a1c6f5a90a8638e", "span_id": "4a27020f7f249e9d",
        "request_id": "9ecad910-3b21-427e-bc9f-a890b387a776",
        "links": [{"rel": "authenticated_by", "target": {"handle": ["cert_s256", HASH]}}],
    });
    assert_eq!(shown(&draft), expected);
    assert_eq!(record(&draft).credential().present().unwrap().digest(), HASH.parse().ok());
}

#[test]
fn what_is_sealed_opens_to_the_exact_bytes() {
    let text = event().to_string().replace("589", " 5.890e+2 ").replace("\"req_id\":2", "\"r\\u0065q_id\" : 1e999");
    let draft = draft_of(text.as_bytes(), &group()).unwrap();
    let paths: Vec<&str> = draft.openings.iter().map(|opening| opening.path.as_str()).collect();
    assert_eq!(paths, ["input", "output", "nd_cache", "native"]);
    let input = std::str::from_utf8(opened(&draft, "input")).unwrap();
    assert!(input.contains("\"amount\": 5.890e+2 ") && text.contains(input), "{input}");
    assert_eq!(opened(&draft, "output"), b"true");
    assert_eq!(opened(&draft, "nd_cache"), br#"{"time.now_ns":{"[]":1}}"#);
    let record = record(&draft);
    for opening in &draft.openings {
        let Recorded::Sealed(sealed) = record.body().at(&[opening.path.as_str()]) else { panic!("{}", opening.path) };
        sealed.open(&opening.opening).unwrap();
    }
    let native = std::str::from_utf8(opened(&draft, "native")).unwrap();
    assert!(native.contains("\"r\\u0065q_id\":1e999"), "{native}");
    let native = Object::parse(json::value(native.as_bytes()).unwrap()).unwrap();
    let mut names: Vec<&str> = native.members().map(|(name, _)| &**name).collect();
    names.sort();
    // `data` has no revision and nothing else: the policies say all of the bundles.
    assert_eq!(names, ["labels", "metrics", "req_id", "request_context", "requested_by", "timestamp"]);
}

#[test]
fn members_said_in_part_or_not_known_stand_in_native() {
    let mut event = event_with("/path", json!("/ledger/authz/decision"));
    event["bundles"]["authz"]["etag"] = json!("x");
    event["revision"] = json!("old");
    event["custom"] = json!({"a": 1});
    event["batch_decision_id"] = json!("b-1");
    event["new in 2027"] = json!([]);
    let draft = mapped(&event);
    let native: Json = serde_json::from_slice(opened(&draft, "native")).unwrap();
    for name in ["path", "bundles", "revision", "custom", "batch_decision_id", "new in 2027", "labels"] {
        assert_eq!(native[name], event[name], "{name}");
    }
    assert!(native.get("input").is_none() && native.get("decision_id").is_none());
    assert_eq!(shown(&draft)["policy_ids"], json!(["ledger/authz/decision"]));
}

#[test]
fn a_mapping_says_where_things_stand() {
    let group = group_of(MCP);
    let draft = mapped_by(&mcp_event(), &group).unwrap();
    assert_eq!(draft.sub.as_deref(), Some("human:u-1"));
    let shown = shown(&draft);
    assert_eq!(shown["subject"], json!({"id": "u-1", "type": "human"}));
    assert_eq!(shown["action"], json!({"name": "tools/call"}));
    assert_eq!(shown["resource"], json!({"type": "tool", "id": "mail.send"}));
    assert_eq!((&shown["result"], &shown["reasons"]), (&json!("deny"), &json!(["scope", "hours"])));
    assert_eq!(
        (&shown["pdp"], &shown["pep"], &shown["enforcement"]),
        (&json!("opa.prod"), &json!("gateway"), &json!("shadow"))
    );
    // No proxy is believed here.
    assert!(shown.get("links").is_none());
    let mut one = mcp_event();
    one["result"]["reasons"] = json!("scope");
    assert_eq!(super::shown(&mapped_by(&one, &group).unwrap())["reasons"], json!(["scope"]));
    one["result"]["reasons"] = json!([{"code": 1}]);
    let said = mapped_by(&one, &group).unwrap_err().to_string();
    assert_eq!(said, "/result/reasons/0: an object, should be text");
    one["result"].as_object_mut().unwrap().remove("reasons");
    assert!(super::shown(&mapped_by(&one, &group).unwrap()).get("reasons").is_none());
}

#[test]
fn no_answer_is_never_a_deny() {
    let result = |event: &Json| shown(&mapped(event))["result"].clone();
    assert_eq!(result(&event_with("/result", json!(false))), "deny");
    assert_eq!(result(&event_with("/result", json!({"decision": true, "context": {}}))), "permit");
    assert_eq!(result(&event_with("/result", json!({"decision": false}))), "deny");
    assert_eq!(result(&event_with("/result", Json::Null)), "not-evaluated");
    let mut failed = event_with("/error", json!({"code": "eval_conflict_error", "message": "secret"}));
    assert_eq!(result(&failed), "error");
    failed.as_object_mut().unwrap().remove("result");
    let draft = mapped(&failed);
    assert_eq!(shown(&draft)["reasons"], json!(["eval_conflict_error"]));
    assert_eq!(opened(&draft, "error"), br#"{"code":"eval_conflict_error","message":"secret"}"#);
    assert!(!String::from_utf8_lossy(&draft.payload).contains("secret"));
    assert_eq!(result(&event_with("/error", json!("text"))), "error");
    assert_eq!(result(&event_with("/error", json!({"code": ""}))), "error");
    let null = event().to_string().replace("\"req_id\"", "\"error\":null,\"req_id\"");
    assert_eq!(shown(&draft_of(null.as_bytes(), &group()).unwrap())["result"], "permit");
}

#[test]
fn what_is_no_boolean_is_not_guessed() {
    let at = "/result, /result/decision: ";
    for (result, found) in [
        (json!("true"), "missing"),
        (json!(1), "missing"),
        (json!([true]), "missing"),
        (json!({}), "missing"),
        (json!({"decision": "true"}), "text"),
        (json!({"decision": null}), "null"),
        (json!({"allow": true}), "missing"),
    ] {
        assert_eq!(refusal("/result", result), format!("{at}{found}, should be true or false"));
    }
    let null = event().to_string().replace("\"result\":true", "\"result\":null");
    let said = draft_of(null.as_bytes(), &group()).unwrap_err();
    assert_eq!(said, Unmapped::NoDecision { at: "/result, /result/decision".into(), found: None });
}

#[test]
fn policies_are_all_bundles_or_the_old_revision() {
    let mut event = event_with("/bundles", Json::Null);
    assert!(shown(&mapped(&event)).get("policies").is_none());
    event["revision"] = json!("r0");
    let draft = mapped(&event);
    assert_eq!(shown(&draft)["policies"], json!([{"revision": "r0"}]));
    let native: Json = serde_json::from_slice(opened(&draft, "native")).unwrap();
    assert!(native.get("revision").is_none());
    let query = event_with("/path", Json::Null);
    assert!(shown(&mapped(&query)).get("policy_ids").is_none());
}
