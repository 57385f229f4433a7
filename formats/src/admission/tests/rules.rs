//! Every line of exact.md §2 and every row of the table of DESIGN §6 that can be judged from the log alone, one test each.

use crate::admission::{Class, Conflict, Credentials, Expected, IssuerRow, PolicyState, Refusal, judge_stream};
use crate::digest::Digest;
use crate::merkle::LeafIndex;
use crate::statement::StreamPosition;

use super::world::*;

fn judged(draft: &Draft) -> Result<(), Refusal> {
    policy().judge(&draft.sign(), Some(NOW)).map(drop)
}

fn class(draft: &Draft) -> Option<Class> {
    judged(draft).err().map(|refusal| refusal.class())
}

fn with_row(change: impl FnOnce(&mut IssuerRow)) -> PolicyState {
    let mut changed = row(PEP, &pep_key());
    change(&mut changed);
    applied(&begun(), &set(vec![changed]))
}

// --- "Everything that can be seen in the bytes" and issuer -------------------------------------------------------------------------------

#[test]
fn a_statement_that_keeps_every_rule_is_admitted_and_names_key_and_policy() {
    let (policy, statement) = (policy(), Draft::new().sign());
    let accepted = policy.judge(&statement, Some(NOW)).unwrap();
    assert_eq!(accepted.key(), &pep_key().public().thumbprint());
    assert_eq!(accepted.identity(), &statement.sig_structure_digest());
    assert_eq!(accepted.as_of(), policy.as_of());
    assert_eq!(policy.as_of(), LeafIndex::new(5));
}

#[test]
fn aud_of_another_log_is_400_and_names_both() {
    let refusal = judged(&Draft::new().aud("log.example/2")).unwrap_err();
    assert_eq!(refusal.class(), Class::Malformed);
    assert_eq!(refusal.to_string(), "aud is \"log.example/2\"; this log is \"log.example/1\"");
    judged(&Draft::new().aud(ORIGIN)).unwrap();
}

#[test]
fn an_unknown_issuer_is_403() {
    let refusal = judged(&Draft::new().iss("spiffe://example.org/stranger")).unwrap_err();
    assert_eq!(refusal.class(), Class::Forbidden);
    assert!(matches!(refusal, Refusal::UnknownIssuer { as_of: 5, .. }));
    assert!(refusal.to_string().contains("spiffe://example.org/stranger"));
}

#[test]
fn issuers_are_compared_exactly() {
    for iss in
        ["spiffe://example.org/PEP", "spiffe://example.org/pep/", "spiffe://example.org/pe", "spiffe://example.org"]
    {
        assert!(matches!(judged(&Draft::new().iss(iss)), Err(Refusal::UnknownIssuer { .. })), "{iss}");
    }
}

#[test]
fn a_kid_that_is_not_in_the_issuers_row_is_403_and_lists_those_that_are() {
    let refusal = judged(&Draft::new().key(ed25519(77))).unwrap_err();
    assert_eq!(refusal.class(), Class::Forbidden);
    let told = refusal.to_string();
    assert!(told.contains(&ed25519(77).public().thumbprint().to_string()), "{told}");
    assert!(told.contains(&pep_key().public().thumbprint().to_string()), "{told}");
}

#[test]
fn a_key_of_another_issuer_is_not_ones_own() {
    let policy = applied(&policy(), &set(vec![row(OTHER, &ed25519(3))]));
    let refusal = policy.judge(&Draft::new().key(ed25519(3)).sign(), Some(NOW)).unwrap_err();
    assert!(matches!(refusal, Refusal::UnknownKey { .. }));
}

#[test]
fn a_signature_that_does_not_verify_is_400() {
    let refusal = judged(&Draft::new().bad_signature()).unwrap_err();
    assert_eq!(refusal.class(), Class::BadSignature);
    assert!(refusal.to_string().contains("signature does not verify"), "{refusal}");
}

#[test]
fn every_key_of_a_row_signs_whatever_its_curve() {
    let policy = with_row(|row| {
        row.credentials = Credentials::Keys(vec![ed25519(3).public(), p256(4).public(), p384(5).public()])
    });
    for key in [ed25519(3), p256(4), p384(5)] {
        policy.judge(&Draft::new().key(key).sign(), Some(NOW)).unwrap();
    }
}

