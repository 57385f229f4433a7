//! Directories that change under who judges by them.

use std::os::unix::fs::MetadataExt as _;

use govlog_client::testing::{ORIGIN, TestLog, decision};
use govlog_formats::admission::{ChangeFields, GenesisRequest, IssuerRow, LogRow, ReceiptKey, Word};
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::note::{KeyName, NoteSigner, SignatureAlgorithm};

use super::*;
use crate::testing::Bench;

const AT_ONCE: Duration = Duration::ZERO;
const NOW_MS: u64 = 1_700_000_000_000;

#[test]
fn what_is_updated_is_read_again_and_what_is_damaged_changes_nothing() {
    let (dir, log, telemetry) = (tempfile::tempdir().unwrap(), TestLog::new(), Telemetry::new().unwrap());
    let mut updated = log.trusted_in(dir.path());
    let trusted = Trusted::load(dir.path(), AT_ONCE, NOW_MS).unwrap();
    let first = trusted.trust();
    assert!(trusted.is_still(&first, &telemetry, NOW_MS) && first.pinned().is_none());
    updated.pin(&log.note_of(log.size(), &[0, 1])).unwrap();
    assert!(!trusted.is_still(&first, &telemetry, NOW_MS));
    let second = trusted.trust();
    assert!(trusted.is_still(&second, &telemetry, NOW_MS) && second.pinned().is_some());
    let policy = std::fs::read(dir.path().join("policy.txt")).unwrap();
    std::fs::write(dir.path().join("policy.txt"), "half").unwrap();
    assert!(trusted.is_still(&second, &telemetry, NOW_MS) && trusted.is_still(&second, &telemetry, NOW_MS));
    assert!(trusted.now().wrong.as_ref().is_some_and(|wrong| wrong.contains("policy.txt")));
    assert_eq!(
        telemetry
            .render(&crate::telemetry::Depth::default())
            .lines()
            .filter(|line| line.contains("kind=\"trust\"} 1"))
            .count(),
        1,
        "once"
    );
    std::fs::write(dir.path().join("policy.txt"), policy).unwrap();
    assert!(!trusted.is_still(&second, &telemetry, NOW_MS));
    assert_eq!(trusted.now().wrong, None);
}

/// What was read may be older than what has the same stamp: it is read until that cannot be, and whoever judges by it is not disturbed.
#[test]
fn what_is_written_within_one_step_of_the_clock_is_seen() {
    let (dir, log, telemetry) = (tempfile::tempdir().unwrap(), TestLog::new(), Telemetry::new().unwrap());
    let mut updated = log.trusted_in(dir.path());
    let trusted = Trusted::load(dir.path(), AT_ONCE, NOW_MS).unwrap();
    let first = trusted.trust();
    updated.pin(&log.note_of(log.size(), &[0, 1])).unwrap();
    let (at_once, later) = (written_ms(dir.path()), written_ms(dir.path()) + 3_000);
    trusted.now().files = files(dir.path(), at_once);
    assert!(!trusted.is_still(&first, &telemetry, at_once) && trusted.trust().pinned().is_some());
    let second = trusted.trust();
    let is_settled = || {
        let now = trusted.now();
        are_still(&now.files, &now.files)
    };
    for (now_ms, settled) in [(at_once, false), (at_once, false), (later, true), (later, true)] {
        assert!(trusted.is_still(&second, &telemetry, now_ms), "it is the same");
        assert_eq!(is_settled(), settled, "{}", now_ms - at_once);
    }
}

/// When something in a directory was last written.
fn written_ms(dir: &Path) -> u64 {
    let changed = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().ctime());
    u64::try_from(changed.max().unwrap()).unwrap() * 1_000
}

