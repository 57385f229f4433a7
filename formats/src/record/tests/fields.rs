//! Required keys and their types, closed sets, links; what is kept unjudged.

use super::*;

/// A kind that nobody knows: of it the common keys alone are judged.
const UNKNOWN: &str = "of-tomorrow";

/// The kinds with a table of their own.
fn typed() -> impl Iterator<Item = &'static str> {
    tables::TYPED.iter().map(|group| group.name)
}

/// The keys a kind requires, as paths.
fn required(kind: &str) -> Vec<&'static [&'static str]> {
    let own: &[&[&str]] = match kind {
        "decision" => &[
            &["decision_id"],
            &["subject"],
            &["subject", "id"],
            &["action"],
            &["action", "name"],
            &["resource"],
            &["resource", "type"],
            &["resource", "id"],
            &["result"],
        ],
        "effect" => &[&["outcome"], &["performer"]],
        "issuance" => &[&["stage"], &["credential_type"], &["subject"]],
        "stream" => &[&["op"], &["instance"], &["next_seq"]],
        "quarantine" => &[&["reason"], &["digest"]],
        "policy" => &[&["engine"], &["name"]],
        "activation" => &[&["op"], &["pdp"]],
        "approval" => &[&["type"], &["approved"], &["decision"], &["approver"]],
        "ownership" => &[&["prefix"], &["owner"]],
        "agent" => &[&["agent_id"]],
        "registration" => &[&["op"]],
        "attestation" => &[&["subject"], &["method"], &["result"]],
        "signing-key" => &[&["op"], &["key_id"]],
        "revocation" => &[&["target_type"], &["target"], &["effective_ms"]],
        "federation" => &[&["op"], &["domain"]],
        "delegation" => &[&["delegator"], &["delegator", "id"], &["delegate"], &["delegate", "id"]],
        "decision-batch" => &[&["count"], &["root"], &["from_ms"], &["to_ms"]],
        "observation" => &[&["observed"]],
        "gap" => &[&["cause"]],
        "redaction" => &[&["rule"], &["targets"]],
        "finding" => &[&["check"], &["verdict"]],
        "custody" => &[&["op"]],
        "anchor" => &[&["relation"], &["origin"]],
        _ => &[],
    };
    [&[&["v"][..], &["event_ms"]], own].concat()
}

/// Gives the place of the last key of a path.
fn place<'a>(view: &'a mut Json, path: &[&str]) -> &'a mut serde_json::Map<String, Json> {
    let (_, parents) = path.split_last().unwrap();
    parents.iter().fold(view, |view, key| &mut view[*key]).as_object_mut().unwrap()
}

#[test]
fn what_is_required_is_enough() {
    for kind in typed() {
        assert_eq!(parsed(kind, &least(kind)).kind(), kind);
    }
    assert_eq!(parsed(UNKNOWN, &least(UNKNOWN)).kind(), UNKNOWN);
    assert_eq!(parsed("application/vnd.govlog.effect+cbor", &least("effect")).kind(), "effect");
}

#[test]
fn each_required_key_is_missed() {
    for kind in typed().chain([UNKNOWN]) {
        for path in required(kind) {
            let mut view = least(kind);
            place(&mut view, path).remove(*path.last().unwrap()).unwrap();
            let said = fault(kind, &view);
            assert!(said.starts_with(&format!("{}: missing, should be ", path.join("."))), "{kind}: {said}");
        }
    }
}

#[test]
fn each_required_key_may_be_sealed_but_v() {
    for kind in typed().chain([UNKNOWN]) {
        for path in required(kind) {
            let mut view = least(kind);
            *place(&mut view, path).get_mut(*path.last().unwrap()).unwrap() = sealed_value();
            if path == ["v"] {
                assert_eq!(fault(kind, &view), "v: a sealed value, should be the integer 1");
            } else {
                parsed(kind, &view);
            }
        }
    }
}

#[test]
fn each_required_key_has_its_type() {
    for kind in typed() {
        for path in required(kind) {
            for wrong in [json!(null), json!(1.5), json!(["x"]), json!(""), json!(-1)] {
                if path == ["key_id"] && wrong.is_string() {
                    continue; // Any text or bytes.
                }
                // In the place of a digest plain text would be hex.
                let wrong = if matches!(path, ["digest" | "root"]) && wrong.is_string() {
                    json!({ "$text": wrong })
                } else {
                    wrong
                };
                let mut view = least(kind);
                *place(&mut view, path).get_mut(*path.last().unwrap()).unwrap() = wrong.clone();
                let said = fault(kind, &view);
                let path = path.join(".");
                assert!(
                    said.starts_with(&format!("{path}: ")) || said.starts_with(&format!("{path}[0]: ")),
                    "{kind} {wrong}: {said}"
                );
                assert!(said.contains("should be"), "{kind} {wrong}: {said}");
            }
        }
    }
}

