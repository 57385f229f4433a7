//! The trust directory: what it takes in, and what it refuses to be.

use govlog_formats::admission::{ChangeFields, Word};
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::merkle::LeafIndex;

use super::*;
use crate::source::Source;
use crate::testing::{TestLog, decision};

fn made(log: &TestLog) -> (tempfile::TempDir, TrustDir) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = TrustDir::create(&temporary.path().join("trust"), &log.policy(), &log.entries[0]).unwrap();
    (temporary, dir)
}

#[test]
fn reads_back_what_it_wrote() {
    let mut log = TestLog::new();
    log.add("decision", &decision("d-1"));
    let (temporary, mut dir) = made(&log);
    let note = log.note_of(log.size(), &[1, 2]);
    let index = LeafIndex::new(1);
    dir.add_change(index, &log.entries[1], &log.tlog_proof(index, &note)).unwrap();
    dir.pin(&note).unwrap();
    let again = TrustDir::load(&temporary.path().join("trust")).unwrap();
    assert_eq!(again.trust().history().newest_number(), 1);
    assert_eq!(again.trust().pinned().unwrap().note, note);
    assert_eq!(again.trust().fingerprint(), dir.trust().fingerprint());
}

#[test]
fn a_change_needs_a_proof_with_the_quorum() {
    let log = TestLog::new();
    let (_temporary, mut dir) = made(&log);
    let index = LeafIndex::new(1);
    let alone = log.note_of(log.size(), &[1]);
    let refused = dir.add_change(index, &log.entries[1], &log.tlog_proof(index, &alone)).unwrap_err();
    assert!(matches!(refused, TrustError::Unproved { .. }), "{refused}");
    assert_eq!(dir.trust().history().newest_number(), 0);
}

/// Approvals are learnt, kept and read again like changes; they are numbered with none of their own.
#[test]
fn operators_approvals_are_kept_with_their_proofs() {
    let mut log = TestLog::new();
    let second = SigningKey::from_seed(Curve::P256, &[21; 32]).unwrap();
    let operators = vec![log.operator.public(), second.public()];
    log.change(ChangeFields { operators, threshold: Some(2), ..ChangeFields::default() });
    let wanted = log.draft(ChangeFields { threshold: Some(1), ..ChangeFields::default() });
    let word = log.say(&second, &wanted, Word::Approve);
    let last = log.take(&wanted);
    let (temporary, mut dir) = made(&log);
    let note = log.note_of(log.size(), &[0, 1]);
    let add = |dir: &mut TrustDir, index: u64| {
        let index = LeafIndex::new(index);
        dir.add_change(index, &log.entries[usize::try_from(index.get()).unwrap()], &log.tlog_proof(index, &note))
    };
    add(&mut dir, 1).unwrap();
    add(&mut dir, 2).unwrap();
    // Without the approval the change is one that the log could not have taken.
    let refused = add(&mut dir, last.get()).unwrap_err();
    assert!(refused.to_string().contains("1 more must approve it"), "{refused}");
    add(&mut dir, word.get()).unwrap();
    assert_eq!((dir.trust().history().newest_number(), dir.trust().history().entries().len()), (2, 4));
    add(&mut dir, last.get()).unwrap();
    let again = TrustDir::load(&temporary.path().join("trust")).unwrap();
    assert_eq!((again.trust().history().newest_number(), again.trust().history().newest().after.threshold()), (3, 1));
    assert!(!again.trust().history().change_at(word).unwrap().is_change());
}

#[test]
fn a_pin_never_goes_back() {
    let mut log = TestLog::new();
    let small = log.note_of(log.size(), &[0, 1]);
    log.add("decision", &decision("d-1"));
    let (_temporary, mut dir) = made(&log);
    dir.pin(&log.note_of(log.size(), &[0, 1])).unwrap();
    assert!(matches!(dir.pin(&small), Err(TrustError::PinGoesBack { .. })));
}

#[test]
fn damage_to_any_file_is_named() {
    let log = TestLog::new();
    let (temporary, mut dir) = made(&log);
    let note = log.note_of(log.size(), &[0, 1]);
    let index = LeafIndex::new(1);
    dir.add_change(index, &log.entries[1], &log.tlog_proof(index, &note)).unwrap();
    dir.pin(&note).unwrap();
    let root = temporary.path().join("trust");
    for file in [
        "policy.txt",
        "trust.toml",
        "pinned.checkpoint",
        "admission/1.0.cose",
        "admission/1.1.cose",
        "admission/1.1.tlog-proof",
    ] {
        let path = root.join(file);
        let good = std::fs::read(&path).unwrap();
        for bad in [Vec::new(), good[..good.len() / 2].to_vec(), vec![0; 187]] {
            std::fs::write(&path, &bad).unwrap();
            assert!(TrustDir::load(&root).is_err(), "{file} with {} bytes", bad.len());
        }
        std::fs::write(&path, good).unwrap();
        TrustDir::load(&root).unwrap();
    }
}

#[test]
fn is_never_made_over_something_else() {
    let log = TestLog::new();
    let (temporary, _dir) = made(&log);
    let again = TrustDir::create(&temporary.path().join("trust"), &log.policy(), &log.entries[0]);
    assert!(matches!(again, Err(TrustError::NotEmpty(_))));
}

#[test]
fn policy_and_entry_0_must_be_of_one_log() {
    let log = TestLog::new();
    let temporary = tempfile::tempdir().unwrap();
    let foreign = "log example.com/trial+917002f4+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c\nquorum none\n";
    let refused = TrustDir::create(&temporary.path().join("trust"), foreign, &log.entries[0]);
    assert!(matches!(refused, Err(TrustError::NotOneLog { .. })));
    assert!(!temporary.path().join("trust").exists());
}

