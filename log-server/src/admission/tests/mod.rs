//! Tests of the door: what the log adds to the rules that an auditor replays.

mod domain;
mod replay;

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::mpsc;

use govlog_formats::admission::{self as policy_of, Change, ChangeFields, OperatorApproval, Word, approval_statement};
use govlog_formats::cose::SigningKey;
use govlog_formats::digest::Digest;

use super::testing::*;
use super::*;
use crate::clock::Millis;
use crate::refusal::{Class, RateLimit};
use crate::sequencer::{Batch, EntryRow};
use crate::store::{Identity, MemoryStore, StoreId};
use crate::tree::RightEdge;

struct Door {
    admission: Admission,
    policy: PolicyInForce,
    clock: Arc<ManualClock>,
}

fn empty_store() -> MemoryStore {
    MemoryStore::new(&Identity { store: StoreId::from_bytes([5; 32]), epoch: 1, origin: ORIGIN.to_owned() })
}

/// A store that holds these statements.
fn store_of(logged: &[&SignedStatement]) -> MemoryStore {
    let rows = logged.iter().map(|statement| EntryRow {
        entry: statement.entry().to_vec().into(),
        leaf: statement.leaf_hash(),
        key: StreamKey::of(statement),
    });
    store_of_rows(rows.collect())
}

fn store_of_rows(rows: Vec<EntryRow>) -> MemoryStore {
    let store = empty_store();
    store.commit(&Batch::build(&mut RightEdge::new(), rows, Millis::new(1)).unwrap()).unwrap();
    store
}

fn door(policy: PolicyState, store: MemoryStore) -> Door {
    door_beside(policy, store, Collided::default())
}

/// A door beside a table of conflicts.
fn door_beside(policy: PolicyState, store: MemoryStore, collided: Collided) -> Door {
    let (policy, clock) = (Arc::new(ArcSwap::from_pointee(policy)), ManualClock::new());
    let workers = NonZeroUsize::new(2).unwrap();
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let admission = Admission::new(Arc::clone(&policy), collided, Arc::new(store), shared, workers).unwrap();
    Door { admission, policy, clock }
}

impl Door {
    async fn submit(&self, statement: &SignedStatement) -> Result<Outcome, Refusal> {
        self.admission.admit(Submission::parse(statement.entry()).unwrap()).await
    }

    async fn submit_all(&self, statements: &[SignedStatement]) -> Vec<Result<Outcome, Refusal>> {
        let submissions = statements.iter().map(|statement| Submission::parse(statement.entry()).unwrap());
        self.admission.admit_all(submissions.collect()).await
    }
}

fn rated(per_second: u64) -> PolicyState {
    let mut limited = row();
    limited.rate = NonZeroU64::new(per_second);
    policy_with(1, vec![limited])
}

fn admitted(outcome: Result<Outcome, Refusal>) -> Admitted {
    match outcome.unwrap() {
        Outcome::Admitted(admitted) => *admitted,
        Outcome::Duplicate(index) => panic!("a duplicate of entry {index}"),
    }
}

fn duplicate(outcome: Result<Outcome, Refusal>) -> u64 {
    match outcome.unwrap() {
        Outcome::Duplicate(index) => index.get(),
        Outcome::Admitted(_) => panic!("admitted"),
    }
}

fn is_429(outcome: &Result<Outcome, Refusal>) -> bool {
    matches!(outcome, Err(Refusal::TooManyRequests { limit: RateLimit::Row { .. }, .. }))
}

#[tokio::test]
async fn what_the_policy_admits_is_admitted_and_says_under_which_policy() {
    let door = door(policy(), empty_store());
    let admitted = admitted(door.submit(&statement(1)).await);
    assert_eq!(admitted.statement().entry(), statement(1).entry());
    assert_eq!(admitted.key(), &StreamKey::Alone(statement(1).sig_structure_digest()));
    assert_eq!(admitted.policy_as_of(), LeafIndex::new(1));
}