// --- X.509 rows ---------------------------------------------------------------------------------------------------------------------------

#[test]
fn a_certificate_chain_of_no_registered_trust_domain_is_an_unknown_issuer() {
    for iss in ["spiffe://x509.example.org/w", "spiffe://x509", "https://x509.example/w", "x509.example"] {
        let refusal = policy().judge(&x5chain_statement(iss), Some(NOW)).unwrap_err();
        assert!(matches!(refusal, Refusal::UnknownIssuer { .. }), "{iss}: {refusal}");
    }
}

#[test]
fn keys_and_certificates_do_not_stand_for_one_another() {
    let refusal = policy().judge(&x5chain_statement(PEP), Some(NOW)).unwrap_err();
    assert!(matches!(refusal, Refusal::WrongCredential { .. }), "{refusal}");
    let refusal = judged(&Draft::new().iss("spiffe://x509.example/w")).unwrap_err();
    assert!(matches!(refusal, Refusal::WrongCredential { .. }), "{refusal}");
    assert_eq!(refusal.class(), Class::Forbidden);
    let refusal = policy().judge(&x5chain_statement(OPERATOR), Some(NOW)).unwrap_err();
    assert!(matches!(refusal, Refusal::WrongCredential { .. }), "{refusal}");
}

#[test]
fn a_row_of_keys_inside_a_trust_domain_admits_its_own_keys() {
    let iss = "spiffe://x509.example/pinned";
    let policy = applied(&policy(), &set(vec![row(iss, &ed25519(3))]));
    policy.judge(&Draft::new().iss(iss).key(ed25519(3)).sign(), Some(NOW)).unwrap();
    // A certificate of the domain still speaks for it: that row is the domain's.
    let refusal = policy.judge(&x5chain_statement(iss), Some(NOW)).unwrap_err();
    assert!(matches!(refusal, Refusal::Chain { .. }), "{refusal}");
}

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

const STREAM_KINDS: [&str; 3] =
    ["application/vnd.govlog.stream+cbor", "application/vnd.govlog.gap+cbor", "application/vnd.govlog.quarantine+cbor"];

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

// --- iat ----------------------------------------------------------------------------------------------------------------------------------

#[test]
fn iat_may_be_a_day_old_unless_the_row_says_otherwise() {
    judged(&Draft::new().iat(NOW - 86_400)).unwrap();
    let refusal = judged(&Draft::new().iat(NOW - 86_401)).unwrap_err();
    assert!(matches!(refusal, Refusal::TooOld { age_s: 86_401, max_age_s: 86_400, .. }));
    assert_eq!(refusal.class(), Class::Forbidden);
    let policy = with_row(|row| row.max_age_s = Some(10));
    policy.judge(&Draft::new().iat(NOW - 10).sign(), Some(NOW)).unwrap();
    assert!(policy.judge(&Draft::new().iat(NOW - 11).sign(), Some(NOW)).is_err());
    let policy = with_row(|row| row.max_age_s = Some(0));
    policy.judge(&Draft::new().sign(), Some(NOW)).unwrap();
    assert!(policy.judge(&Draft::new().iat(NOW - 1).sign(), Some(NOW)).is_err());
}

#[test]
fn iat_may_be_300_seconds_ahead_whatever_the_row_says() {
    for policy in [policy(), with_row(|row| row.max_age_s = Some(0))] {
        policy.judge(&Draft::new().iat(NOW + 300).sign(), Some(NOW)).unwrap();
        let refusal = policy.judge(&Draft::new().iat(NOW + 301).sign(), Some(NOW)).unwrap_err();
        assert!(matches!(refusal, Refusal::Ahead { ahead_s: 301, .. }));
        assert_eq!(refusal.class(), Class::Forbidden);
    }
}

#[test]
fn without_a_clock_the_age_of_iat_is_not_judged() {
    for iat in [i64::MIN, 0, NOW - 1_000_000, NOW + 1_000_000, i64::MAX] {
        policy().judge(&Draft::new().iat(iat).sign(), None).unwrap();
    }
}

