//! What is said and of whom: kinds, subjects, records about a stream.

use crate::admission::{Class, PolicyState, Refusal};

use super::*;

// --- Kind ---------------------------------------------------------------------------------------------------------------------------------

#[test]
fn a_kind_that_is_not_listed_is_403_and_the_answer_lists_those_that_are() {
    let refusal = judged(&Draft::new().kind("application/vnd.govlog.issuance+cbor")).unwrap_err();
    assert_eq!(refusal.class(), Class::Forbidden);
    assert_eq!(
        refusal.to_string(),
        "kind \"issuance\" is not allowed for issuer \"spiffe://example.org/pep\"; allowed: \"decision\", \"effect\""
    );
}

#[test]
fn a_kind_without_a_slash_stands_for_the_govlog_content_type() {
    judged(&Draft::new().kind("application/vnd.govlog.effect+cbor")).unwrap();
    for content_type in ["application/vnd.govlog.effect", "application/vnd.govlog.Effect+cbor", "effect/"] {
        assert_eq!(class(&Draft::new().kind(content_type)), Some(Class::Forbidden), "{content_type}");
    }
}

#[test]
fn a_foreign_content_type_is_admitted_when_the_policy_lists_it() {
    let mut draft = Draft::new().kind("application/spdx+json");
    draft.payload = b"{\"opaque\": true}".to_vec();
    assert_eq!(class(&draft), Some(Class::Forbidden));
    let policy = with_row(|row| row.kinds = vec!["application/spdx+json".to_owned()]);
    policy.judge(&draft.sign(), Some(NOW)).unwrap();
}

#[test]
fn a_kind_that_is_listed_by_its_full_content_type_is_the_same_kind() {
    let policy = with_row(|row| row.kinds = vec![DECISION.to_owned()]);
    policy.judge(&Draft::new().sign(), Some(NOW)).unwrap();
}

#[test]
fn a_hash_envelope_is_judged_by_the_content_type_of_what_was_hashed() {
    judged(&Draft::new().enveloped(DECISION)).unwrap();
    let refused = Draft::new().enveloped("application/vnd.govlog.issuance+cbor");
    assert!(matches!(judged(&refused), Err(Refusal::Kind { .. })));
    let plain = Draft::new().enveloped(DECISION).sub("plain");
    assert!(matches!(judged(&plain), Err(Refusal::PlainSubject { .. })));
}

// --- Subject ------------------------------------------------------------------------------------------------------------------------------

#[test]
fn a_subject_pattern_is_exact_or_a_prefix_that_ends_in_a_slash() {
    for (sub, admitted) in [
        ("spiffe://example.org/api", true),
        ("spiffe://example.org/api/", false),
        ("spiffe://example.org/api/v2", false),
        ("spiffe://example.org/ap", false),
        ("spiffe://example.org/jobs/", true),
        ("spiffe://example.org/jobs/nightly", true),
        ("spiffe://example.org/jobs", false),
        ("spiffe://example.org/jobsworth", false),
        ("SPIFFE://example.org/api", false),
    ] {
        let answer = judged(&Draft::new().sub(sub));
        assert_eq!(answer.is_ok(), admitted, "{sub}");
        assert!(admitted || matches!(answer, Err(Refusal::Subject { .. })), "{sub}");
    }
}

#[test]
fn a_subject_that_is_not_covered_is_403_and_the_answer_lists_the_patterns() {
    let refusal = judged(&Draft::new().sub("spiffe://example.org/db")).unwrap_err();
    assert_eq!(refusal.class(), Class::Forbidden);
    assert!(refusal.to_string().ends_with("allowed: \"spiffe://example.org/api\", \"spiffe://example.org/jobs/\""));
}

#[test]
fn a_subject_without_colon_and_slash_is_403_whoever_may_speak_about_it() {
    let refusal = judged(&Draft::new().sub("alice")).unwrap_err();
    assert!(matches!(refusal, Refusal::PlainSubject { .. }));
    assert_eq!(refusal.class(), Class::Forbidden);
    let policy = with_row(|row| row.subjects = vec!["user:alice".to_owned()]);
    policy.judge(&Draft::new().sub("user:alice").sign(), Some(NOW)).unwrap();
}

#[test]
fn a_subject_pattern_without_colon_and_slash_is_403() {
    let mut plain = row(OTHER, &ed25519(3));
    plain.subjects.push("alice".to_owned());
    let policy = policy();
    let refusal = policy.judge(&signed(&policy, &set(vec![plain])), Some(NOW)).unwrap_err();
    assert!(matches!(refusal, Refusal::PlainPattern { .. }), "{refusal}");
    assert_eq!(refusal.class(), Class::Forbidden);
}

#[test]
fn the_log_may_be_named_without_colon_and_slash() {
    // The `sub` of an admission-policy is exempt: an origin may be a bare host name.
    let mut bare = log_row();
    bare.origin = "localhost".to_owned();
    bare.checkpoint = vkey("localhost");
    let request = crate::admission::GenesisRequest::new(bare).unwrap();
    PolicyState::genesis(&request.sign(&operator_key(), 1).unwrap()).unwrap();
}

// --- stream, gap, quarantine --------------------------------------------------------------------------------------------------------------

#[test]
fn records_about_a_stream_are_exempt_from_kinds_and_subject_patterns() {
    for kind in STREAM_KINDS {
        judged(&Draft::new().kind(kind).stream("pep-1", 0).sub("pep-1")).unwrap();
        judged(&Draft::new().enveloped(kind).stream("pep-1", 0).sub("pep-1")).unwrap();
    }
}

#[test]
fn records_about_a_stream_need_a_stream() {
    for kind in STREAM_KINDS {
        let refusal = judged(&Draft::new().kind(kind).sub("pep-1")).unwrap_err();
        assert!(matches!(refusal, Refusal::StreamKindWithoutStream { .. }));
        assert_eq!(refusal.class(), Class::Forbidden);
    }
}

#[test]
fn records_about_a_stream_are_about_their_own() {
    for kind in STREAM_KINDS {
        for sub in ["pep-2", "spiffe://example.org/api", "PEP-1"] {
            let refusal = judged(&Draft::new().kind(kind).stream("pep-1", 0).sub(sub)).unwrap_err();
            assert!(matches!(refusal, Refusal::StreamKindSubject { .. }));
            assert_eq!(refusal.class(), Class::Forbidden);
        }
    }
}

#[test]
fn records_about_a_stream_need_a_known_issuer_and_a_recent_iat_all_the_same() {
    let draft = Draft::new().kind(STREAM_KINDS[0]).stream("pep-1", 0).sub("pep-1");
    assert!(matches!(judged(&draft.clone().iss(OTHER)), Err(Refusal::UnknownIssuer { .. })));
    assert!(matches!(judged(&draft.iat(NOW - 100_000)), Err(Refusal::TooOld { .. })));
}

#[test]
fn other_kinds_in_a_stream_are_about_what_the_policy_says() {
    judged(&Draft::new().stream("pep-1", 0)).unwrap();
    assert!(matches!(judged(&Draft::new().stream("pep-1", 0).sub("pep-1")), Err(Refusal::PlainSubject { .. })));
}
