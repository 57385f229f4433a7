//! Which notes a custody file has, and which receipts by them, whatever a log serves and lists of them.

use govlog_formats::digest::Digest;
use govlog_formats::statement::{Content, StatementHeader, content_type_of};
use govlog_formats::transparent::assemble;

use super::receipts::{DECISION, EFFECT, earlier, forked, have_receipts, note, plans, served, whole};
use super::*;
use crate::custody::{ExportError, Exported, Plan, export};

/// The digest of the file's note of this size.
fn note_digest(made: &Exported, size: u64) -> Option<&str> {
    let custody = made.verdict.result.as_ref().unwrap();
    custody.manifest.files.get(&format!("checkpoints/{size}.note")).map(String::as_str)
}

/// Two notes of one size and one root differ in who cosigned them: a file has one of each size, whichever was read first, and all receipts of that
/// size are by it.
#[test]
fn of_several_notes_of_one_size_the_best_is_taken() {
    let ten = earlier(10);
    // The earliest is not the first by its bytes.
    let [early, late, short] = [&[1, 0][..], &[0, 2], &[0]].map(|cosigners| ten.note_of(ten.size(), cosigners));
    let give = |decision: &[u8], effect: &[u8], change: &[u8]| {
        let served = [(7, decision), (8, effect), (2, change)];
        let served = served.map(|(index, note)| (index, ten.transparent(LeafIndex::new(index), note)));
        Asking::giving(organisation(), served.to_vec())
    };
    let (digest, honest) = (Digest::sha256(&early).to_string(), give(&early, &early, &early));
    let others = [
        give(&early, &late, &short),
        give(&late, &early, &short),
        give(&short, &late, &early),
        give(&short, &early, &late),
    ];
    for plan in plans() {
        let expected = whole(&honest, &plan);
        assert_eq!(note_digest(&expected, 10), Some(digest.as_str()));
        for other in &others {
            let made = whole(other, &plan);
            assert_eq!((made.wrong.as_slice(), made.outcome()), (&[][..], Outcome::Verified));
            assert_eq!(have_receipts(&made, &[DECISION, EFFECT]), [true, true]);
            assert!(made.bytes == expected.bytes, "the same query, the same bytes");
        }
    }
}

/// What the index names besides is read, and has no say in what the file is made of.
#[test]
fn a_note_of_an_entry_that_is_not_in_the_file_is_not_in_it() {
    let log = |size: usize| {
        let mut log = TestLog::new();
        for at in 0..4 {
            log.add("decision", &crate::testing::decision(&format!("d-{at}")));
        }
        log.entries.truncate(size);
        log
    };
    let five = log(5);
    let [met, short] = [&[0, 2][..], &[0]].map(|cosigners| five.note_of(five.size(), cosigners));
    let ask = |index, outside: &[u8]| {
        let other = [(2, outside), (3, &met)].map(|(at, note)| (at, five.transparent(LeafIndex::new(at), note)));
        let asking = Asking::serving(log(6), Serves { index, other: other.to_vec(), ..Serves::default() });
        let query = crate::custody::Query {
            search: [("decision".to_owned(), vec!["d-1".to_owned()])].into(),
            entries: Vec::new(),
        };
        let made = export(&asking.source, &asking.trust, &Plan::of(query, 100), &mut |_, _, _| {}).unwrap().unwrap();
        assert_eq!((made.wrong.as_slice(), have_receipts(&made, &[LeafIndex::new(3)])), (&[][..], vec![true]));
        made.bytes
    };
    let posing: Index = |at, found| if found == [3] { honest(at, &[2, 3]) } else { honest(at, found) };
    let expected = ask(honest, &met);
    assert!([ask(posing, &met), ask(posing, &short), ask(honest, &short)].iter().all(|made| *made == expected));
}

/// One receipt bounds an entry's time best, and others would only take room.
#[test]
fn of_several_receipts_the_first_that_a_quorum_saw_is_taken() {
    let receipt = |size: usize, cosigners: &[usize]| {
        let log = earlier(size);
        log.receipt_for(DECISION, &log.note_of(log.size(), cosigners), &log.receipt)
    };
    for (receipts, taken) in [
        (vec![receipt(9, &[0]), receipt(10, &[0, 1]), receipt(11, &[0, 1])], 10),
        (vec![receipt(11, &[0, 1]), receipt(9, &[0, 1])], 9),
        (vec![receipt(11, &[0]), receipt(9, &[0])], 9),
    ] {
        let served = assemble(&organisation().entries[7], &receipts).unwrap();
        let asking = Asking::giving(organisation(), vec![(7, served)]);
        for plan in plans() {
            let made = whole(&asking, &plan);
            assert_eq!((made.wrong.len(), have_receipts(&made, &[DECISION])), (0, vec![true]));
            let earlier = made.verdict.result.unwrap().checkpoint.earlier;
            assert_eq!(earlier, [TreeSize::new(taken)]);
        }
    }
}

/// A note that a statement names bounds its time from below: it is taken before others of its size, and serves their receipts as well.
#[test]
fn a_note_that_a_statement_names_is_taken_before_others_of_its_size() {
    let ten = earlier(10);
    let [early, named] = [[0, 1], [0, 2]].map(|cosigners| ten.note_of(ten.size(), &cosigners));
    let mut log = organisation();
    let payload = crate::testing::decision("d-12");
    let mut claims = log.statement("decision", &payload).claims().clone();
    claims.head = Some(Digest::sha256(&named));
    let header = StatementHeader { content: Content::Plain(content_type_of("decision")), claims };
    log.append(SignedStatement::sign(&header, &payload, &log.issuer).unwrap().entry().to_vec());
    let (other, listed) = (vec![(7, ten.transparent(DECISION, &early))], Some((10, named.clone())));
    let asking = Asking::serving(log, Serves { other, listed, ..Serves::default() });
    let entries = ["1.7", "1.12"].map(str::to_owned).to_vec();
    let query = crate::custody::Query { entries, ..Default::default() };
    let made = export(&asking.source, &asking.trust, &Plan::of(query, 100), &mut |_, _, _| {}).unwrap().unwrap();
    assert_eq!(note_digest(&made, 10), Some(Digest::sha256(&named).to_string().as_str()));
    assert_eq!((made.wrong.len(), have_receipts(&made, &[DECISION])), (0, vec![true]));
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
        let ExportError::PinSplit { note: other, .. } = &error else { panic!("{error}") };
        assert_eq!((other.as_bytes(), error.to_string().contains("split view")), (&*note(&ten), true));
        assert_eq!(crate::cli::Exit::of(&error.into()), crate::cli::Exit::Refuted);
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
