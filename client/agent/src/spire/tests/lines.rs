//! Lines in other orders, alone, many of one request; what is refused, and what is told of keys, agents and other trust domains.

use super::*;

fn records(lines: &[String]) -> Vec<Made> {
    let (settings, arrivals) = read_lines(lines);
    made(&settings, &arrivals)
}

fn one(lines: &[String]) -> Made {
    let records = records(lines);
    let [made] = &records[..] else { panic!("{records:?}") };
    made.clone()
}

const SERIAL: &str = "NjxNnCBxvT3qoZhCVwWYUQ";

fn activated(id: &str) -> String {
    json!({
        "expiration": "2026-11-23T04:07:14Z", "issued_at": "2026-11-22T04:07:14.5209109Z", "level": "info",
        "local_authority_id": id, "msg": "X509 CA activated", "slot": "A", "subsystem_name": "ca_manager",
        "time": "2026-11-22T04:07:14.522497628Z", "upstream_authority_id": "00ff",
    })
    .to_string()
}

#[test]
fn either_line_may_come_first_and_the_record_is_the_same() {
    let key = activated(&"0a".repeat(20));
    let first = records(&[key.clone(), signed(&[]), audit(&[])]);
    let other = records(&[key, audit(&[]), signed(&[])]);
    assert_eq!(first.len(), 2);
    assert_eq!(first[1].view, other[1].view);
    assert_eq!(first[1].view["handles"]["serial_aki"][0], json!({"$bytes": SERIAL}));
    assert_eq!(first[1].view["revision"], 1);
    assert_eq!(first[1].openings, 2, "both lines are sealed");
    assert_eq!(first[0].view["upstream"], json!({"$bytes": "AP8"}));
}

#[test]
fn a_line_that_stays_alone_is_an_issuance_of_which_less_is_known() {
    let audited = one(&[activated("00"), audit(&[])].map(|line| line).into_iter().skip(1).collect::<Vec<_>>());
    assert_eq!((&audited.view["stage"], &audited.view["handles"]), (&json!("issued"), &Json::Null));
    assert_eq!(audited.view["not_after_ms"], 1_795_322_265_000_u64);
    let only_signed = one(&[signed(&[])]);
    assert_eq!((&only_signed.view["stage"], &only_signed.view["revision"]), (&json!("issued"), &json!(1)));
    assert_eq!(only_signed.view["handles"], Json::Null, "whose serial number it is, is not known");
    assert_eq!(only_signed.view["requester"], "spiffe://prod.example/spire/agent/x509pop/1");
}

#[test]
fn a_thousand_lines_behind_it_a_line_is_not_waited_for_any_more() {
    let mut lines = vec![audit(&[])];
    lines.extend((0..1_001).map(|number| format!("{{\"msg\":\"nothing\",\"n\":{number}}}")));
    lines.push(signed(&[]));
    let records = records(&lines);
    assert_eq!(records.len(), 2);
    assert!(records[0].view["revision"].is_null() && records[1].view["revision"] == 1);
}

