//! Checkpoints judged by a policy.

use super::*;

// ---- verification ----------------------------------------------------------

#[test]
fn a_checkpoint_is_verified_and_its_quorum_judged() {
    let policy = policy(3, "group g 2 w1 w2 w3\nquorum g\n");
    let verified = policy.verify_checkpoint(&note(&[(3, 500), (1, 400)])).unwrap();
    assert_eq!(verified.checkpoint().size.get(), 1);
    assert_eq!(verified.log(), log().vkey());
    let cosigned: Vec<_> = verified.cosigned().iter().map(|c| (c.witness.to_string(), c.timestamp)).collect();
    assert_eq!(cosigned, [("w1".to_owned(), 400), ("w3".to_owned(), 500)]);
    assert!(verified.quorum().met());
    assert_eq!(verified.quorum().missing(), [word("w2")]);
    assert_eq!(verified.quorum().to_string(), "2 of 3 witnesses cosigned, quorum met");
    assert_eq!((verified.lower_time(), verified.upper_time()), (Some(400), Some(500)));
    assert_eq!(verified.ahead_of(450).map(|c| c.timestamp).collect::<Vec<_>>(), [500]);
    assert_eq!(verified.ahead_of(500).count(), 0);
    assert!(verified.require_quorum().is_ok());
}

#[test]
fn too_few_cosignatures_are_a_verdict_and_not_a_refusal() {
    let policy = policy(3, "group g 2 w1 w2 w3\nquorum g\n");
    let verified = policy.verify_checkpoint(&note(&[(2, 400)])).unwrap();
    let quorum = verified.quorum().clone();
    assert!(!quorum.met() && quorum.required());
    assert_eq!((quorum.cosigned(), quorum.known(), quorum.shortfall()), (1, 3, 1));
    assert_eq!(quorum.missing(), [word("w1"), word("w3")]);
    assert_eq!(quorum.to_string(), "1 of 3 witnesses cosigned, quorum not met (1 more needed)");
    assert_eq!((verified.lower_time(), verified.upper_time()), (None, None));
    assert_eq!(verified.require_quorum().unwrap_err(), quorum);
}

#[test]
fn without_a_quorum_there_is_no_time_bound() {
    let policy = policy(1, "quorum none\n");
    let verified = policy.verify_checkpoint(&note(&[(1, 400)])).unwrap();
    assert!(verified.quorum().met() && !verified.quorum().required());
    assert_eq!(verified.quorum().to_string(), "1 of 1 witnesses cosigned, no quorum required");
    assert_eq!((verified.lower_time(), verified.upper_time()), (None, None));
}

#[test]
fn a_checkpoint_needs_the_signature_of_its_own_log() {
    let policy = policy(1, "quorum w1\n");
    let cosigned = witness(1).sign(&text(), Some(400)).unwrap();
    let alone = Note::with_lines(&text(), core::slice::from_ref(&cosigned)).unwrap();
    let origin = Origin::new("example.com/log").unwrap();
    assert_eq!(
        policy.verify_checkpoint(&alone.to_bytes()).unwrap_err(),
        PolicyVerifyError::NotSignedByLog(origin.clone())
    );
    // Another log of the policy cannot speak for this one.
    let other = signer("other.example/log", SignatureAlgorithm::Ed25519, 101);
    let both: Policy = format!("log {}\nlog {}\nquorum none\n", log().vkey(), other.vkey()).parse().unwrap();
    let foreign = Note::with_lines(&text(), &[other.sign(&text(), None).unwrap()]).unwrap();
    assert_eq!(both.verify_checkpoint(&foreign.to_bytes()).unwrap_err(), PolicyVerifyError::NotSignedByLog(origin));
    // Nor is a log known that the policy does not list.
    let stranger: Policy = format!("log {}\nquorum none\n", other.vkey()).parse().unwrap();
    assert!(matches!(stranger.verify_checkpoint(&note(&[])).unwrap_err(), PolicyVerifyError::UnknownOrigin(_)));
}

#[test]
fn one_wrong_cosignature_refuses_the_note() {
    let policy = policy(2, "quorum w1\n");
    let bad = witness(2).sign("another text\n", Some(400)).unwrap();
    let good = Note::parse(&note(&[(1, 400)])).unwrap();
    let lines: Vec<SignatureLine> = good.lines().iter().cloned().chain([bad]).collect();
    let refused = policy.verify_checkpoint(&Note::with_lines(&text(), &lines).unwrap().to_bytes()).unwrap_err();
    assert!(matches!(refused, PolicyVerifyError::Signatures(VerifyError::KeyFailed { .. })));
}

#[test]
fn cosignatures_of_strangers_are_listed_and_do_not_count() {
    let policy = policy(1, "quorum w1\n");
    let verified = policy.verify_checkpoint(&note(&[(9, 400)])).unwrap();
    assert_eq!(verified.ignored().len(), 1);
    assert_eq!(verified.ignored()[0].name().as_str(), "witness.example/w9");
    assert!(!verified.quorum().met());
}

#[test]
fn a_witness_outside_the_quorum_does_not_count_for_it() {
    let policy = policy(2, "quorum w1\n");
    let verified = policy.verify_checkpoint(&note(&[(2, 400)])).unwrap();
    assert_eq!(verified.quorum().cosigned(), 1);
    assert!(!verified.quorum().met());
    assert_eq!(verified.quorum().missing(), [word("w1")]);
    assert_eq!(verified.upper_time(), None);
}

#[test]
fn an_empty_tree_has_the_empty_root() {
    let policy = policy(0, "quorum none\n");
    let signed = |root: &str| {
        let text = format!("example.com/log\n0\n{root}\n");
        Note::with_lines(&text, &[log().sign(&text, None).unwrap()]).unwrap().to_bytes()
    };
    assert!(policy.verify_checkpoint(&signed("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")).is_ok());
    assert_eq!(policy.verify_checkpoint(&signed(ROOT)).unwrap_err(), PolicyVerifyError::EmptyRoot);
}

#[test]
fn every_verifiable_note_of_a_full_policy_fits() {
    // 32 logs of one name are possible when the log rotated its key; 32 witnesses cosign.
    let key = |n: u8| signer("example.com/log", SignatureAlgorithm::Ed25519, n);
    let logs: String = (100..132).map(|n| format!("log {}\n", key(n).vkey())).collect();
    let witnesses: String = (1..=32).map(|n| format!("witness w{n} {}\n", witness(n).vkey())).collect();
    let names: String = (1..=32).map(|n| format!(" w{n}")).collect();
    let policy: Policy = format!("{logs}{witnesses}group g all{names}\nquorum g\n").parse().unwrap();
    let mut lines: Vec<SignatureLine> = (100..132).map(|n| key(n).sign(&text(), None).unwrap()).collect();
    lines.extend((1..=32).map(|n| witness(n).sign(&text(), Some(u64::from(n))).unwrap()));
    let note = Note::with_lines(&text(), &lines).unwrap();
    let verified = policy.verify_checkpoint(&note.to_bytes()).unwrap();
    assert!(verified.quorum().met());
    assert_eq!((verified.lower_time(), verified.upper_time()), (Some(1), Some(32)));
}