#[test]
fn the_ends_of_time_are_judged_without_overflow() {
    for (iat, now) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (i64::MIN, 0), (i64::MAX, -1)] {
        let refusal = policy().judge(&Draft::new().iat(iat).sign(), Some(now)).unwrap_err();
        assert_eq!(refusal.class(), Class::Forbidden);
    }
}

#[test]
fn a_change_may_be_a_day_old_too() {
    let policy = policy();
    let draft = Draft::change(&policy, &set(vec![row(OTHER, &ed25519(3))]));
    policy.judge(&draft.clone().iat(NOW - 86_400).sign(), Some(NOW)).unwrap();
    assert!(matches!(policy.judge(&draft.iat(NOW - 86_401).sign(), Some(NOW)), Err(Refusal::TooOld { .. })));
}

// --- Changes of the policy ----------------------------------------------------------------------------------------------------------------

#[test]
fn a_change_under_a_hash_envelope_is_400_whoever_sent_it() {
    for iss in [OPERATOR, PEP, "spiffe://example.org/stranger"] {
        let draft = Draft::new().iss(iss).enveloped(crate::admission::ADMISSION_POLICY);
        assert_eq!(judged(&draft), Err(Refusal::EnvelopedChange));
        assert_eq!(class(&draft), Some(Class::Malformed));
    }
}

#[test]
fn a_change_whose_schema_is_wrong_is_400_whoever_sent_it() {
    for iss in [OPERATOR, PEP, "spiffe://example.org/stranger"] {
        let mut draft = Draft::new().iss(iss).kind(crate::admission::ADMISSION_POLICY);
        draft.payload = crate::cbor::to_deterministic(&ciborium::Value::Map(vec![(
            ciborium::Value::from("v"),
            ciborium::Value::from(1),
        )]));
        let refusal = judged(&draft).unwrap_err();
        assert_eq!(refusal.class(), Class::Malformed);
        assert_eq!(refusal.to_string(), "admission-policy record: event_ms is missing");
    }
}

#[test]
fn a_change_that_names_the_operators_own_iss_is_400() {
    let policy = policy();
    let retire = change(crate::admission::ChangeFields { retire: vec![OPERATOR.to_owned()], ..Default::default() });
    for (change, field) in [(set(vec![row(OPERATOR, &ed25519(3))]), "set"), (retire, "retire")] {
        let refusal = policy.judge(&signed(&policy, &change), Some(NOW)).unwrap_err();
        assert_eq!(refusal, Refusal::OperatorAsIssuer { field, iss: OPERATOR.to_owned() });
        assert_eq!(refusal.class(), Class::Malformed);
    }
}

#[test]
fn a_change_of_another_iss_than_the_operators_is_403() {
    let policy = policy();
    let change = set(vec![row(OTHER, &ed25519(3))]);
    let refusal = policy.judge(&Draft::change(&policy, &change).iss(PEP).key(pep_key()).sign(), Some(NOW)).unwrap_err();
    assert!(matches!(refusal, Refusal::NotTheOperator { .. }), "{refusal}");
    assert_eq!(refusal.class(), Class::Forbidden);
}

#[test]
fn a_row_can_not_list_admission_policy_as_a_kind_of_its_own() {
    let policy = with_row(|row| row.kinds = vec!["admission-policy".to_owned()]);
    let change = set(vec![row(OTHER, &ed25519(3))]);
    let refusal = policy.judge(&Draft::change(&policy, &change).iss(PEP).key(pep_key()).sign(), Some(NOW)).unwrap_err();
    assert!(matches!(refusal, Refusal::NotTheOperator { .. }), "{refusal}");
}

#[test]
fn a_change_of_another_stream_than_the_operators_or_of_none_is_403() {
    let policy = policy();
    let mut draft = Draft::change(&policy, &set(vec![row(OTHER, &ed25519(3))]));
    draft.claims.stream.as_mut().unwrap().stream = "admissions".to_owned();
    let refusal = policy.judge(&draft.sign(), Some(NOW)).unwrap_err();
    assert_eq!(refusal, Refusal::OperatorStream { found: Some("admissions".to_owned()) });
    draft.claims.stream = None;
    let refusal = policy.judge(&draft.sign(), Some(NOW)).unwrap_err();
    assert_eq!(refusal, Refusal::OperatorStream { found: None });
    assert_eq!(refusal.class(), Class::Forbidden);
}

