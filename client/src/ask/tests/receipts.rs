//! What a log serves with an entry beside the entry: it can lie, and takes no evidence away.

use govlog_formats::admission::{LogRow, ReceiptKey};
use govlog_formats::cbor;
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::transparent::assemble;

use super::*;
use crate::custody::{ExportError, Exported, Plan, export, verify};
use crate::testing::ORIGIN;

pub(super) const DECISION: LeafIndex = LeafIndex::new(7);
pub(super) const EFFECT: LeafIndex = LeafIndex::new(8);

/// What is served of an entry by somebody whose log this is.
pub(super) fn served(log: &TestLog, index: LeafIndex) -> Vec<u8> {
    log.transparent(index, &note(log))
}

pub(super) fn note(log: &TestLog) -> Vec<u8> {
    log.note_of(log.size(), &[0, 1, 2])
}

/// The log when it had so many entries.
pub(super) fn earlier(size: usize) -> TestLog {
    let mut log = organisation();
    log.entries.truncate(size);
    log
}

/// A log of another history, which has the first entries in common.
pub(super) fn forked() -> TestLog {
    let mut log = earlier(10);
    log.entries[9] = log.entries[4].clone();
    log
}

/// The decision in the place of its effect, in a tree of a size that nobody compares.
fn moved() -> TestLog {
    let mut log = organisation();
    log.entries.swap(7, 8);
    log.append(log.entries[10].clone());
    log
}

/// The log as it is after the checkpoint that was asked for, by `--at` or by a race.
fn later() -> TestLog {
    let mut log = organisation();
    log.append(log.entries[10].clone());
    log
}

/// By a key that is no receipt key of the log.
fn by_a_stranger(index: LeafIndex) -> Vec<u8> {
    let log = organisation();
    let stranger = SigningKey::from_seed(Curve::P256, &[99; 32]).unwrap();
    let receipt = log.receipt_for(index, &note(&log), &stranger);
    assemble(&log.entries[usize::try_from(index.get()).unwrap()], &[receipt]).unwrap()
}

/// With more beside its receipt than a receipt.
fn more() -> Vec<u8> {
    let cbor::Value::Tag(18, inner) = cbor::parse(&served(&organisation(), DECISION)).unwrap() else { panic!() };
    let mut parts = inner.into_array().unwrap();
    parts[1].as_map_mut().unwrap().push((395.into(), "believe me".into()));
    cbor::to_deterministic(&cbor::Value::Tag(18, Box::new(cbor::Value::Array(parts))))
}

/// The matter of the trace and its policy, which is complete and verifies whatever is served with its entries.
pub(super) fn whole(asking: &Asking, plan: &Plan<'_>) -> Exported {
    let made = export(&asking.source, &asking.trust, plan, &mut |_, _, _| {}).unwrap().unwrap();
    assert!(made.refused.is_empty(), "{:?}", made.refused);
    let verdict = verify(&asking.trust, "case.zip", &made.bytes, &[]);
    let custody = verdict.result.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(custody.manifest.starts, ["1.6", "1.7", "1.8"]);
    made
}

pub(super) fn plans() -> [Plan<'static>; 2] {
    let query = crate::custody::Query {
        search: [("trace".to_owned(), vec![TRACE.to_owned()])].into(),
        entries: vec!["1.6".to_owned()],
    };
    [false, true].map(|complete| Plan { complete, ..Plan::of(query.clone(), 100) })
}

/// Says for these entries whether the file has receipts with them.
pub(super) fn have_receipts(made: &Exported, indexes: &[LeafIndex]) -> Vec<bool> {
    let custody = made.verdict.result.as_ref().unwrap();
    indexes.iter().map(|index| custody.at(*index).unwrap().has_receipt).collect()
}

#[test]
fn an_entry_whose_receipt_lies_is_there_and_the_lie_is_told() {
    let change = LeafIndex::new(2);
    for (index, bytes, why) in [
        (DECISION, served(&moved(), EFFECT), "it is for index 8"),
        (DECISION, served(&forked(), DECISION), "split view"),
        (change, served(&forked(), change), "split view"),
        (DECISION, more(), "more than the statement"),
        (DECISION, b"no entry at all".to_vec(), "something else"),
        (DECISION, served(&organisation(), EFFECT), "something else"),
        (change, Vec::new(), "something else"),
    ] {
        let is_split = why == "split view";
        let asking = Asking::giving(organisation(), vec![(index.get(), bytes)]);
        for plan in plans() {
            let made = whole(&asking, &plan);
            assert_eq!((made.wrong.len(), made.outcome()), (1, Outcome::Refuted), "{:?}", made.wrong);
            assert!(
                made.wrong[0].starts_with(&format!("1.{index}: ")) && made.wrong[0].contains(why),
                "{:?}",
                made.wrong
            );
            let (said, note) = (&made.wrong[0], String::from_utf8(note(&forked())).unwrap());
            assert_eq!(
                said.contains(&note) && said.contains("keep both"),
                is_split,
                "the other note is evidence: {said}"
            );
        }
    }
}