/// An old directory that is put back, whole and well signed: who was put out since would be believed again.
#[test]
fn what_is_older_or_of_another_log_is_refused() {
    let (dir, mut log, telemetry) = (tempfile::tempdir().unwrap(), TestLog::new(), Telemetry::new().unwrap());
    let (path, at) = (dir.path().join("trust"), |name: &str| dir.path().join(name));
    log.trusted_in(&at("before")).pin(&log.note_of(log.size(), &[0, 1])).unwrap();
    let row = IssuerRow { max_age_s: Some(60), ..log.issuer_row() };
    let change = log.change(ChangeFields { set: vec![row], ..ChangeFields::default() });
    let note = log.note_of(log.size(), &[0, 1]);
    knowing(&log, &at("unpinned"), &[change]);
    knowing(&log, &at("now"), &[change]).pin(&note).unwrap();
    let other = other_log("other.example");
    TrustDir::create(&at("other"), &other.policy(), &other.entries[0]).unwrap();
    put(&at("now"), &path);
    let trusted = Trusted::load(&path, AT_ONCE, NOW_MS).unwrap();
    let first = trusted.trust();
    for (name, why) in [("before", "admission change"), ("unpinned", "pinned head"), ("other", "other.example")] {
        put(&at(name), &path);
        assert!(trusted.is_still(&first, &telemetry, NOW_MS), "{name}");
        let wrong = trusted.now().wrong.clone();
        assert!(wrong.as_ref().is_some_and(|wrong| wrong.contains(why)), "{name}: {wrong:?}");
    }
    let told = telemetry.render(&crate::telemetry::Depth::default());
    assert!(told.contains("kind=\"trust\"} 3"), "{told}");
    put(&at("now"), &path);
    assert!(!trusted.is_still(&first, &telemetry, NOW_MS) && trusted.now().wrong.is_none());
}

/// A log that tells two histories, each with its witnesses: whoever knows one is not talked into the other.
#[test]
fn another_history_that_is_as_new_is_refused() {
    let (dir, telemetry) = (tempfile::tempdir().unwrap(), Telemetry::new().unwrap());
    let (path, at) = (dir.path().join("trust"), |name: &str| dir.path().join(name));
    for (name, max_age_s) in [("one", 60), ("other", 90)] {
        let mut log = TestLog::new();
        let row = IssuerRow { max_age_s: Some(max_age_s), ..log.issuer_row() };
        let change = log.change(ChangeFields { set: vec![row], ..ChangeFields::default() });
        knowing(&log, &at(name), &[change]);
    }
    put(&at("one"), &path);
    let trusted = Trusted::load(&path, AT_ONCE, NOW_MS).unwrap();
    put(&at("other"), &path);
    assert!(trusted.is_still(&trusted.trust(), &telemetry, NOW_MS));
    let wrong = trusted.now().wrong.clone();
    assert!(wrong.as_ref().is_some_and(|wrong| wrong.contains("index 2 is not in it, or is another")), "{wrong:?}");
}

/// One size with two roots is proof, whatever the entry in which two logs differ.
#[test]
fn another_head_of_the_same_size_is_refused_and_both_notes_are_said() {
    let (dir, telemetry) = (tempfile::tempdir().unwrap(), Telemetry::new().unwrap());
    let (path, at) = (dir.path().join("trust"), |name: &str| dir.path().join(name));
    let mut changed = TestLog::new();
    let row = IssuerRow { max_age_s: Some(60), ..changed.issuer_row() };
    let change = changed.change(ChangeFields { set: vec![row], ..ChangeFields::default() });
    let [one, other] = ["one", "other"].map(|id| {
        let mut log = TestLog::new();
        log.add("decision", &decision(id));
        (id, pin(log.trusted_in(&at(id)), &log, &[0, 1]))
    });
    let changed = ("changed", pin(knowing(&changed, &at("changed"), &[change]), &changed, &[0, 1]));
    for ((known, old), (found, new)) in [(&one, &other), (&other, &one), (&one, &changed), (&changed, &one)] {
        put(&at(known), &path);
        let trusted = Trusted::load(&path, AT_ONCE, NOW_MS).unwrap();
        put(&at(found), &path);
        assert!(trusted.is_still(&trusted.trust(), &telemetry, NOW_MS), "{found} after {known}");
        let wrong = trusted.now().wrong.clone().unwrap();
        assert!(wrong.contains("split view") && wrong.contains(old) && wrong.contains(new), "{wrong}");
    }
    let told = telemetry.render(&crate::telemetry::Depth::default());
    assert!(told.contains("kind=\"trust\"} 4"), "{told}");
}