#[test]
fn a_change_of_another_sub_than_the_origin_is_403() {
    let policy = policy();
    let draft = Draft::change(&policy, &set(vec![row(OTHER, &ed25519(3))])).sub("log.example/2");
    let refusal = policy.judge(&draft.sign(), Some(NOW)).unwrap_err();
    assert!(matches!(refusal, Refusal::OperatorSubject { .. }), "{refusal}");
    assert_eq!(refusal.class(), Class::Forbidden);
}

#[test]
fn a_change_is_signed_by_an_operator_key_in_force_before_it() {
    let policy = policy();
    let replaced = change(crate::admission::ChangeFields { operators: vec![p256(11).public()], ..Default::default() });
    let draft = Draft::change(&policy, &replaced);
    // The new key is not in force yet, not even for the change that names it.
    let early = policy.judge(&draft.clone().key(p256(11)).sign(), Some(NOW)).unwrap_err();
    assert!(matches!(early, Refusal::UnknownKey { .. }), "{early}");
    let after = policy.apply(LeafIndex::new(9), &draft.sign()).unwrap();
    let next = Draft::change(&after, &set(vec![row(OTHER, &ed25519(3))]));
    assert!(matches!(after.judge(&next.sign(), Some(NOW)), Err(Refusal::UnknownKey { .. })));
    after.judge(&next.key(p256(11)).sign(), Some(NOW)).unwrap();
}

#[test]
fn an_issuers_key_does_not_make_it_the_operator() {
    let policy = policy();
    let draft = Draft::change(&policy, &set(vec![row(OTHER, &ed25519(3))])).key(pep_key());
    assert!(matches!(policy.judge(&draft.sign(), Some(NOW)), Err(Refusal::UnknownKey { .. })));
}

#[test]
fn the_operator_submits_changes_and_approvals_and_nothing_else() {
    let refusal = judged(&Draft::new().iss(OPERATOR).key(operator_key())).unwrap_err();
    assert!(matches!(refusal, Refusal::Kind { .. }), "{refusal}");
    assert!(refusal.to_string().ends_with("allowed: \"admission-policy\", \"approval\""), "{refusal}");
    let about_a_stream = Draft::new().iss(OPERATOR).key(operator_key()).kind(STREAM_KINDS[0]).stream("s", 0).sub("s");
    assert!(matches!(judged(&about_a_stream), Err(Refusal::Kind { .. })));
}

#[test]
fn a_change_can_not_move_the_log_to_another_origin() {
    let policy = policy();
    let mut log = log_row();
    log.origin = "log.example/2".to_owned();
    log.checkpoint = vkey("log.example/2");
    let change = change(crate::admission::ChangeFields { log: Some(log), ..Default::default() });
    let refusal = policy.judge(&signed(&policy, &change), Some(NOW)).unwrap_err();
    assert!(matches!(refusal, Refusal::OtherOrigin { .. }), "{refusal}");
    assert_eq!(refusal.class(), Class::Forbidden);
}

#[test]
fn a_threshold_that_nobody_can_meet_is_refused() {
    let policy = policy();
    for threshold in [0, 2, u64::MAX] {
        let change = change(crate::admission::ChangeFields { threshold: Some(threshold), ..Default::default() });
        let refusal = policy.judge(&signed(&policy, &change), Some(NOW)).unwrap_err();
        assert_eq!(refusal, Refusal::ThresholdOutOfReach { threshold, operators: 1 });
    }
    // The same key twice is one operator.
    let twice = vec![operator_key().public(), operator_key().public()];
    let change = change(crate::admission::ChangeFields { operators: twice, threshold: Some(2), ..Default::default() });
    let refusal = policy.judge(&signed(&policy, &change), Some(NOW)).unwrap_err();
    assert_eq!(refusal, Refusal::ThresholdOutOfReach { threshold: 2, operators: 1 });
}

