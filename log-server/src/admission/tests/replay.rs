//! Statements of the table of conflicts, which anybody can read there and send again: it costs those who signed them nothing.

use super::*;

fn table(of: &[&SignedStatement]) -> Collided {
    let collided = Collided::default();
    of.iter().for_each(|statement| collided.insert(statement.sig_structure_digest()));
    collided
}

fn expected(outcome: Result<Outcome, Refusal>) -> u64 {
    match outcome {
        Err(Refusal::Conflict(conflict)) => conflict.expected_seq,
        other => panic!("no conflict: {other:?}"),
    }
}

#[tokio::test]
async fn a_conflict_that_is_kept_already_costs_its_issuer_no_rate() {
    let first = in_stream("s", 0, Digest::ZERO);
    let [kept, fresh] = [b"kept", b"anew"].map(|other| in_stream("s", 0, Digest::sha256(other)));
    let door = door_beside(rated(1), store_of(&[&first]), table(&[&kept]));
    for _ in 0..5 {
        assert_eq!(expected(door.submit(&kept).await), 1);
    }
    // It is judged like any other all the same: bytes that nobody signed are no replay.
    let refusal = door.submit(&forged(&kept)).await.unwrap_err();
    assert!(matches!(&refusal, Refusal::NotAdmitted(why) if why.class() == policy_of::Class::BadSignature));
    // One that is not kept yet is the sequencer's to judge and to keep, and counts.
    admitted(door.submit(&fresh).await);
    assert!(is_429(&door.submit(&statement(3)).await));
    assert_eq!(expected(door.submit(&kept).await), 1);
}

#[tokio::test]
async fn a_conflict_is_refused_for_what_comes_before_the_stream_first() {
    let (first, kept) = (in_stream("s", 0, Digest::ZERO), in_stream("s", 0, Digest::sha256(b"kept")));
    let door = door_beside(policy(), store_of(&[&first]), table(&[&kept]));
    door.clock.set_s(NOW_S.unsigned_abs() + 86_401);
    let refusal = door.submit(&kept).await.unwrap_err();
    assert!(matches!(refusal, Refusal::NotAdmitted(policy_of::Refusal::TooOld { .. })), "{refusal}");
}

/// Within a day of `iat` anybody could else use up what an operator may say in an hour.
#[tokio::test]
async fn an_approval_that_is_kept_as_a_conflict_costs_its_operator_nothing() {
    let policy = policy();
    let kid = operator_key().public().thumbprint();
    let word = |number: u64, place| {
        let approved = Digest::sha256(&number.to_be_bytes());
        let approval = OperatorApproval { event_ms: number, approved, word: Word::Approve, expires_ms: None };
        approval_statement(ORIGIN, &approval, None, place, NOW_S.unsigned_abs(), &operator_key()).unwrap()
    };
    let place = policy.next_approval(&kid);
    let (logged, kept) = (word(1, place), word(2, place));
    let door = door_beside(policy, store_of(&[&logged]), table(&[&kept]));
    let answers = door.submit_all(&vec![kept.clone(); 100]).await;
    answers.into_iter().for_each(|answer| assert_eq!(expected(answer), 1));
    let next = policy_of::Expected { seq: 1, prev: logged.sig_structure_digest() };
    let words: Vec<_> = (0..61).map(|number| word(100 + number, next)).collect();
    let answers = door.submit_all(&words).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 60, "the whole hour is left");
}