#[test]
fn another_note_of_the_same_head_is_news() {
    let (dir, log, telemetry) = (tempfile::tempdir().unwrap(), TestLog::new(), Telemetry::new().unwrap());
    let (path, at) = (dir.path().join("trust"), |name: &str| dir.path().join(name));
    pin(log.trusted_in(&at("two")), &log, &[0, 1]);
    pin(log.trusted_in(&at("three")), &log, &[0, 1, 2]);
    put(&at("two"), &path);
    let trusted = Trusted::load(&path, AT_ONCE, NOW_MS).unwrap();
    put(&at("three"), &path);
    assert!(!trusted.is_still(&trusted.trust(), &telemetry, NOW_MS) && trusted.now().wrong.is_none());
}

/// What a log with another key says under the same name proves nothing about this one.
#[test]
fn another_log_of_the_same_name_is_refused_and_is_no_split_view() {
    let (dir, log, telemetry) = (tempfile::tempdir().unwrap(), TestLog::new(), Telemetry::new().unwrap());
    let (path, at) = (dir.path().join("trust"), |name: &str| dir.path().join(name));
    let other = other_log(ORIGIN);
    pin(log.trusted_in(&at("one")), &log, &[0, 1]);
    pin(TrustDir::create(&at("other"), &other.policy(), &other.entries[0]).unwrap(), &other, &[0, 1]);
    put(&at("one"), &path);
    let trusted = Trusted::load(&path, AT_ONCE, NOW_MS).unwrap();
    put(&at("other"), &path);
    assert!(trusted.is_still(&trusted.trust(), &telemetry, NOW_MS));
    let wrong = trusted.now().wrong.clone().unwrap();
    assert!(!wrong.contains("split view"), "{wrong}");
}

/// What one operator more said of a change may be known, or not, to who knows the change.
#[test]
fn an_entry_between_is_news_and_is_not_forgotten_again() {
    let (dir, mut log, telemetry) = (tempfile::tempdir().unwrap(), TestLog::new(), Telemetry::new().unwrap());
    let (path, at) = (dir.path().join("trust"), |name: &str| dir.path().join(name));
    let [second, third] = [55, 56].map(|byte| SigningKey::from_seed(Curve::Ed25519, &[byte; 32]).unwrap());
    let operators = vec![log.operator.public(), second.public(), third.public()];
    let operators = log.change(ChangeFields { operators, threshold: Some(2), ..ChangeFields::default() });
    let row = IssuerRow { max_age_s: Some(60), ..log.issuer_row() };
    let wanted = log.draft(ChangeFields { set: vec![row], ..ChangeFields::default() });
    let [one, more] = [second, third].map(|operator| log.say(&operator, &wanted, Word::Approve));
    let change = log.take(&wanted);
    knowing(&log, &at("less"), &[operators, one, change]);
    knowing(&log, &at("all"), &[operators, one, more, change]);
    put(&at("less"), &path);
    let trusted = Trusted::load(&path, AT_ONCE, NOW_MS).unwrap();
    let first = trusted.trust();
    put(&at("all"), &path);
    assert!(!trusted.is_still(&first, &telemetry, NOW_MS) && trusted.now().wrong.is_none());
    let second = trusted.trust();
    assert_eq!(second.history().entries().len(), first.history().entries().len() + 1);
    put(&at("less"), &path);
    assert!(trusted.is_still(&second, &telemetry, NOW_MS) && trusted.now().wrong.is_some());
}