/// What nobody can judge by the file is dropped, which is no lie: it widens the bounds of a time, and that is said.
#[test]
fn a_receipt_that_nobody_can_judge_by_the_file_is_dropped() {
    let change = LeafIndex::new(2);
    for (index, bytes, why) in [
        (DECISION, by_a_stranger(DECISION), "does not name"),
        (change, by_a_stranger(change), ""),
        (DECISION, served(&later(), DECISION), "larger checkpoints"),
        (change, served(&later(), change), ""),
        (DECISION, organisation().entries[7].clone(), "serves no receipts"),
    ] {
        let asking = Asking::giving(organisation(), vec![(index.get(), bytes)]);
        for plan in plans() {
            let made = whole(&asking, &plan);
            assert_eq!((made.wrong.as_slice(), made.outcome()), (&[][..], Outcome::Verified));
            assert_eq!(have_receipts(&made, &[DECISION, EFFECT]), [index == change, true]);
            let said: Vec<_> = made.notices.iter().filter(|notice| notice.contains("the times of")).collect();
            assert_eq!(said.len(), usize::from(index == DECISION), "{said:?}");
            assert!(said.iter().all(|said| said.contains("of 1 entries") && said.contains(why)), "{said:?}");
        }
    }
}

/// A file stands for itself: its receipts are judged by what it has of the admission policy, and not by what its maker knows besides.
#[test]
fn a_receipt_by_a_key_that_comes_after_the_checkpoint_takes_no_file_away() {
    let (below, newer) = (organisation(), SigningKey::from_seed(Curve::P256, &[98; 32]).unwrap());
    let archived = below.note_of(below.size(), &[0, 1]);
    let receipt = below.receipt_for(DECISION, &archived, &newer);
    let decision = assemble(&below.entries[7], &[receipt]).unwrap();
    let mut log = organisation();
    let receipts = [&log.receipt, &newer].map(|key| ReceiptKey { key: key.public(), from: 0, below: None }).to_vec();
    let row = LogRow { origin: ORIGIN.to_owned(), checkpoint: log.log.vkey().clone(), receipts };
    log.change(ChangeFields { log: Some(row), ..ChangeFields::default() });
    let note = log.note_of(log.size(), &[0, 1]);
    let changes = [2, 12]
        .map(LeafIndex::new)
        .map(|index| (index, log.entries[usize::try_from(index.get()).unwrap()].clone(), log.tlog_proof(index, &note)));
    let reader = tempfile::tempdir().unwrap();
    let reader = TrustDir::create(&reader.path().join("trust"), &log.policy(), &log.entries[0]).unwrap();
    let (size, other) = (below.size(), vec![(7, decision), (8, below.transparent(EFFECT, &archived))]);
    let mut asking = Asking::serving(log, Serves { other, earlier: Some(below), ..Serves::default() });
    let mut dir = TrustDir::load(&asking._dir.path().join("trust")).unwrap();
    changes.iter().for_each(|(index, entry, proof)| dir.add_change(*index, entry, proof).unwrap());
    asking.trust = dir.trust().clone();
    for plan in plans() {
        let made = whole(&asking, &Plan { at: Some(size), ..plan });
        let verdict = verify(reader.trust(), "case.zip", &made.bytes, &[]);
        let custody = verdict.result.unwrap_or_else(|failure| panic!("{failure}"));
        assert!(!custody.at(DECISION).unwrap().has_receipt && custody.at(EFFECT).unwrap().has_receipt);
        assert!(made.notices.iter().any(|notice| notice.contains("does not name")), "{:?}", made.notices);
    }
}

/// Receipts are small, and there is room for thousands: few are judged, and of an entry one line is said.
#[test]
fn lies_without_end_are_told_in_a_line() {
    let log = organisation();
    let receipts: Vec<Vec<u8>> =
        (0..2000).map(|at| log.receipt_for(DECISION, format!("no note {at}").as_bytes(), &log.receipt)).collect();
    let asking = Asking::giving(organisation(), vec![(7, assemble(&log.entries[7], &receipts).unwrap())]);
    for plan in plans() {
        let made = whole(&asking, &plan);
        assert_eq!((made.wrong.len(), made.outcome()), (1, Outcome::Refuted), "{:?}", made.wrong);
        assert!(made.wrong[0].starts_with("1.7: ") && made.wrong[0].ends_with("; and 7 more"), "{:?}", made.wrong);
    }
}