#[test]
fn items_of_one_request_are_told_apart() {
    let other = [("spiffe_id", json!("spiffe://prod.example/ledger")), ("entry_id", json!("e-2"))];
    let with = |more: &[(&'static str, Json)]| [other.as_slice(), more].concat();
    // The same entry twice in one request, too.
    let lines = [
        activated(&"0a".repeat(20)),
        signed(&[]),
        audit(&[]),
        signed(&with(&[("serial_num", json!("258"))])),
        audit(&with(&[])),
        signed(&[("serial_num", json!("7")), ("time", json!("2026-11-22T04:07:46Z"))]),
        audit(&[("time", json!("2026-11-22T04:07:46.1Z"))]),
    ];
    let records = records(&lines);
    let serials: Vec<&Json> =
        records[1..].iter().map(|made| &made.view["handles"]["serial_aki"][0]["$bytes"]).collect();
    assert_eq!(serials, [&json!(SERIAL), &json!("AQI"), &json!("Bw")]);
    assert_eq!(records[2].sub.as_deref(), Some("spiffe://prod.example/ledger"));
}

#[test]
fn what_is_refused_is_denied_with_the_class_of_its_reason() {
    let refused = |code: Json| {
        let secret = json!("entry not found: alice@prod.example");
        audit(&[
            ("status", json!("error")),
            ("status_code", code),
            ("status_message", secret),
            ("spiffe_id", json!("")),
        ])
    };
    for (code, reason) in [
        (json!(5), "NotFound"),
        (json!("PermissionDenied"), "PermissionDenied"),
        (json!(99), "Unknown"),
        (json!("alice"), "Unknown"),
    ] {
        let denied = one(&[refused(code)]);
        assert_eq!((&denied.view["stage"], &denied.view["reason"]), (&json!("denied"), &json!(reason)));
        assert_eq!(denied.sub.as_deref(), Some("spiffe://prod.example"), "nobody is named");
        assert_eq!(denied.view["entry_id"], "bce6c7ff-9342-4c53-83af-38a705a64a90");
        assert!(denied.view["not_after_ms"].is_null() && !denied.view.to_string().contains("alice"));
    }
}

#[test]
fn tokens_and_authorities_below_have_issuances_too() {
    let jwt = audit(&[
        ("method", json!("NewJWTSVID")),
        ("audience", json!("a.example,b.example")),
        ("expires_at", Json::Null),
    ]);
    let message = json!("Server CA successfully signed JWT SVID");
    let said = signed(&[
        ("msg", message),
        ("method", json!("NewJWTSVID")),
        ("audience", json!(["a.example", "b,c"])),
        ("serial_num", Json::Null),
    ]);
    let made = one(&[said, jwt.clone()]);
    assert_eq!((&made.view["credential_type"], &made.view["possession"]), (&json!("jwt"), &json!("bearer")));
    assert_eq!(made.view["audience"], json!(["a.example", "b,c"]), "the list, for an audience may hold commas");
    assert_eq!(one(&[jwt]).view["audience"], json!(["a.example", "b.example"]));
    let wit = one(&[audit(&[("method", json!("BatchNewWITSVID"))])]);
    assert_eq!((&wit.view["credential_type"], &wit.view["possession"]), (&json!("wit"), &json!("key")));
    let below = [
        ("method", json!("NewDownstreamX509CA")),
        ("spiffe_id", Json::Null),
        ("trust_domain_id", json!("spiffe://prod.example")),
    ];
    let below = one(&[audit(
        &[below.as_slice(), &[("authorized_as", json!("downstream")), ("entry_id", Json::Null)]].concat(),
    )]);
    assert_eq!(
        (&below.view["subject"], &below.view["authorised_as"]),
        (&json!("spiffe://prod.example"), &json!("downstream"))
    );
}

pub(super) fn called(service: &str, method: &str, more: &[(&str, Json)]) -> String {
    let none = ["csr", "entry_id", "expires_at", "spiffe_id"].map(|name| (name, Json::Null));
    let local = [
        ("service", json!(service)),
        ("method", json!(method)),
        ("authorized_as", json!("local")),
        ("caller_id", Json::Null),
    ];
    audit(&[none.as_slice(), &local, more].concat())
}

#[test]
fn nodes_attest_are_refused_banned_and_removed() {
    let id = json!("spiffe://prod.example/spire/agent/x509pop/1");
    let attest = |more: &[(&str, Json)]| {
        called(
            "agent.v1.Agent",
            "AttestAgent",
            &[&[("agent_id", id.clone()), ("node_attestor_type", json!("x509pop"))], more].concat(),
        )
    };
    let made = one(&[attest(&[])]);
    assert_eq!((&made.view["result"], &made.view["strength"]), (&json!("accepted"), &json!("pop")));
    assert_eq!(made.view["handles"]["attested"], json!([id, "spiffe://prod.example/spire/server"]));
    for (code, result) in [(7, "refused"), (3, "refused"), (8, "error"), (13, "error")] {
        let refused =
            one(&[attest(&[("status", json!("error")), ("status_code", json!(code)), ("agent_id", Json::Null)])]);
        assert_eq!((&refused.view["result"], &refused.view["handles"]), (&json!(result), &Json::Null));
    }
    for (method, reason) in [("BanAgent", "banned"), ("DeleteAgent", "removed")] {
        let made = one(&[called("agent.v1.Agent", method, &[("spiffe_id", id.clone())])]);
        assert_eq!((&made.view["target_type"], &made.view["reason"]), (&json!("agent"), &json!(reason)));
        assert_eq!((&made.view["target"], &made.view["revoked_by"]), (&json!({"id": id}), &json!("local")));
        assert_eq!(made.view["links"][0]["rel"], "revokes");
    }
    // What came to nothing is nothing.
    assert!(
        records(&[called("agent.v1.Agent", "BanAgent", &[("spiffe_id", id), ("status", json!("error"))])]).is_empty()
    );
}

#[test]
fn an_authority_that_is_tainted_is_revoked_as_well() {
    let line =
        called("localauthority.v1.LocalAuthority", "TaintX509Authority", &[("local_authority_id", json!("126e"))]);
    let records = records(&[line]);
    let kinds: Vec<&str> = records.iter().map(|made| made.kind).collect();
    assert_eq!(kinds, ["revocation", "signing-key"]);
    assert_eq!(records[1].view["op"], "tainted");
    assert_eq!(records[0].view["target_type"], "issuer-key");
    assert_eq!(records[0].view["links"][0]["target"]["handle"][1], records[1].view["handles"]["key_iss"]);
    assert_ne!(records[0].view["source"]["native_id"], records[1].view["source"]["native_id"]);
}

#[test]
fn what_is_agreed_with_other_trust_domains_is_recorded_under_ones_own() {
    let line = called(
        "trustdomain.v1.TrustDomain",
        "BatchCreateFederationRelationship",
        &[
            ("trust_domain_id", json!("partner.example")),
            ("bundle_endpoint_url", json!("https://bundle.partner.example/")),
            ("bundle_endpoint_profile", json!("https_spiffe")),
            ("endpoint_spiffe_id", json!("spiffe://partner.example/bundle")),
            ("bundle_sequence_number", json!(7)),
        ],
    );
    let made = one(&[line]);
    assert_eq!(
        (&made.view["op"], &made.view["domain"], &made.view["own"]),
        (&json!("add"), &json!("partner.example"), &json!(false))
    );
    assert_eq!(made.view["endpoint_identity"], "spiffe://partner.example/bundle");
    assert_eq!(made.sub.as_deref(), Some("spiffe://prod.example"));
    let own = one(&[called("bundle.v1.Bundle", "AppendBundle", &[])]);
    assert_eq!((&own.view["op"], &own.view["own"]), (&json!("change"), &json!(true)));
}

#[test]
fn selectors_with_commas_are_not_guessed_at_and_those_of_people_are_sealed() {
    let made = |selectors: &str| {
        let line = called(
            "entry.v1.Entry",
            "BatchCreateEntry",
            &[
                ("spiffe_id", json!("spiffe://prod.example/pay")),
                ("parent_id", json!("spiffe://prod.example/n")),
                ("selectors", json!(selectors)),
            ],
        );
        one(&[line]).view["selectors"].clone()
    };
    assert_eq!(made("unix:uid:1501"), json!([{"type": "unix", "value": "uid:1501"}]));
    assert_eq!(made("k8s:pod-label:a,b:c"), Json::Null);
    for sealed in ["unix:user:alice", "docker:env:TOKEN=secret", "k8s:pod-label:owner:alice", "other:uid:1"] {
        let selectors = made(sealed);
        assert!(selectors[0]["value"]["$sealed"].is_string(), "{selectors}");
    }
}

/// SPIRE makes the entry of a node when its token is made, and until that is used it opens the door to whoever reads it.
#[test]
fn a_join_token_stands_nowhere_in_clear() {
    let token = "d35b531f-be64-46d8-ae36-2fc6717c2650";
    let node = format!("spiffe://prod.example/spire/agent/join_token/{token}");
    let line = called(
        "entry.v1.Entry",
        "BatchCreateEntry",
        &[
            ("spiffe_id", json!("spiffe://prod.example/node/n1")),
            ("parent_id", json!(node)),
            ("selectors", json!(format!("spiffe_id:{node}"))),
        ],
    );
    let view = one(&[line]).view;
    assert!(view["parent"]["$sealed"].is_string() && view["selectors"][0]["value"]["$sealed"].is_string(), "{view}");
    assert!(!view.to_string().contains(token), "{view}");
}

#[test]
fn the_version_is_that_of_the_server_that_wrote_the_line() {
    let start = r#"{"msg":"Configured","version":"1.15.3","launch_log_level":"debug"}"#.to_owned();
    let made = records(&[audit(&[]), start, audit(&[("request_id", json!("r-2"))])]);
    assert_eq!(
        (&made[0].view["source"]["version"], &made[1].view["source"]["version"]),
        (&Json::Null, &json!("1.15.3"))
    );
}
