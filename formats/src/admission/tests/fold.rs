//! The fold: what is in force after a sequence of changes.

use crate::admission::{ChangeFields, Expected, PolicyState, ReceiptKey, Refusal};
use crate::digest::Digest;
use crate::merkle::LeafIndex;

use super::world::*;

#[test]
fn set_replaces_an_issuers_whole_row() {
    let mut first = row(PEP, &pep_key());
    first.rate = std::num::NonZeroU64::new(5);
    let second = row(PEP, &ed25519(3));
    let policy = applied(&applied(&begun(), &set(vec![first])), &set(vec![second.clone()]));
    assert_eq!(policy.issuer(PEP), Some(&second));
    assert_eq!(policy.issuers().count(), 1);
    assert!(matches!(policy.judge(&Draft::new().sign(), Some(NOW)), Err(Refusal::UnknownKey { .. })));
}

#[test]
fn rows_of_others_stay() {
    let policy = applied(&policy(), &set(vec![row(OTHER, &ed25519(3))]));
    let names: Vec<_> = policy.issuers().map(|row| row.iss.as_str()).collect();
    assert_eq!(names, [OTHER, PEP, TRUST_DOMAIN]);
}

#[test]
fn retire_ends_a_row_and_an_unknown_issuer_is_none_already() {
    let retire =
        change(ChangeFields { retire: vec![PEP.to_owned(), "spiffe://never".to_owned()], ..Default::default() });
    let policy = applied(&policy(), &retire);
    assert!(policy.issuer(PEP).is_none());
    assert!(matches!(policy.judge(&Draft::new().sign(), Some(NOW)), Err(Refusal::UnknownIssuer { .. })));
}

#[test]
fn operators_are_replaced_as_a_whole() {
    let operators = vec![ed25519(3).public(), p256(4).public()];
    let policy = applied(&policy(), &change(ChangeFields { operators: operators.clone(), ..Default::default() }));
    let mut expected: Vec<_> = operators.iter().map(|key| key.thumbprint()).collect();
    expected.sort();
    assert_eq!(policy.operators().map(|(kid, _)| *kid).collect::<Vec<_>>(), expected);
}

#[test]
fn what_a_change_leaves_out_stays_as_it_is() {
    let before = policy();
    let after = applied(&before, &change(ChangeFields::default()));
    assert_eq!(after.issuers().collect::<Vec<_>>(), before.issuers().collect::<Vec<_>>());
    assert_eq!(after.operators().collect::<Vec<_>>(), before.operators().collect::<Vec<_>>());
    assert_eq!((after.log(), after.threshold()), (before.log(), before.threshold()));
}

#[test]
fn changes_are_taken_in_the_order_of_their_stream() {
    let policy = policy();
    assert_eq!(policy.next_change().seq, 2);
    let later = Draft::change(&policy, &set(vec![row(OTHER, &ed25519(3))]));
    for (seq, prev) in [(1, policy.next_change().prev), (3, policy.next_change().prev), (2, Digest::ZERO)] {
        let mut draft = later.clone();
        let position = draft.claims.stream.as_mut().unwrap();
        (position.seq, position.prev) = (seq, prev);
        let refusal = policy.apply(LeafIndex::new(9), &draft.sign()).unwrap_err();
        assert!(matches!(refusal, Refusal::Conflict(conflict) if conflict.expected_seq == 2), "{refusal}");
    }
    let statement = later.sign();
    let after = policy.apply(LeafIndex::new(9), &statement).unwrap();
    assert_eq!(after.next_change(), Expected { seq: 3, prev: statement.sig_structure_digest() });
    assert_eq!(after.as_of(), LeafIndex::new(9));
}

#[test]
fn only_changes_are_folded_and_each_is_judged() {
    let policy = policy();
    let decision = policy.apply(LeafIndex::new(9), &Draft::new().sign()).unwrap_err();
    assert!(matches!(decision, Refusal::NotTheOperator { .. }), "{decision}");
    let forged = Draft::change(&policy, &set(vec![row(OTHER, &ed25519(3))])).bad_signature().sign();
    assert!(matches!(policy.apply(LeafIndex::new(9), &forged), Err(Refusal::BadSignature { .. })));
}

