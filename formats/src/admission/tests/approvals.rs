//! Operators who must agree: whose word counts, for what, and until when.

use std::collections::BTreeMap;

use ciborium::Value;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::admission::{
    APPROVAL, Change, ChangeFields, Class, Conflict, Expected, GenesisError, MAX_WORDS, OperatorApproval, PolicyState,
    Refusal, Word, approval_statement, approval_stream, operator_statement,
};
use crate::cbor;
use crate::cose::SigningKey;
use crate::digest::Digest;
use crate::merkle::LeafIndex;
use crate::statement::{SignedStatement, StreamPosition};

use super::world::*;

/// Three operators; the first one is the one that began the log.
fn operators() -> [SigningKey; 3] {
    [operator_key(), p256(11), p384(12)]
}

/// The policy of [`policy`] with three operators, of whom `threshold` must agree.
fn agreeing(threshold: u64) -> PolicyState {
    let operators = operators().iter().map(SigningKey::public).collect();
    applied(&policy(), &change(ChangeFields { operators, threshold: Some(threshold), ..Default::default() }))
}

fn a_change() -> Change {
    set(vec![row(OTHER, &ed25519(3))])
}

fn word_of(policy: &PolicyState, key: &SigningKey, about: &Digest, word: Word) -> SignedStatement {
    said(policy, key, OperatorApproval { event_ms: 1, approved: *about, word, expires_ms: None })
}

fn said(policy: &PolicyState, key: &SigningKey, approval: OperatorApproval) -> SignedStatement {
    let place = policy.next_approval(&key.public().thumbprint());
    approval_statement(ORIGIN, &approval, None, place, NOW.unsigned_abs(), key).unwrap()
}

/// Folds a statement in at the next index.
fn after(policy: &PolicyState, statement: &SignedStatement) -> PolicyState {
    policy.apply(LeafIndex::new(policy.as_of().get() + 1), statement).unwrap()
}

fn with_word(policy: &PolicyState, key: &SigningKey, about: &SignedStatement, word: Word) -> PolicyState {
    after(policy, &word_of(policy, key, &about.sig_structure_digest(), word))
}

