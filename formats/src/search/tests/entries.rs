//! What the examples, and statements without a record, are found by.

use super::*;
use crate::digest::Digest;
use crate::record::handles::{CertificateHandles, certificate_from_pem};
use crate::record::{Handle, LinkTarget};

const PAY_1: &[u8] = include_bytes!("../../../tests/data/pay-1.pem");

/// What a responder has in hand, and the kinds of the examples that it must find.
#[test]
fn one_thing_in_hand_finds_the_examples_that_bear_it() {
    let tbs = "e9aa25946a8eb5746728ed47ff7d7d228f911842a393d47e774ab4ef8f4d7bcf";
    let key = "1f8376c0a1093228e59f2f39e0ae77702f966c5468bfbc8889ad231f07eea97b";
    let bundle = "bb8b4895d455a5055782a622d93c6ef5110a81096903b4ceb6fc658adc442549";
    let decision = "2bdfc124-331f-4973-b045-8b97b0e034c9";
    let cases: &[(&str, &str, &[&str])] = &[
        ("decision", decision, &["decision", "effect"]),
        ("decision", "spiffe://prod.example/pep/envoy,2bdfc124-331f-4973-b045-8b97b0e034c9", &["decision", "effect"]),
        ("decision", "spiffe://prod.example/pep/other,2bdfc124-331f-4973-b045-8b97b0e034c9", &[]),
        ("handle", "dec:spiffe://prod.example/pep/envoy,2bdfc124-331f-4973-b045-8b97b0e034c9", &["decision", "effect"]),
        ("trace", "328ba9705da8d36f7cbf1a370c62db5b", &["decision"]),
        ("trace", "328BA9705DA8D36F7CBF1A370C62DB5B", &["decision"]),
        ("span", "ab47c671e4aca5d5", &["decision"]),
        ("request", "20ee3cb8-a049-4e2d-99be-48d349dac60b", &["decision", "effect"]),
        ("txn", "txn-8812", &["delegation"]),
        ("policy", "r1", &["decision"]),
        ("policy", &bundle.to_uppercase(), &["issuance", "decision"]),
        ("policy", &format!("sha256:{bundle}"), &["issuance", "decision"]),
        ("handle", &format!("bundle_digest:sha256:{bundle}"), &["decision"]),
        ("credential", tbs, &["issuance", "decision", "revocation"]),
        ("handle", &format!("tbs_s256:{tbs}"), &["issuance", "decision", "revocation"]),
        ("handle", &format!("cert_s256:{tbs}"), &[]),
        ("credential", "ee:88:e4:0f:27:9f:6b:6a:96:37:ce:26:0c:c4:98:fc", &["issuance"]),
        ("credential", "EE88E40F279F6B6A9637CE260CC498FC,126ee742d256ed1d12090c5fba25f7a93b0903b8", &["issuance"]),
        ("credential", "dlg-31", &["delegation"]),
        ("credential", "dlg-31,https://sts.prod.example", &["delegation"]),
        ("key", key, &["attestation", "issuance"]),
        (
            "key",
            "393dfe4c96da31133f64b7a21c0e0650fa5cd04a3215d44ec8af93239d298182",
            &["attestation", "issuance", "decision"],
        ),
        ("resource", "acct-5", &["decision", "effect"]),
        ("resource", "account:acct-5", &["decision", "effect"]),
        ("entry", "pay", &["registration", "issuance"]),
        ("parent", "spiffe://prod.example/spire/agent/join_token/node-1", &["registration"]),
        ("delegator", "person-7f3a", &["delegation"]),
        ("party", "spiffe://prod.example/portal", &["delegation"]),
        ("approver", "person-91c0", &["approval"]),
        ("thread", "CHG-2041", &["approval"]),
        ("approved", "8ebdd66e76fc09e42fb7911fb88eab24970c273053aa548aa89d1c2033664967", &["approval"]),
        ("links-to", "0747fa47bb545d6835da55ab4d627e35bc7fa5c535b6e3df46d750018dff7635", &["delegation"]),
        ("links_to", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", &["issuance"]),
        ("log_ref", "log.example.org/ca,345", &["issuance"]),
        ("claims", "repository:prod/pay", &["attestation"]),
        ("sealed", "65b99565240223ed0b3bcf049539f9ac5d1efa2051095aefc8c2912f67fc3a99", &["decision"]),
    ];
    for (parameter, value, kinds) in cases {
        let mut found = vec![
            "attestation",
            "registration",
            "issuance",
            "decision",
            "effect",
            "delegation",
            "approval",
            "revocation",
        ];
        found.retain(|kind| finds(parameter, value, &of_example(kind)));
        assert_eq!(found, *kinds, "{parameter}={value}");
    }
}

#[test]
fn every_statement_is_found_by_its_header_and_its_digests() {
    let record = of_example("decision");
    let envelope =
        Content::HashEnvelope { content_type: crate::statement::content_type_of("decision"), location: None };
    let envelope = SignedStatement::sign(&header(envelope), &[7; 32], &key()).unwrap();
    let foreign = plain("application/json", br#"{"decision_id":"d-1"}"#);
    let kid = key().public().thumbprint().to_string();
    for statement in [&record, &envelope, &foreign] {
        let leaf = statement.leaf_hash().to_string();
        let sig_structure = statement.sig_structure_digest().to_string();
        for (parameter, value) in [
            ("issuer", PEP),
            ("subject", "spiffe://prod.example/pay"),
            ("stream", "envoy-7f"),
            ("signer", &kid),
            ("key", &kid),
            ("leaf", &leaf),
            ("sig-structure", &sig_structure),
        ] {
            assert!(finds(parameter, value, statement), "{parameter}");
            assert!(!finds(parameter, HEX, statement), "{parameter}");
        }
    }
    assert!(finds("kind", "decision", &record) && finds("kind", "decision", &envelope));
    assert!(finds("kind", "application/vnd.govlog.decision+cbor", &envelope));
    assert!(finds("kind", "application/json", &foreign) && !finds("kind", "decision", &foreign));
    assert!(finds("payload", &Digest::sha256(foreign.payload()).to_string(), &foreign));
    assert!(finds("payload", &Digest::from_bytes([7; 32]).to_string(), &envelope));
    // A payload that is only a digest, or nobody's record, says nothing else.
    assert!(!finds("decision", "d-1", &foreign));
    assert_eq!(
        (Marks::of(&foreign).earliest_ms(), Marks::of(&envelope).latest_ms()),
        (1_795_320_443_000, 1_795_320_443_000)
    );
}

#[test]
fn a_statement_under_a_certificate_is_found_by_every_handle_of_it() {
    let der = certificate_from_pem(PAY_1).unwrap();
    let handles = CertificateHandles::from_der(&der).unwrap();
    let content = header(Content::Plain("text/plain".to_owned()));
    let statement = SignedStatement::sign_x509(&content, b"x", &key(), std::slice::from_ref(&der)).unwrap();
    for (parameter, digest) in [
        ("credential", handles.tbs_s256),
        ("credential", handles.cert_s256),
        ("key", handles.spki_s256),
        ("signer", handles.spki_s256),
        ("signer", handles.cert_s256),
    ] {
        assert!(finds(parameter, &digest.to_string(), &statement), "{parameter}");
    }
    // Bearing the handles is one thing, being signed with the key another.
    let issuance = of_example("issuance");
    assert!(finds("key", &handles.spki_s256.to_string(), &issuance));
    assert!(!finds("signer", &handles.spki_s256.to_string(), &issuance));
}

#[test]
fn an_observed_certificate_is_found_by_what_its_bytes_are() {
    let der = certificate_from_pem(PAY_1).unwrap();
    let handles = CertificateHandles::from_der(&der).unwrap();
    let bytes = crate::base64::encode_url(&der);
    let view = json!({"v": 1, "event_ms": 5, "observed": "credential", "certificate": {"$bytes": bytes}});
    let statement = of_view("observation", &view);
    assert!(finds("credential", &handles.tbs_s256.to_string(), &statement));
    for handle in handles.handles() {
        assert!(Filter::default().with(Term::of_handle(&handle).unwrap()).matches(&statement), "{handle}");
    }
}

/// A member of a batch is found by what all its decisions have in common, and the batch by their times.
#[test]
fn the_time_of_a_batch_is_that_of_its_decisions() {
    let view = json!({
        "v": 1, "event_ms": 900, "count": 2, "root": HEX, "from_ms": 500, "to_ms": 700,
        "counts": [{"result": "permit", "count": 2, "subject": "spiffe://prod.example/web", "policies": [{"revision": "r7"}]}],
    });
    let batch = of_view("decision-batch", &view);
    let within = |since: u64, until: u64| Filter::default().since(since).until(until).matches(&batch);
    assert!(within(0, 500) && within(600, 650) && within(900, 1000));
    assert!(!within(0, 499) && !within(1_795_320_443_001, u64::MAX));
    assert!(finds("subject", "spiffe://prod.example/web", &batch) && finds("policy", "r7", &batch));
    let effect =
        of_view("effect", &json!({"v": 1, "event_ms": 900, "outcome": "performed", "performer": "x:y", "start_ms": 5}));
    assert_eq!((Marks::of(&effect).earliest_ms(), Marks::of(&effect).latest_ms()), (900, 1_795_320_443_000));
}

/// Whoever dates an event back is found by when it was signed.
#[test]
fn the_time_of_a_signature_counts_as_well() {
    let signed_ms = 1_795_320_443_000;
    let dated_back = of_view("gap", &json!({"v": 1, "event_ms": 900, "cause": "crash"}));
    assert_eq!((Marks::of(&dated_back).earliest_ms(), Marks::of(&dated_back).latest_ms()), (900, signed_ms));
    assert!(Filter::default().since(signed_ms).matches(&dated_back));
    let ahead = of_view("gap", &json!({"v": 1, "event_ms": signed_ms + 900, "cause": "crash"}));
    assert_eq!((Marks::of(&ahead).earliest_ms(), Marks::of(&ahead).latest_ms()), (signed_ms, signed_ms + 900));
}

#[test]
fn a_sealed_value_is_found_by_its_reference_alone() {
    let reference = "5".repeat(64);
    let sealed = json!({"$sealed": "MTIyvDIlWRVlkf5FA6OHrAXfeAwt3UHqro3pUPCwLlQ", "ref": "VVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVU"});
    for field in ["decision_id", "op_digest", "context", "x_unknown", "handles", "delegation", "trace_id"] {
        let mut view = parse_text(example("decision").unwrap()).unwrap();
        view[field] = sealed.clone();
        assert!(finds("sealed", &reference, &of_view("decision", &view)), "{field}");
    }
    for deep in [json!({"x": [1, {"y": sealed}]}), json!([[sealed]])] {
        let view = json!({"v": 1, "event_ms": 1, "cause": "crash", "x_deep": deep});
        assert!(finds("sealed", &reference, &of_view("gap", &view)));
    }
    let mut view = parse_text(example("decision").unwrap()).unwrap();
    let id = view["decision_id"].clone();
    view["decision_id"] = sealed;
    assert!(!finds("decision", id.as_str().unwrap(), &of_view("decision", &view)));
}

/// What a log takes though a check would find fault with it is found by what is right in it.
#[test]
fn wrong_fields_hide_no_others() {
    let view = json!({"v": 1, "event_ms": "today", "decision_id": 7, "resource": "acct", "trace_id": "t-1", "handles": {"jkt": 5, "cert_s256": HEX}});
    let payload = crate::cbor::to_deterministic(&ciborium::Value::serialized(&view).unwrap());
    let statement = signed("decision", &payload);
    assert!(finds("trace", "t-1", &statement));
    assert!(finds("decision", "7", &statement));
    assert_eq!(Marks::of(&statement).earliest_ms(), 1_795_320_443_000);
}

#[test]
fn a_link_leads_to_the_term_of_what_it_names() {
    let leaf = Digest::sha256(b"x");
    let handle = Handle { name: "dec".into(), value: ciborium::Value::Array(vec![PEP.into(), "d-1".into()]) };
    assert_eq!(Term::of_target(&LinkTarget::Entry(leaf)), Some(term("leaf", &leaf.to_string())));
    assert_eq!(Term::of_target(&LinkTarget::Handle(handle)), Some(term("handle", &format!("dec:{PEP},d-1"))));
    let odd = Handle { name: "dec".into(), value: ciborium::Value::Array(vec![r"a,b\".into(), "c".into()]) };
    assert_eq!(Term::of_handle(&odd), Some(term("handle", r"dec:a\,b\\,c")));
    assert_eq!(Term::of_handle(&Handle { name: "x".into(), value: ciborium::Value::Null }), None);
}