#[test]
fn a_refused_change_changes_nothing() {
    let policy = policy();
    let before = policy.clone();
    let mut plain = row(OTHER, &ed25519(3));
    plain.subjects = vec!["alice".to_owned()];
    policy.apply(LeafIndex::new(9), &signed(&policy, &set(vec![row(PEP, &ed25519(4)), plain]))).unwrap_err();
    assert_eq!(policy, before);
}

#[test]
fn receipt_keys_are_in_force_from_a_size_and_below_another() {
    let mut log = log_row();
    log.receipts[0].below = Some(100);
    log.receipts.push(ReceiptKey { key: p256(8).public(), from: 90, below: None });
    let policy = applied(&begun(), &change(ChangeFields { log: Some(log), ..Default::default() }));
    let keys = |size| policy.receipt_keys_at(size).map(|key| key.thumbprint()).collect::<Vec<_>>();
    let (old, new) = (p256(7).public().thumbprint(), p256(8).public().thumbprint());
    assert_eq!(keys(0), [old]);
    assert_eq!(keys(89), [old]);
    assert_eq!(keys(90), [old, new]);
    assert_eq!(keys(99), [old, new]);
    assert_eq!(keys(100), [new]);
    assert_eq!(keys(u64::MAX), [new]);
}

#[test]
fn receipt_keys_that_a_later_row_leaves_out_are_remembered_but_not_in_force() {
    let with = |keys: &[u8]| {
        let mut log = log_row();
        log.receipts = keys.iter().map(|key| ReceiptKey { key: p256(*key).public(), from: 0, below: None }).collect();
        change(ChangeFields { log: Some(log), ..Default::default() })
    };
    let policy = applied(&applied(&applied(&begun(), &with(&[8])), &with(&[9])), &with(&[8, 10]));
    let thumbprints = |keys: &[u8]| keys.iter().map(|key| p256(*key).public().thumbprint()).collect::<Vec<_>>();
    assert_eq!(policy.receipt_keys_at(5).map(|key| key.thumbprint()).collect::<Vec<_>>(), thumbprints(&[8, 10]));
    let mut all: Vec<_> = policy.all_receipt_keys().map(|receipt| receipt.key.thumbprint()).collect();
    let mut expected = thumbprints(&[7, 8, 9, 10]);
    all.sort();
    expected.sort();
    assert_eq!(all, expected);
}

/// Folds a whole sequence at once, by another way than [`PolicyState`] does: for each issuer, the last change that names it counts.
fn rows_by_last_mention(changes: &[ChangeFields]) -> Vec<crate::admission::IssuerRow> {
    let mut names: Vec<&String> = changes.iter().flat_map(|change| change.set.iter().map(|row| &row.iss)).collect();
    names.sort();
    names.dedup();
    let last = |name: &String| {
        changes.iter().rev().find_map(|change| {
            let set = change.set.iter().find(|row| row.iss == *name).map(|row| Some(row.clone()));
            set.or_else(|| change.retire.contains(name).then_some(None))
        })
    };
    names.into_iter().filter_map(|name| last(name).flatten()).collect()
}

#[test]
fn folding_all_at_once_or_one_by_one_from_any_prefix_is_the_same() {
    // Every sequence of four changes out of six: set one of two issuers to one of two rows, or retire one.
    let choices: Vec<ChangeFields> = [PEP, OTHER]
        .into_iter()
        .flat_map(|iss| {
            let set = |key| ChangeFields { set: vec![row(iss, &ed25519(key))], ..ChangeFields::default() };
            [set(3), set(4), ChangeFields { retire: vec![iss.to_owned()], ..ChangeFields::default() }]
        })
        .collect();
    for code in 0..choices.len().pow(4) {
        let sequence: Vec<ChangeFields> =
            (0..4).map(|place| choices[code / choices.len().pow(place) % choices.len()].clone()).collect();
        let mut states = vec![begun()];
        for fields in &sequence {
            states.push(applied(states.last().unwrap(), &change(fields.clone())));
        }
        for (length, state) in states.iter().enumerate() {
            let expected = rows_by_last_mention(&sequence[..length]);
            assert_eq!(state.issuers().cloned().collect::<Vec<_>>(), expected, "{code} {length}");
        }
    }
}

#[test]
fn a_policy_is_the_same_whoever_folds_it() {
    let fold = || -> PolicyState { applied(&policy(), &set(vec![row(OTHER, &ed25519(3))])) };
    assert_eq!(fold(), fold());
}