#[tokio::test]
async fn what_the_policy_refuses_is_refused() {
    let door = door(policy(), empty_store());
    let refusal = door.submit(&forged(&statement(1))).await.unwrap_err();
    assert!(
        matches!(&refusal, Refusal::NotAdmitted(why) if why.class() == policy_of::Class::BadSignature),
        "{refusal}"
    );
    assert_eq!(refusal.class(), Class::Refused);
    let elsewhere = statement_with(1, |header| header.claims.sub = "https://example.org/".to_owned());
    let refusal = door.submit(&elsewhere).await.unwrap_err();
    assert!(matches!(refusal, Refusal::NotAdmitted(policy_of::Refusal::Subject { .. })), "{refusal}");
}

// --- Duplicates ---------------------------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_duplicate_is_answered_with_the_earlier_entry() {
    let door = door(policy(), store_of(&[&genesis(), &statement(1), &in_stream("s", 0, Digest::ZERO)]));
    assert_eq!(duplicate(door.submit(&statement(1)).await), 1);
    assert_eq!(duplicate(door.submit(&in_stream("s", 0, Digest::ZERO)).await), 2);
    assert_eq!(duplicate(door.submit(&genesis()).await), 0);
    admitted(door.submit(&statement(2)).await);
}

#[tokio::test]
async fn a_duplicate_is_found_before_the_signature_is_looked_at() {
    let door = door(policy(), store_of(&[&genesis(), &statement(1)]));
    assert_eq!(duplicate(door.submit(&forged(&statement(1))).await), 1);
}

#[tokio::test]
async fn a_duplicate_is_found_before_issuer_and_iat_are() {
    let door = door(policy(), store_of(&[&genesis(), &statement(1)]));
    door.clock.set_s(NOW_S.unsigned_abs() + 10_000_000);
    assert_eq!(duplicate(door.submit(&statement(1)).await), 1);
    let retired = door.admission.policy().apply(LeafIndex::new(2), &change_statement(&policy(), &retire())).unwrap();
    door.policy.store(Arc::new(retired));
    assert_eq!(duplicate(door.submit(&statement(1)).await), 1);
    assert!(door.submit(&statement(2)).await.is_err());
}

#[tokio::test]
async fn a_duplicate_does_not_count_against_the_rate() {
    let door = door(rated(1), store_of(&[&genesis(), &statement(1)]));
    for _ in 0..5 {
        assert_eq!(duplicate(door.submit(&statement(1)).await), 1);
    }
    admitted(door.submit(&statement(2)).await);
    assert!(is_429(&door.submit(&statement(3)).await));
    assert_eq!(duplicate(door.submit(&statement(1)).await), 1);
}

#[tokio::test]
async fn bytes_are_judged_before_duplicates() {
    let other = statement_with(1, |header| header.claims.aud = Some("log.example/other".to_owned()));
    let door = door(policy(), store_of(&[&other]));
    let refusal = door.submit(&other).await.unwrap_err();
    assert!(matches!(refusal, Refusal::NotAdmitted(policy_of::Refusal::WrongAudience { .. })), "{refusal}");
}

#[tokio::test]
async fn another_statement_at_the_same_place_is_no_duplicate() {
    let first = in_stream("s", 0, Digest::ZERO);
    let door = door(policy(), store_of(&[&first]));
    let second = in_stream("s", 0, Digest::sha256(b"other"));
    assert_eq!(admitted(door.submit(&second).await).key(), &StreamKey::of(&first));
}

#[tokio::test]
async fn the_stored_bytes_are_read_and_compared() {
    // The duplicate table names an entry that is another statement, and one that is none.
    let row =
        |entry: Vec<u8>, key| EntryRow { leaf: govlog_formats::merkle::leaf_hash(&entry), entry: entry.into(), key };
    let wrong = row(statement(7).entry().to_vec(), StreamKey::of(&statement(1)));
    let broken = row(b"no statement".to_vec(), StreamKey::of(&statement(2)));
    let door = door(policy(), store_of_rows(vec![wrong, broken]));
    admitted(door.submit(&statement(1)).await);
    let refusal = door.submit(&statement(2)).await.unwrap_err();
    assert_eq!(refusal, Refusal::unavailable(Unavailable::Read));
    assert_eq!(refusal.class(), Class::Transient);
}

