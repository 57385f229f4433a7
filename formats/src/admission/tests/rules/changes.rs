//! Changes of the policy, places in streams, and judging again.

use crate::admission::{Class, Conflict, Expected, Refusal, judge_stream};
use crate::digest::Digest;
use crate::merkle::LeafIndex;
use crate::statement::StreamPosition;

use super::*;

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