fn given(policy: &PolicyState, change: &SignedStatement) -> u64 {
    match policy.judge(change, Some(NOW)) {
        Err(Refusal::Unapproved { given, .. }) => given,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_threshold_of_two_takes_one_earlier_approval_of_another_operator() {
    let before = agreeing(2);
    let wanted = signed(&before, &a_change());
    let refusal = before.judge(&wanted, Some(NOW)).unwrap_err();
    let digest = wanted.sig_structure_digest();
    assert_eq!(refusal, Refusal::Unapproved { change: digest, threshold: 2, given: 0 });
    assert_eq!(refusal.class(), Class::Forbidden);
    let told = refusal.to_string();
    assert!(told.contains(&digest.to_string()) && told.contains("1 more"), "{told}");
    assert!(told.contains("govlog admission approve"), "{told}");

    let approved = with_word(&before, &operators()[1], &wanted, Word::Approve);
    assert_eq!(approved.approvals().count(), 1);
    approved.judge(&wanted, Some(NOW)).unwrap();
    let applied = after(&approved, &wanted);
    assert!(applied.issuer(OTHER).is_some());
    assert_eq!(applied.approvals().count(), 0, "what was agreed upon is settled");
    // The policy as of the approval is another than the one before it: what was admitted earlier is judged again.
    assert!(approved.as_of() > before.as_of());
}

#[test]
fn the_signers_own_word_does_not_count_and_three_take_two() {
    let mut policy = agreeing(3);
    let [first, second, third] = operators();
    let wanted = signed(&policy, &a_change());
    policy = with_word(&policy, &first, &wanted, Word::Approve);
    assert_eq!(given(&policy, &wanted), 0);
    policy = with_word(&policy, &second, &wanted, Word::Approve);
    policy = with_word(&policy, &second, &wanted, Word::Approve);
    assert_eq!(given(&policy, &wanted), 1, "twice the same operator is one");
    policy = with_word(&policy, &third, &wanted, Word::Approve);
    policy.judge(&wanted, Some(NOW)).unwrap();
}

#[test]
fn an_approval_is_of_one_statement() {
    let policy = agreeing(2);
    let wanted = signed(&policy, &a_change());
    let other = signed(&policy, &set(vec![row(OTHER, &ed25519(4))]));
    let policy = with_word(&policy, &operators()[1], &other, Word::Approve);
    assert_eq!(given(&policy, &wanted), 0);
    policy.judge(&other, Some(NOW)).unwrap();
}

#[test]
fn the_newest_word_of_an_operator_counts() {
    let second = &operators()[1];
    let policy = agreeing(2);
    let wanted = signed(&policy, &a_change());
    let approved = with_word(&policy, second, &wanted, Word::Approve);
    let accepted = approved.judge(&wanted, Some(NOW)).unwrap();
    let withdrawn = with_word(&approved, second, &wanted, Word::Reject);
    assert_eq!(given(&withdrawn, &wanted), 0);
    // What was let in at the door before the word was withdrawn is judged again.
    assert!(matches!(withdrawn.rejudge(&wanted, &accepted), Err(Refusal::Unapproved { .. })));
    let again = with_word(&withdrawn, second, &wanted, Word::Approve);
    again.rejudge(&wanted, &accepted).unwrap();
}

#[test]
fn an_approval_counts_until_it_expires() {
    let policy = agreeing(2);
    let wanted = signed(&policy, &a_change());
    let now_ms = NOW.unsigned_abs() * 1000;
    let until = |expires_ms| {
        let approved = wanted.sig_structure_digest();
        let word = OperatorApproval { event_ms: 1, approved, word: Word::Approve, expires_ms: Some(expires_ms) };
        after(&policy, &said(&policy, &operators()[1], word))
    };
    until(now_ms).judge(&wanted, Some(NOW)).unwrap();
    assert_eq!(given(&until(now_ms - 1), &wanted), 0);
    // At the door by the clock; in a replay by the change's own time alone.
    assert!(matches!(until(now_ms).judge(&wanted, Some(NOW + 1)), Err(Refusal::Unapproved { given: 0, .. })));
    until(now_ms).judge(&wanted, None).unwrap();
    assert!(until(now_ms - 1).judge(&wanted, None).is_err());
}

#[test]
fn who_is_no_operator_any_more_has_no_say_and_starts_anew() {
    let [first, second, third] = operators();
    let policy = agreeing(2);
    let wanted = signed(&policy, &a_change());
    let policy = with_word(&policy, &second, &wanted, Word::Approve);
    let replace = |policy: &PolicyState, keys: &[&SigningKey]| {
        let operators = keys.iter().map(|key| key.public()).collect();
        let fields = ChangeFields { operators, ..Default::default() };
        let replacing = operator_statement(ORIGIN, &change(fields), policy.next_change(), NOW.unsigned_abs(), &first);
        let replacing = replacing.unwrap();
        after(&with_word(policy, &third, &replacing, Word::Approve), &replacing)
    };
    let without = replace(&policy, &[&first, &third]);
    assert_eq!(without.approvals().count(), 0);
    let kid = second.public().thumbprint();
    let stranger = without.judge(&word_of(&without, &second, &Digest::ZERO, Word::Approve), Some(NOW));
    assert!(matches!(stranger, Err(Refusal::UnknownKey { .. })), "{stranger:?}");
    // Its stream goes on where it stopped.
    let back = replace(&without, &[&first, &second, &third]);
    assert_eq!((back.approvals().count(), back.next_approval(&kid).seq), (0, 1));
}

#[test]
fn raising_and_lowering_a_threshold_takes_the_one_in_force() {
    let policy = agreeing(2);
    for threshold in [1, 3] {
        let moved = signed(&policy, &change(ChangeFields { threshold: Some(threshold), ..Default::default() }));
        assert_eq!(given(&policy, &moved), 0);
        let approved = with_word(&policy, &operators()[2], &moved, Word::Approve);
        assert_eq!(after(&approved, &moved).threshold(), threshold);
    }
    // With a threshold of one, nobody else is asked, and words are remembered all the same.
    let one = agreeing(1);
    let raise = signed(&one, &change(ChangeFields { threshold: Some(3), ..Default::default() }));
    assert_eq!(after(&one, &raise).threshold(), 3);
}

#[test]
fn entry_0_may_ask_for_several_operators() {
    let operators: Vec<_> = operators().iter().map(SigningKey::public).collect();
    let begin = |threshold| {
        let fields = ChangeFields {
            event_ms: 1,
            operators: operators.clone(),
            threshold: Some(threshold),
            log: Some(log_row()),
            ..Default::default()
        };
        let first = operator_statement(ORIGIN, &change(fields), Expected::START, 1, &operator_key()).unwrap();
        PolicyState::genesis(&first)
    };
    let policy = begin(2).unwrap();
    assert_eq!(given(&policy, &signed(&policy, &a_change())), 0);
    let out_of_reach = Refusal::ThresholdOutOfReach { threshold: 4, operators: 3 };
    assert_eq!(begin(4), Err(GenesisError::Refused(out_of_reach)));
}

#[test]
fn what_an_operator_signs_is_an_approval_as_its_kind_has_it() {
    let policy = agreeing(2);
    let wanted = signed(&policy, &a_change());
    let word = word_of(&policy, &operators()[1], &wanted.sig_structure_digest(), Word::Approve);
    let record = crate::record::Record::parse(word.kind(), word.payload()).unwrap();
    let crate::record::Record::Approval(approval) = record else { panic!("{record:?}") };
    let expected = crate::record::approval::Approved::SigStructure(wanted.sig_structure_digest());
    assert_eq!(approval.approved(), crate::record::Recorded::Present(expected));
}

// --- What an approval must be ----------------------------------------------------------------------------------------------------------------

/// An approval to be spoilt; as it starts out, [`agreeing`] admits it.
fn draft(policy: &PolicyState) -> Draft {
    let kid = operator_key().public().thumbprint();
    let Expected { seq, prev } = policy.next_approval(&kid);
    let word =
        OperatorApproval { event_ms: 1, approved: Digest::sha256(b"a"), word: Word::Approve, expires_ms: Some(5) };
    let mut draft = Draft::new().iss(OPERATOR).sub(ORIGIN).aud(ORIGIN).kind(APPROVAL).key(operator_key());
    draft.claims.stream = Some(StreamPosition { stream: approval_stream(&kid), seq, prev });
    draft.payload = word.encode("somebody", Some(&Digest::ZERO));
    draft
}

fn fields(change: impl FnOnce(&mut Vec<(Value, Value)>)) -> Vec<u8> {
    let mut value = cbor::parse(&draft(&agreeing(2)).payload).unwrap();
    change(value.as_map_mut().unwrap());
    cbor::to_deterministic(&value)
}

fn field(name: &'static str, value: Value) -> Vec<u8> {
    fields(|pairs| pairs.iter_mut().find(|(key, _)| *key == Value::from(name)).unwrap().1 = value)
}

#[test]
fn the_fields_that_count_are_checked_whoever_may_see_them() {
    let policy = agreeing(2);
    let refusal = |payload: Vec<u8>| {
        let mut draft = draft(&policy);
        draft.payload = payload;
        // Bytes come before keys: a stranger's is refused alike.
        let refused = policy.judge(&draft.key(pep_key()).sign(), Some(NOW)).unwrap_err();
        assert_eq!(refused.class(), Class::Malformed, "{refused}");
        refused.to_string()
    };
    for name in ["event_ms", "type", "approved", "decision"] {
        let missing = fields(|pairs| pairs.retain(|(key, _)| *key != Value::from(name)));
        assert_eq!(refusal(missing), format!("approval record: {name} is missing"));
    }
    let wrong = [
        ("type", Value::from("operation")),
        ("decision", Value::from("maybe")),
        ("decision", Value::from(1)),
        ("expires_ms", Value::from("tomorrow")),
        ("event_ms", Value::from(-1)),
        ("approved", Value::Bytes(vec![7; 32])),
    ];
    for (name, value) in wrong {
        let told = refusal(field(name, value));
        assert!(told.starts_with(&format!("approval record: {name} must be")), "{told}");
    }
    let digest = |bytes: Vec<u8>| (Value::from("sig_structure"), Value::Bytes(bytes));
    let short = refusal(field("approved", Value::Map(vec![digest(vec![7; 31])])));
    assert!(short.contains("approved.sig_structure must be a byte string of 32 bytes"), "{short}");
    let two = vec![digest(vec![7; 32]), (Value::from("payload"), Value::Bytes(vec![7; 32]))];
    assert!(refusal(field("approved", Value::Map(two))).contains("approved.payload"));
    let operation = vec![(Value::from("op_digest"), Value::Bytes(vec![7; 32]))];
    assert!(refusal(field("approved", Value::Map(operation))).contains("approved.sig_structure is missing"));
}

#[test]
fn what_does_not_count_is_carried_unjudged() {
    let policy = agreeing(2);
    for payload in [
        fields(|pairs| pairs.push((Value::from("reason"), Value::from("agreed")))),
        fields(|pairs| pairs.retain(|(key, _)| *key != Value::from("approver"))),
        fields(|pairs| pairs.retain(|(key, _)| *key != Value::from("expires_ms"))),
    ] {
        let mut draft = draft(&policy);
        draft.payload = payload;
        policy.judge(&draft.sign(), Some(NOW)).unwrap();
    }
}

#[test]
fn an_approval_stands_in_its_keys_stream_and_is_about_this_log() {
    let policy = agreeing(2);
    policy.judge(&draft(&policy).sign(), Some(NOW)).unwrap();
    let refusal = |spoil: fn(Draft) -> Draft| policy.judge(&spoil(draft(&policy)).sign(), Some(NOW)).unwrap_err();
    let other = refusal(|draft| draft.stream("approval-0000000000000000", 0));
    assert!(matches!(other, Refusal::ApprovalStream { .. }), "{other}");
    assert!(matches!(refusal(|draft| draft.stream("admission", 3)), Refusal::ApprovalStream { .. }));
    let none = refusal(|mut draft| {
        draft.claims.stream = None;
        draft
    });
    assert!(matches!(none, Refusal::ApprovalStream { found: None, .. }), "{none}");
    let enveloped = refusal(|draft| draft.enveloped(APPROVAL));
    assert_eq!((enveloped.class(), enveloped), (Class::Malformed, Refusal::EnvelopedApproval));
    assert!(matches!(refusal(|draft| draft.sub("log.example/2")), Refusal::OperatorSubject { .. }));
    assert!(matches!(refusal(|draft| draft.key(pep_key())), Refusal::UnknownKey { .. }));
    assert!(matches!(refusal(Draft::bad_signature), Refusal::BadSignature { .. }));
    assert!(matches!(refusal(|draft| draft.iat(NOW - 1_000_000)), Refusal::TooOld { .. }));
    // Another operator's stream is not this key's.
    assert!(matches!(refusal(|draft| draft.key(p256(11))), Refusal::ApprovalStream { .. }));
}

#[test]
fn approvals_are_folded_in_the_order_of_their_stream() {
    let policy = agreeing(2);
    for (seq, prev) in [(1, Digest::ZERO), (0, Digest::sha256(b"other"))] {
        let mut draft = draft(&policy);
        let position = draft.claims.stream.as_mut().unwrap();
        (position.seq, position.prev) = (seq, prev);
        let refused = policy.apply(LeafIndex::new(50), &draft.sign()).unwrap_err();
        assert!(matches!(refused, Refusal::Conflict(Conflict { expected_seq: 0, .. })), "{refused}");
    }
    let first = after(&policy, &draft(&policy).sign());
    assert_eq!(first.approval_streams().collect::<Vec<_>>(), [approval_stream(&operator_key().public().thumbprint())]);
    assert_eq!(first.next_change(), policy.next_change(), "the stream of changes stays where it was");
    after(&first, &draft(&first).sign());
}

#[test]
fn an_approval_of_anybody_else_is_an_ordinary_record() {
    let mut approver = row(PEP, &pep_key());
    approver.kinds = vec!["approval".to_owned()];
    let policy = applied(&agreeing(1), &set(vec![approver]));
    let ordinary = Draft::new().kind(APPROVAL).sign();
    policy.judge(&ordinary, Some(NOW)).unwrap();
    assert!(!policy.folds(&ordinary));
    assert!(matches!(policy.apply(LeafIndex::new(50), &ordinary), Err(Refusal::NotTheOperator { .. })));
}

#[test]
fn the_oldest_word_makes_room_for_the_newest() {
    let mut policy = agreeing(2);
    let second = &operators()[1];
    let wanted = signed(&policy, &a_change());
    policy = with_word(&policy, second, &wanted, Word::Approve);
    for number in 1..MAX_WORDS {
        let about = Digest::sha256(&number.to_be_bytes());
        policy = after(&policy, &word_of(&policy, second, &about, Word::Approve));
    }
    policy.judge(&wanted, Some(NOW)).unwrap();
    // Another operator's words take no room of this one's.
    policy = after(&policy, &word_of(&policy, &operators()[2], &Digest::ZERO, Word::Approve));
    policy.judge(&wanted, Some(NOW)).unwrap();
    policy = after(&policy, &word_of(&policy, second, &Digest::ZERO, Word::Approve));
    assert_eq!(given(&policy, &wanted), 0);
    assert_eq!(policy.approvals().count(), MAX_WORDS + 1);
}

proptest! {
    /// Whatever was said in whatever order: what counts is each other operator's newest word.
    #[test]
    fn the_verdict_is_that_of_the_newest_words(
        said in vec((0_usize..3, any::<bool>(), any::<bool>()), 0..12),
        threshold in 1_u64..4,
    ) {
        let mut policy = agreeing(threshold);
        let wanted = [a_change(), set(vec![row(OTHER, &ed25519(4))])].map(|change| signed(&policy, &change));
        let mut newest: BTreeMap<(usize, bool), bool> = BTreeMap::new();
        for (who, which, yes) in said {
            let word = if yes { Word::Approve } else { Word::Reject };
            policy = with_word(&policy, &operators()[who], &wanted[usize::from(which)], word);
            newest.insert((who, which), yes);
            for (which, change) in [(false, &wanted[0]), (true, &wanted[1])] {
                let expected = [1, 2].iter().filter(|who| newest.get(&(**who, which)) == Some(&true)).count() as u64;
                let met = policy.judge(change, Some(NOW)).is_ok();
                prop_assert_eq!(met, expected + 1 >= threshold);
                prop_assert_eq!(policy.apply(LeafIndex::new(900), change).is_ok(), met);
            }
        }
    }

    #[test]
    fn any_word_is_read_back_as_it_was_written(
        event_ms in any::<u64>(),
        approved in any::<[u8; 32]>(),
        yes in any::<bool>(),
        expires_ms in proptest::option::of(any::<u64>()),
        junk in vec(any::<u8>(), 0..120),
    ) {
        let word = if yes { Word::Approve } else { Word::Reject };
        let approval = OperatorApproval { event_ms, approved: Digest::from_bytes(approved), word, expires_ms };
        prop_assert_eq!(OperatorApproval::parse(&approval.encode("me", None)), Ok(approval));
        let _ = OperatorApproval::parse(&junk);
    }
}