#[test]
fn version_is_one() {
    for wrong in [json!(2), json!(0), json!(1.0), json!("1"), json!(true)] {
        let said = fault(UNKNOWN, &with(least(UNKNOWN), json!({"v": wrong})));
        assert!(said.starts_with("v: ") && said.ends_with("should be the integer 1"), "{said}");
    }
}

#[test]
fn closed_sets_take_their_values_and_no_other() {
    let cases: [(&str, &str, &[&str]); 21] = [
        ("decision", "result", &["permit", "deny", "error", "not-evaluated"]),
        ("decision", "enforcement", &["enforced", "dry-run", "shadow", "fail-open"]),
        ("decision", "op_bound", &["full", "no-body", "none"]),
        ("effect", "outcome", &["performed", "blocked", "failed", "partial"]),
        ("issuance", "stage", &["intent", "signed", "issued", "denied"]),
        ("issuance", "possession", &["key", "bearer"]),
        ("stream", "op", &["open", "heartbeat", "close"]),
        ("activation", "op", &["activate", "retire"]),
        ("approval", "type", &["change", "exception", "break-glass", "operation"]),
        ("approval", "decision", &["approve", "reject"]),
        ("registration", "op", &["create", "update", "delete", "snapshot"]),
        ("attestation", "result", &["accepted", "refused", "error"]),
        ("attestation", "strength", &["hardware", "platform-signed", "pop", "bearer"]),
        ("signing-key", "op", &["prepared", "active", "tainted", "revoked", "expired"]),
        (
            "revocation",
            "target_type",
            &["credential", "key", "entry", "agent", "delegation", "policy", "issuer-key", "trust-domain"],
        ),
        ("federation", "op", &["add", "change", "remove", "observe"]),
        ("redaction", "rule", &["retention", "erasure-request", "order"]),
        ("finding", "verdict", &["pass", "fail", "unverifiable", "pending"]),
        ("custody", "op", &["export", "hand-over", "acknowledge", "hold", "release"]),
        ("anchor", "relation", &["other-log", "previous-epoch", "next-epoch"]),
        (UNKNOWN, "assurance", &["source-signed", "adapter-signed", "ingest-attested", "scraped"]),
    ];
    for (kind, key, names) in cases {
        for name in names {
            parsed(kind, &with(least(kind), json!({ key: name })));
        }
        for wrong in [json!("Permit"), json!("other"), json!(""), json!(1)] {
            let said = fault(kind, &with(least(kind), json!({ key: wrong })));
            assert!(said.starts_with(&format!("{key}: ")), "{said}");
            assert!(said.ends_with(&format!("should be one of {}", names.join(", "))), "{said}");
        }
    }
}

#[test]
fn open_sets_take_other_values() {
    parsed("issuance", &with(least("issuance"), json!({"credential_type": "kerberos"})));
    parsed(UNKNOWN, &with(least(UNKNOWN), json!({"links": [{"rel": "resembles", "target": {"entry": HEX}}]})));
}

#[test]
fn link_targets_are_one_of_three() {
    let link = |target: Json| with(least(UNKNOWN), json!({"links": [{"rel": "about", "target": target}]}));
    let log_ref = json!({"origin": "log.example", "index": 5, "leaf": HEX});
    let right = [
        json!({"entry": HEX}),
        json!({"handle": ["cert_s256", HEX]}),
        json!({"handle": ["dec", ["spiffe://p/pdp", "d-1"]]}),
        json!({"handle": ["unknown", {"any": "value"}]}),
        json!({"log_ref": log_ref}),
        sealed_value(),
        json!({"entry": sealed_value()}),
    ];
    for target in right {
        parsed(UNKNOWN, &link(target));
    }
    let wrong = [
        (json!({"entry": HEX, "handle": ["jkt", HEX]}), "links[0].target: map of 2"),
        (json!({"other": HEX}), "links[0].target: map of 1"),
        (json!([HEX]), "links[0].target: list of 1"),
        (json!({"handle": ["cert_s256", 5]}), "links[0].target.handle[1]: integer 5, should be a digest of 32 bytes"),
        (json!({"handle": ["cert_s256"]}), "links[0].target.handle: list of 1, should be a list [name, value]"),
        (json!({"handle": [1, HEX]}), "links[0].target.handle: list of 2, should be a list [name, value]"),
        (json!({"log_ref": {"origin": "o", "leaf": HEX}}), "links[0].target.log_ref.index: missing"),
        (json!({"log_ref": {"origin": "", "index": 5, "leaf": HEX}}), "links[0].target.log_ref.origin: text \"\""),
    ];
    for (target, expected) in wrong {
        let said = fault(UNKNOWN, &link(target));
        assert!(said.starts_with(expected), "{said}");
    }
    let said = fault(UNKNOWN, &with(least(UNKNOWN), json!({"links": [{"target": {"entry": HEX}}]})));
    assert!(said.starts_with("links[0].rel: missing"), "{said}");
}