#[test]
fn a_threshold_of_one_may_be_said() {
    let change = change(crate::admission::ChangeFields { threshold: Some(1), ..Default::default() });
    assert_eq!(applied(&policy(), &change).threshold(), 1);
}

// --- The stream ---------------------------------------------------------------------------------------------------------------------------

fn position(seq: u64, prev: Digest) -> StreamPosition {
    StreamPosition { stream: "s".to_owned(), seq, prev }
}

#[test]
fn the_next_seq_with_the_right_prev_continues_a_stream() {
    let last = Digest::sha256(b"last");
    judge_stream(Expected::START, &position(0, Digest::ZERO)).unwrap();
    judge_stream(Expected { seq: 7, prev: last }, &position(7, last)).unwrap();
}

#[test]
fn any_other_place_is_a_conflict_that_names_the_expected_one() {
    let (last, other) = (Digest::sha256(b"last"), Digest::sha256(b"other"));
    for (seq, prev) in [(7, other), (7, Digest::ZERO), (8, last), (6, last), (0, Digest::ZERO), (u64::MAX, last)] {
        let conflict = judge_stream(Expected { seq: 7, prev: last }, &position(seq, prev)).unwrap_err();
        let expected = Conflict { expected_seq: 7, expected_prev: last, found_seq: seq, found_prev: prev };
        assert_eq!(conflict, expected);
        assert_eq!(Refusal::from(conflict).class(), Class::Conflict);
    }
}

#[test]
fn seq_0_with_a_prev_is_a_conflict() {
    let prev = Digest::sha256(b"none");
    let conflict = judge_stream(Expected::START, &position(0, prev)).unwrap_err();
    assert_eq!((conflict.expected_seq, conflict.expected_prev), (0, Digest::ZERO));
}

// --- Judging again ------------------------------------------------------------------------------------------------------------------------

#[test]
fn what_a_later_policy_still_admits_is_admitted_without_a_second_verification() {
    let (before, statement) = (policy(), Draft::new().sign());
    let accepted = before.judge(&statement, Some(NOW)).unwrap();
    let after = applied(&before, &set(vec![row(OTHER, &ed25519(3))]));
    let again = after.rejudge(&statement, &accepted).unwrap();
    assert_eq!((again.identity(), again.key()), (accepted.identity(), accepted.key()));
    assert_eq!(again.as_of(), after.as_of());
}

#[test]
fn what_a_later_policy_forbids_is_refused() {
    let (before, statement) = (policy(), Draft::new().sign());
    let accepted = before.judge(&statement, Some(NOW)).unwrap();
    let mut other_kind = row(PEP, &pep_key());
    other_kind.kinds = vec!["effect".to_owned()];
    let mut other_subject = row(PEP, &pep_key());
    other_subject.subjects = vec!["spiffe://example.org/db".to_owned()];
    let retire = change(crate::admission::ChangeFields { retire: vec![PEP.to_owned()], ..Default::default() });
    for (change, why) in [
        (retire, "UnknownIssuer"),
        (set(vec![row(PEP, &ed25519(3))]), "UnknownKey"),
        (set(vec![other_kind]), "Kind"),
        (set(vec![other_subject]), "Subject"),
    ] {
        let refusal = applied(&before, &change).rejudge(&statement, &accepted).unwrap_err();
        assert!(format!("{refusal:?}").starts_with(why), "{refusal:?}");
    }
}

#[test]
fn an_acceptance_is_worth_nothing_for_another_statement() {
    let policy = policy();
    let accepted = policy.judge(&Draft::new().sign(), Some(NOW)).unwrap();
    let forged = Draft::new().sub("spiffe://example.org/jobs/x").bad_signature().sign();
    assert_eq!(policy.rejudge(&forged, &accepted).unwrap_err().class(), Class::BadSignature);
}

#[test]
fn long_and_strange_texts_are_cut_and_escaped_in_messages() {
    let refusal = judged(&Draft::new().iss(&format!("spiffe://\u{1b}[31m{}", "x".repeat(2000)))).unwrap_err();
    let told = refusal.to_string();
    assert!(told.len() < 400 && !told.contains('\u{1b}'), "{told}");
}
