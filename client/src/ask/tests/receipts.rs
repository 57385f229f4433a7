//! What a log serves with an entry beside the entry: it can lie, and takes no evidence away.

use govlog_formats::cbor;
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::digest::Digest;
use govlog_formats::statement::{Content, StatementHeader, content_type_of};
use govlog_formats::transparent::{TransparentStatement, assemble};

use super::*;
use crate::custody::{ExportError, Exported, Plan, export, verify};

const DECISION: LeafIndex = LeafIndex::new(7);
const EFFECT: LeafIndex = LeafIndex::new(8);

/// What is served of an entry by somebody whose log this is.
fn served(log: &TestLog, index: LeafIndex) -> Vec<u8> {
    log.transparent(index, &note(log))
}

fn note(log: &TestLog) -> Vec<u8> {
    log.note_of(log.size(), &[0, 1, 2])
}

/// The log when it had so many entries.
fn earlier(size: usize) -> TestLog {
    let mut log = organisation();
    log.entries.truncate(size);
    log
}

/// A log of another history, which has the first entries in common.
fn forked() -> TestLog {
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
fn whole(asking: &Asking, plan: &Plan<'_>) -> Exported {
    let made = export(&asking.source, &asking.trust, plan, &mut |_, _, _| {}).unwrap().unwrap();
    assert!(made.refused.is_empty(), "{:?}", made.refused);
    let verdict = verify(&asking.trust, "case.zip", &made.bytes, &[]);
    let custody = verdict.result.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(custody.manifest.starts, ["1.6", "1.7", "1.8"]);
    made
}

fn plans() -> [Plan<'static>; 2] {
    let query = crate::custody::Query {
        search: [("trace".to_owned(), vec![TRACE.to_owned()])].into(),
        entries: vec!["1.6".to_owned()],
    };
    [false, true].map(|complete| Plan { complete, ..Plan::of(query.clone(), 100) })
}

/// Says for these entries whether the file has receipts with them.
fn have_receipts(made: &Exported, indexes: &[LeafIndex]) -> Vec<bool> {
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

/// What a file cannot carry is dropped without a word: it is no lie.
#[test]
fn a_receipt_that_nobody_can_judge_by_the_file_is_dropped() {
    let change = LeafIndex::new(2);
    for (index, bytes) in [
        (DECISION, by_a_stranger(DECISION)),
        (change, by_a_stranger(change)),
        (DECISION, served(&later(), DECISION)),
        (change, served(&later(), change)),
        (DECISION, organisation().entries[7].clone()),
    ] {
        let asking = Asking::giving(organisation(), vec![(index.get(), bytes)]);
        for plan in plans() {
            let made = whole(&asking, &plan);
            assert_eq!((made.wrong.as_slice(), made.outcome()), (&[][..], Outcome::Verified));
            assert_eq!(have_receipts(&made, &[DECISION, EFFECT]), [index == change, true]);
        }
    }
}

/// Two notes of one size and one root differ in who cosigned them: a file has one of each size.
#[test]
fn of_two_notes_of_one_size_the_first_is_taken() {
    let ten = earlier(10);
    let [one, other] = [[0, 1], [0, 2]].map(|cosigners| ten.note_of(ten.size(), &cosigners));
    let (decision, effect) = (ten.transparent(DECISION, &one), ten.transparent(EFFECT, &other));
    let change = ten.transparent(LeafIndex::new(2), &other);
    let receipts = [&one, &other].map(|note| ten.receipt_for(DECISION, note, &ten.receipt));
    let both = assemble(&ten.entries[7], &receipts).unwrap();
    for (given, has_effect) in [(vec![(7, decision), (8, effect), (2, change)], false), (vec![(7, both.clone())], true)]
    {
        let asking = Asking::giving(organisation(), given);
        for plan in plans() {
            let made = whole(&asking, &plan);
            assert_eq!((made.wrong.as_slice(), made.outcome()), (&[][..], Outcome::Verified));
            assert_eq!(have_receipts(&made, &[DECISION, EFFECT]), [true, has_effect]);
        }
    }
    assert_eq!(TransparentStatement::parse(&both).unwrap().receipts().len(), 2);
}

/// Whoever has seen a checkpoint that contradicts a receipt's note has proof of a split view.
#[test]
fn a_pin_is_held_against_the_notes_of_receipts() {
    let ten = earlier(10);
    let asking = Asking::giving(organisation(), vec![(7, served(&ten, DECISION))]);
    for plan in plans() {
        let ask = |log: &TestLog| {
            let plan = Plan { pin: Some(note(log)), query: plan.query.clone(), ..Plan::of(Default::default(), 100) };
            export(&asking.source, &asking.trust, &plan, &mut |_, _, _| {})
        };
        assert_eq!(ask(&ten).unwrap().unwrap().outcome(), Outcome::Verified);
        let error = ask(&forked()).unwrap_err();
        assert!(matches!(&error, ExportError::Pin(why) if why.contains("split view")), "{error}");
    }
}

/// A note that a statement names is looked for in the log's list, which can have anything.
#[test]
fn a_listed_note_that_lies_is_told_and_costs_no_file() {
    for (listed, why) in [
        (organisation().note_of(TreeSize::new(10), &[0, 1]), None),
        (b"no note".to_vec(), Some("the checkpoint that the log lists at size 10 lies")),
        (organisation().note_of(TreeSize::new(9), &[0, 1]), Some("of size 9")),
        (note(&forked()), Some("split view")),
    ] {
        let mut log = organisation();
        let payload = crate::testing::decision("d-12");
        let mut claims = log.statement("decision", &payload).claims().clone();
        claims.head = Some(Digest::sha256(&listed));
        let header = StatementHeader { content: Content::Plain(content_type_of("decision")), claims };
        log.append(SignedStatement::sign(&header, &payload, &log.issuer).unwrap().entry().to_vec());
        let asking = Asking::serving(log, Serves { listed: Some((10, listed)), ..Serves::default() });
        let query = crate::custody::Query { entries: vec!["1.12".to_owned()], ..Default::default() };
        let made = export(&asking.source, &asking.trust, &Plan::of(query, 100), &mut |_, _, _| {}).unwrap().unwrap();
        let custody = made.verdict.result.as_ref().unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(custody.checkpoint.earlier.len(), usize::from(why.is_none()));
        assert_eq!(made.wrong.len(), usize::from(why.is_some()), "{:?}", made.wrong);
        assert!(why.is_none_or(|why| made.wrong[0].contains(why)), "{:?}", made.wrong);
    }
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