/// Makes a trust directory that knows these entries as well.
fn knowing(log: &TestLog, path: &Path, entries: &[LeafIndex]) -> TrustDir {
    let (mut dir, note) = (log.trusted_in(path), log.note_of(log.size(), &[0, 1]));
    for index in entries {
        let entry = &log.entries[usize::try_from(index.get()).unwrap()];
        dir.add_change(*index, entry, &log.tlog_proof(*index, &note)).unwrap();
    }
    dir
}

/// Pins the log's head, cosigned by these witnesses, and gives its note.
fn pin(mut dir: TrustDir, log: &TestLog, cosigners: &[usize]) -> String {
    let note = log.note_of(log.size(), cosigners);
    dir.pin(&note).unwrap();
    String::from_utf8(note).unwrap()
}

/// Puts one directory in the place of another.
fn put(dir: &Path, at: &Path) {
    let _ = std::fs::remove_file(at);
    std::os::unix::fs::symlink(dir, at).unwrap();
}

/// A log with another key under this name, so with another entry 0, of the same operator.
fn other_log(name: &str) -> TestLog {
    let mut log = TestLog::new();
    log.log = NoteSigner::from_seed(KeyName::new(name).unwrap(), SignatureAlgorithm::Ed25519, &[77; 32]).unwrap();
    let row = LogRow {
        origin: name.to_owned(),
        checkpoint: log.log.vkey().clone(),
        receipts: vec![ReceiptKey { key: log.receipt.public(), from: 0, below: None }],
    };
    let genesis = GenesisRequest::new(row).unwrap().sign(&log.operator, 1_700_000_000_000).unwrap();
    log.entries[0] = genesis.entry().to_vec();
    log
}

#[test]
fn it_is_not_looked_at_all_the_time() {
    let (dir, log, telemetry) = (tempfile::tempdir().unwrap(), TestLog::new(), Telemetry::new().unwrap());
    let mut updated = log.trusted_in(dir.path());
    let trusted = Trusted::load(dir.path(), Duration::from_secs(3_600), NOW_MS).unwrap();
    let first = trusted.trust();
    updated.pin(&log.note_of(log.size(), &[0, 1])).unwrap();
    assert!(trusted.is_still(&first, &telemetry, NOW_MS) && trusted.is_still(&first, &telemetry, NOW_MS + 3_599_999));
    assert!(!trusted.is_still(&first, &telemetry, NOW_MS + 3_600_000));
}

#[test]
fn a_clock_that_was_set_back_keeps_nobody_from_looking() {
    let (dir, log, telemetry) = (tempfile::tempdir().unwrap(), TestLog::new(), Telemetry::new().unwrap());
    let mut updated = log.trusted_in(dir.path());
    let trusted = Trusted::load(dir.path(), Duration::from_secs(10), NOW_MS).unwrap();
    updated.pin(&log.note_of(log.size(), &[0, 1])).unwrap();
    assert!(!trusted.is_still(&trusted.trust(), &telemetry, NOW_MS - 3_600_000));
}

#[test]
fn a_station_begins_anew_with_what_is_new_and_ends_with_all_others() {
    let (dir, log, bench) = (tempfile::tempdir().unwrap(), TestLog::new(), Bench::new());
    let mut updated = log.trusted_in(dir.path());
    let trusted = Trusted::load(dir.path(), AT_ONCE, NOW_MS).unwrap();
    let mut pinned = Vec::new();
    let station = |trust: &Trust, goes_on: &dyn Fn() -> bool| {
        pinned.push(trust.pinned().is_some());
        if pinned.len() == 2 {
            bench.shared.stop();
        } else {
            updated.pin(&log.note_of(log.size(), &[0, 1])).unwrap();
        }
        // Even while it waits for a log that is away.
        bench.shared.run_while(goes_on, || Ok(crate::pump::Round::Later(Duration::from_secs(3_600))))
    };
    trusted.judge(&bench.shared, &*bench.world, station).unwrap();
    assert_eq!(pinned, [false, true]);
}