#[test]
fn sealed_values_stand_anywhere_but_must_be_whole() {
    let broken = json!({"$tag": sealed::TAG, "value": {"d": {"$bytes": "AQID"}}});
    for kind in typed() {
        for more in [
            json!({"links": [sealed_value()]}),
            json!({"x": {"y": [sealed_value()]}}),
            json!({"handles": {"cert_s256": sealed_value(), "other": sealed_value()}}),
        ] {
            parsed(kind, &with(least(kind), more));
        }
        let said = fault(kind, &with(least(kind), json!({"x": {"y": [1, broken]}})));
        assert_eq!(said, "x.y[1]: \"d\" of a sealed value is 32 bytes");
        let said = fault(kind, &with(least(kind), json!({"tenant": broken})));
        assert_eq!(said, "tenant: \"d\" of a sealed value is 32 bytes");
    }
}

#[test]
fn unknown_keys_are_kept_at_every_level() {
    for kind in typed() {
        let more = json!({"x_new": [1, {"$map": [[1, 2]]}], "source": {"x_new": true}, "handles": {"x_new": 5}});
        let view = with(least(kind), more);
        let payload = from_json(kind, &view).unwrap();
        let record = Record::parse(kind, &payload).unwrap();
        assert_eq!(record.body().unwrap().at(&["source", "x_new"]), Recorded::Present(&Value::Bool(true)));
        assert_eq!(cbor::to_deterministic(&Value::Map(record.body().unwrap().pairs().to_vec())), payload);
    }
}

#[test]
fn all_wrong_fields_are_named_at_once() {
    let RecordError::Fields(errors) = parse("decision", &json!({"v": 2, "result": "maybe"})).unwrap_err() else {
        panic!()
    };
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["decision_id", "subject", "action", "resource", "result", "v", "event_ms"]);
}

#[test]
fn a_refusal_stays_short_however_much_is_wrong() {
    let links: Vec<Json> = (0..1000).map(|_| json!(1)).collect();
    let RecordError::Fields(errors) = parse(UNKNOWN, &with(least(UNKNOWN), json!({ "links": links }))).unwrap_err()
    else {
        panic!()
    };
    assert_eq!(errors.len(), 16);
}

#[test]
fn bytes_that_are_no_record_are_refused() {
    assert!(matches!(Record::parse("decision", &[0x80]), Err(RecordError::NotAMap(_))));
    assert!(matches!(Record::parse("decision", &[0xa1, 0x01, 0x02]), Err(RecordError::Key(_))));
    // Not canonical: indefinite length, keys out of order, a key twice, bytes behind.
    for payload in
        [&[0xbf, 0xff][..], &[0xa2, 0x61, b'b', 1, 0x61, b'a', 1], &[0xa2, 0x61, b'a', 1, 0x61, b'a', 1], &[0xa0, 0]]
    {
        assert!(matches!(Record::parse("decision", payload), Err(RecordError::Cbor(_))), "{payload:x?}");
    }
}

#[test]
fn known_maps_have_text_keys_alone() {
    let odd = json!({"$map": [[1, 2]]});
    for more in [json!({"source": odd}), json!({"links": [{"$map": [["rel", "about"], [1, 2]]}]})] {
        let said = fault_of_many(UNKNOWN, &with(least(UNKNOWN), more));
        assert!(said.contains("a key that is integer 1, should be a map with text keys"), "{said}");
    }
    let said = fault("stream", &with(least("stream"), json!({"source_counters": odd})));
    assert_eq!(said, "source_counters: a key that is integer 1, should be a map with text keys");
}

#[track_caller]
fn fault_of_many(kind: &str, view: &Json) -> String {
    parse(kind, view).unwrap_err().to_string()
}