/// The log's files have whatever its server does not give.
#[test]
fn an_entry_that_is_not_given_is_taken_from_the_files_and_that_is_told() {
    let path = "/entries/1.7/statement";
    for (serves, why) in [
        (Serves { fails: vec![(path, "404 Not Found")], ..Serves::default() }, "no such entry"),
        (Serves { fails: vec![(path, "500 Internal Server Error")], ..Serves::default() }, "answered 500"),
        (Serves { other: vec![(7, vec![0; 2 * 1024 * 1024])], ..Serves::default() }, "more than"),
    ] {
        let asking = Asking::serving(organisation(), serves);
        for plan in plans() {
            let made = whole(&asking, &plan);
            assert_eq!((made.wrong.len(), made.outcome()), (1, Outcome::Refuted), "{:?}", made.wrong);
            assert!(made.wrong[0].starts_with("1.7: ") && made.wrong[0].contains(why), "{:?}", made.wrong);
        }
    }
    // That the files cannot be read proves nothing.
    let mut log = TestLog::new();
    log.add("decision", &crate::testing::decision("d-1"));
    let fails = vec![("/entries/1.2/statement", "404 Not Found"), ("/tile/entries/", "500 Internal Server Error")];
    let asking = Asking::serving(log, Serves { fails, ..Serves::default() });
    let query = crate::custody::Query { entries: vec!["1.2".to_owned()], ..Default::default() };
    let error = export(&asking.source, &asking.trust, &Plan::of(query, 100), &mut |_, _, _| {}).unwrap_err();
    assert!(matches!(error, ExportError::Tree(_)), "{error}");
    assert_eq!(crate::cli::Exit::of(&error.into()), crate::cli::Exit::CannotEvaluate);
}

/// A lie is told whatever comes of the rest: where nothing answers, where there is too much, and of what is read for the pace of a stream alone.
#[test]
fn what_is_wrong_is_told_where_there_is_no_file() {
    let given = vec![(7, served(&forked(), DECISION))];
    let index: Index = |at, _| honest(at, &[7]);
    let asking = Asking::serving(organisation(), Serves { index, other: given.clone(), ..Serves::default() });
    let query =
        crate::custody::Query { search: [("decision".to_owned(), vec!["d-9".to_owned()])].into(), entries: Vec::new() };
    let nothing = export(&asking.source, &asking.trust, &Plan::of(query, 100), &mut |_, _, _| {}).unwrap_err();
    assert!(matches!(&nothing, ExportError::Wrong { cause: None, .. }), "{nothing}");
    let asking = Asking::giving(organisation(), given);
    let [plan, _] = plans();
    let plan = Plan { most_bytes: 2_500, ..plan };
    let large = export(&asking.source, &asking.trust, &plan, &mut |_, _, _| {}).unwrap_err();
    let ExportError::Wrong { cause: Some(cause), .. } = &large else { panic!("{large}") };
    assert!(matches!(**cause, ExportError::TooLarge { .. }), "{large}");
    for error in [nothing, large] {
        assert!(error.to_string().contains("\nWRONG  1.7: its receipt lies: split view"), "{error}");
        assert_eq!(crate::cli::Exit::of(&error.into()), crate::cli::Exit::Refuted);
    }

    let asking = Asking::giving(organisation(), vec![(9, served(&forked(), LeafIndex::new(9)))]);
    let sought = super::drawn::sought(&asking, "1.7");
    let wanted = Wanted { sought: &sought, at: None, most: 100, complete: false };
    let shown = show(&asking.source, &asking.trust, &wanted, &mut |_, _, _| {}).unwrap().unwrap();
    assert_eq!(shown.outcome, Outcome::Refuted);
    assert!(shown.wrong.len() == 1 && shown.wrong[0].starts_with("WRONG  1.9: "), "{:?}", shown.wrong);
}

/// What is dropped needs no room.
#[test]
fn only_what_a_file_has_counts_among_its_bytes() {
    let log = organisation();
    let strangers = (0..60).map(|byte| SigningKey::from_seed(Curve::P256, &[60 + byte; 32]).unwrap());
    let receipts: Vec<Vec<u8>> = strangers.map(|key| log.receipt_for(DECISION, &note(&log), &key)).collect();
    let many = assemble(&log.entries[7], &receipts).unwrap();
    let most_bytes = many.len();
    let asking = Asking::giving(log, vec![(7, many)]);
    for plan in plans() {
        let made = whole(&asking, &Plan { most_bytes, ..plan });
        assert!(made.bytes.len() < most_bytes);
    }
}

/// Whoever asks for entries alone hears of the lie, too, and gets what verifies.
#[test]
fn a_query_gives_the_entry_and_tells_the_lie() {
    // Another last entry, in a tree of the size that is pinned.
    let mut other = organisation();
    other.entries[11] = other.entries[10].clone();
    for (bytes, why) in [
        (served(&other, DECISION), Some("split view")),
        (served(&moved(), EFFECT), Some("its receipt lies: it is for index 8")),
        (by_a_stranger(DECISION), None),
        (organisation().entries[7].clone(), None),
    ] {
        let asking = Asking::giving(organisation(), vec![(7, bytes)]).pinned(&note(&organisation()));
        let (found, answered) = asking.query(&[("trace", TRACE)], false);
        assert_eq!((found.len(), answered.found, answered.refused.len()), (2, 2, 0));
        assert_eq!(answered.wrong.len(), usize::from(why.is_some()), "{:?}", answered.wrong);
        let is_told = why.is_none_or(|why| answered.wrong[0].starts_with("1.7: ") && answered.wrong[0].contains(why));
        assert!(is_told, "{why:?}: {:?}", answered.wrong);
        assert_eq!(answered.outcome(), if why.is_some() { Outcome::Refuted } else { Outcome::Verified });
    }
}