#[test]
fn a_folder_without_the_servers_list_cannot_update() {
    let log = TestLog::new();
    let (temporary, mut dir) = made(&log);
    log.write_to(temporary.path(), &log.note_of(log.size(), &[0, 1]));
    let source = Source::open(temporary.path().to_str().unwrap()).unwrap();
    assert!(matches!(update(&source, &mut dir), Err(UpdateError::NoList)));
    // With the list, as a server gives it, the change is learnt with its proof and the head is pinned.
    std::fs::create_dir_all(temporary.path().join("v1")).unwrap();
    std::fs::write(temporary.path().join("v1/admission-policy"), r#"{"as_of":2,"entries":["1.0","1.1"]}"#).unwrap();
    let updated = update(&source, &mut dir).unwrap();
    assert_eq!((updated.added, updated.newest, updated.size.get()), (1, 1, 2));
    assert_eq!(update(&source, &mut dir).unwrap().added, 0);
}

/// However long the list is, none of its entries is out of reach; and pages that lead nowhere are not followed.
#[test]
fn the_list_is_read_page_by_page() {
    let pages = |pages: &[(u64, &str)]| {
        let mut log = TestLog::new();
        let (temporary, mut dir) = made(&log);
        for _ in 0..3 {
            log.change(ChangeFields { set: vec![log.issuer_row()], ..ChangeFields::default() });
        }
        log.write_to(temporary.path(), &log.note_of(log.size(), &[0, 1]));
        std::fs::create_dir_all(temporary.path().join("v1")).unwrap();
        for (from, page) in pages {
            std::fs::write(temporary.path().join(format!("v1/admission-policy?from={from}")), page).unwrap();
        }
        let source = Source::open(temporary.path().to_str().unwrap()).unwrap();
        update(&source, &mut dir).map(|updated| updated.added)
    };
    let (one, two) =
        (r#"{"as_of":5,"entries":["1.1","1.2"],"next":3}"#, r#"{"as_of":9,"entries":["1.3","1.4","1.6"]}"#);
    assert_eq!(pages(&[(1, one), (3, two)]).unwrap(), 4);
    // What was published after the head that was read is for the next time.
    let more = r#"{"as_of":9,"entries":["1.3","1.4"],"next":7}"#;
    assert_eq!(pages(&[(1, one), (3, more)]).unwrap(), 4);
    for astray in [r#"{"as_of":5,"entries":["1.1"],"next":1}"#, r#"{"as_of":5,"entries":[],"next":2}"#] {
        assert!(matches!(pages(&[(1, astray)]), Err(UpdateError::List(_))), "{astray}");
    }
}

/// A log that leaves an approval out of its list once leaves a directory that can not go on, and that is told how it is made anew.
#[test]
fn a_directory_that_an_approval_was_withheld_from_is_made_anew_as_the_error_says() {
    let mut log = TestLog::new();
    let [second, third] = [21, 22].map(|seed| SigningKey::from_seed(Curve::P256, &[seed; 32]).unwrap());
    let operators = vec![log.operator.public(), second.public(), third.public()];
    log.change(ChangeFields { operators, threshold: Some(2), ..ChangeFields::default() });
    let wanted = log.draft(ChangeFields { threshold: Some(1), ..ChangeFields::default() });
    let other = log.draft(ChangeFields { set: vec![log.issuer_row()], ..ChangeFields::default() });
    let withheld = log.say(&second, &wanted, Word::Approve);
    log.say(&third, &other, Word::Approve);
    let (temporary, mut dir) = made(&log);
    let list = |log: &TestLog, entries: &str| {
        log.write_to(temporary.path(), &log.note_of(log.size(), &[0, 1]));
        std::fs::create_dir_all(temporary.path().join("v1")).unwrap();
        let list = format!("{{\"as_of\":{},\"entries\":[{entries}]}}", log.size());
        std::fs::write(temporary.path().join("v1/admission-policy"), list).unwrap();
        Source::open(temporary.path().to_str().unwrap()).unwrap()
    };
    let source = list(&log, r#""1.0","1.1","1.2","1.4""#);
    assert_eq!(update(&source, &mut dir).unwrap().added, 2);
    assert!(dir.trust().history().change_at(withheld).is_none());

    log.take(&wanted);
    let source = list(&log, r#""1.0","1.1","1.2","1.3","1.4","1.5""#);
    let refused = update(&source, &mut dir).unwrap_err();
    assert!(matches!(refused, UpdateError::Missing { .. }), "{refused}");
    let (old, new) = (temporary.path().join("trust"), temporary.path().join("new"));
    let at = old.display();
    let advice = [
        format!("trust init --policy {at}/policy.txt --genesis {at}/admission/1.0.cose --out NEW"),
        format!("cp {at}/trust.toml {at}/pinned.checkpoint NEW"),
    ];
    assert!(advice.iter().all(|advice| refused.to_string().contains(advice)), "{refused}");

    // As the advice says.
    let (policy, genesis) = (
        std::fs::read_to_string(old.join("policy.txt")).unwrap(),
        std::fs::read(old.join("admission/1.0.cose")).unwrap(),
    );
    drop(TrustDir::create(&new, &policy, &genesis).unwrap());
    for kept in ["trust.toml", "pinned.checkpoint"] {
        std::fs::copy(old.join(kept), new.join(kept)).unwrap();
    }
    let mut anew = TrustDir::load(&new).unwrap();
    assert_eq!(update(&source, &mut anew).unwrap().newest, 3);
    assert_eq!(
        (anew.trust().history().newest().after.threshold(), anew.trust().fingerprint()),
        (1, dir.trust().fingerprint())
    );
}