// --- Rates --------------------------------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn an_issuers_rate_is_counted_after_its_signature_verifies() {
    let door = door(rated(2), empty_store());
    for number in 0..10 {
        let refusal = door.submit(&forged(&statement(number))).await.unwrap_err();
        assert!(matches!(refusal, Refusal::NotAdmitted(_)), "{refusal}");
    }
    admitted(door.submit(&statement(1)).await);
    admitted(door.submit(&statement(2)).await);
    assert!(is_429(&door.submit(&statement(3)).await));
    let refusal = door.submit(&forged(&statement(3))).await.unwrap_err();
    assert!(matches!(refusal, Refusal::NotAdmitted(_)), "{refusal}");
}

/// Anybody can send again what somebody signed and the policy refuses: else it would keep that issuer out, or all of its trust domain.
#[tokio::test]
async fn what_verifies_and_is_then_refused_costs_its_issuer_nothing() {
    let door = door(rated(1), empty_store());
    let issuance = |number| {
        statement_with(number, |header| {
            header.content =
                govlog_formats::statement::Content::Plain("application/vnd.govlog.issuance+cbor".to_owned());
        })
    };
    for _ in 0..3 {
        let refusal = door.submit(&issuance(1)).await.unwrap_err();
        assert!(matches!(refusal, Refusal::NotAdmitted(policy_of::Refusal::Kind { .. })), "{refusal}");
    }
    admitted(door.submit(&statement(2)).await);
    assert!(is_429(&door.submit(&statement(3)).await));
}

#[tokio::test]
async fn each_member_of_a_batch_counts_in_order() {
    let door = door(rated(40), empty_store());
    let answers = door.submit_all(&(0..100).map(statement).collect::<Vec<_>>()).await;
    assert!(answers[..40].iter().all(Result::is_ok));
    assert!(answers[40..].iter().all(is_429));
}

#[tokio::test]
async fn without_a_rate_in_the_policy_there_is_none() {
    let door = door(policy(), empty_store());
    let answers = door.submit_all(&(0..300).map(statement).collect::<Vec<_>>()).await;
    assert!(answers.iter().all(Result::is_ok));
}

/// Each approval is read by every verifier for ever, and its operator needs nobody else for it.
#[tokio::test]
async fn an_operators_approvals_have_a_rate_that_changes_and_other_operators_do_not_feel() {
    let second = key(7);
    let operators = vec![operator_key().public(), second.public()];
    let change = Change::new(ChangeFields { event_ms: 1, operators, threshold: Some(2), ..ChangeFields::default() });
    let begun = policy();
    let policy = begun.apply(LeafIndex::new(2), &change_statement(&begun, &change.unwrap())).unwrap();
    let wanted = change_statement(&policy, &set(vec![row()]));
    let word = |key: &SigningKey, number: u64| {
        let approved = wanted.sig_structure_digest();
        let approval = OperatorApproval { event_ms: number, approved, word: Word::Approve, expires_ms: None };
        let place = policy.next_approval(&key.public().thumbprint());
        approval_statement(ORIGIN, &approval, None, place, NOW_S.unsigned_abs(), key).unwrap()
    };
    let flood: Vec<_> = (0..70).map(|number| word(&second, number)).collect();
    let (other, last) = (word(&operator_key(), 1), word(&second, 99));
    let door = door(policy.clone(), empty_store());
    let answers = door.submit_all(&flood).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 60);
    let kid = second.public().thumbprint();
    let limit = RateLimit::Approvals { kid, per_hour: 60 };
    let refusal = door.submit(&last).await.unwrap_err();
    assert!(
        matches!(&refusal, Refusal::TooManyRequests { limit: found, retry_after_s } if *found == limit && *retry_after_s <= 60)
    );
    assert_eq!(refusal.class(), Class::Transient, "the same word may be said later");
    admitted(door.submit(&other).await);
    // Whoever has no such key uses nobody's rate up, and a change counts as none.
    let forged_word = door.submit(&forged(&word(&operator_key(), 2))).await.unwrap_err();
    assert_eq!(forged_word.class(), Class::Refused);
    let unapproved = door.submit(&wanted).await.unwrap_err();
    assert!(matches!(unapproved, Refusal::NotAdmitted(policy_of::Refusal::Unapproved { .. })), "{unapproved}");
}

#[tokio::test]
async fn a_refusal_for_the_rate_says_how_long_to_wait() {
    let door = door(rated(1), empty_store());
    admitted(door.submit(&statement(1)).await);
    let refusal = door.submit(&statement(2)).await.unwrap_err();
    assert!(matches!(refusal, Refusal::TooManyRequests { retry_after_s: 1, .. }));
    assert_eq!(refusal.class(), Class::Transient);
    assert!(refusal.to_string().contains("1 statements per second; try again in 1 s"), "{refusal}");
}

// --- Batches, budget, policy --------------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_bad_member_of_a_batch_fails_alone_and_answers_keep_their_order() {
    let logged = statement(500);
    let door = door(policy(), store_of(&[&genesis(), &logged]));
    let mut batch: Vec<_> = (0..1024).map(statement).collect();
    batch[33] = forged(&batch[33]);
    let answers = door.submit_all(&batch).await;
    assert_eq!(answers.len(), 1024);
    for (number, answer) in answers.into_iter().enumerate() {
        match number {
            33 => assert!(matches!(answer, Err(Refusal::NotAdmitted(_)))),
            500 => assert_eq!(duplicate(answer), 1),
            _ => assert_eq!(admitted(answer).statement(), &batch[number]),
        }
    }
}

#[tokio::test]
async fn an_empty_batch_has_no_answers() {
    assert!(door(policy(), empty_store()).admission.admit_all(Vec::new()).await.is_empty());
}

#[tokio::test]
async fn over_the_budget_everything_is_told_to_come_back_and_later_it_is_taken() {
    let door = door(policy(), empty_store());
    let (open, gate) = mpsc::channel::<()>();
    let mut room = door.admission.pool.reserve(1_000_000).unwrap();
    let held = room.run(1_000_000, move || gate.recv().unwrap());
    drop(room);
    let answers = door.submit_all(&[statement(1), statement(2)]).await;
    for answer in answers {
        assert_eq!(answer.unwrap_err(), Refusal::unavailable(Unavailable::Verification));
    }
    open.send(()).unwrap();
    held.await.unwrap();
    admitted(door.submit(&statement(1)).await);
}

#[tokio::test]
async fn a_change_in_force_is_judged_by_from_then_on() {
    let door = door(policy(), empty_store());
    let mut earlier = admitted(door.submit(&statement(1)).await);
    let other_rows = policy().apply(LeafIndex::new(7), &change_statement(&policy(), &set(vec![]))).unwrap();
    door.policy.store(Arc::new(other_rows.clone()));
    assert_eq!(admitted(door.submit(&statement(2)).await).policy_as_of(), LeafIndex::new(7));
    earlier.rejudge(&other_rows).unwrap();
    assert_eq!(earlier.policy_as_of(), LeafIndex::new(7));
    let retired = other_rows.apply(LeafIndex::new(9), &change_statement(&other_rows, &retire())).unwrap();
    let refusal = earlier.rejudge(&retired).unwrap_err();
    assert!(matches!(refusal, Refusal::NotAdmitted(policy_of::Refusal::UnknownIssuer { .. })), "{refusal}");
}

#[tokio::test]
async fn the_age_of_iat_is_judged_by_the_logs_clock() {
    let door = door(policy(), empty_store());
    door.clock.set_s(NOW_S.unsigned_abs() + 86_401);
    let refusal = door.submit(&statement(1)).await.unwrap_err();
    assert!(matches!(refusal, Refusal::NotAdmitted(policy_of::Refusal::TooOld { .. })), "{refusal}");
    door.clock.set_s(NOW_S.unsigned_abs() - 301);
    let refusal = door.submit(&statement(1)).await.unwrap_err();
    assert!(matches!(refusal, Refusal::NotAdmitted(policy_of::Refusal::Ahead { .. })), "{refusal}");
    // Once it is inside, its age counts no more.
    let replayed = Admitted::judge(&policy(), statement_with(1, |header| header.claims.iat = 0), None).unwrap();
    assert_eq!(replayed.policy_as_of(), LeafIndex::new(1));
}
