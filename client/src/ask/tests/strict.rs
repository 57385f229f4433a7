//! Somebody who asks for more witnesses than the log does.

use super::drawn::{ids, sought};
use super::server::Serves;
use super::*;
use crate::custody::{self, ExportError, Plan, export};
use crate::source::{Head, HeadError};

/// A log whose newest note two witnesses had cosigned when it was published, and somebody who wants three.
fn strict(log: TestLog) -> Asking {
    let dir = tempfile::tempdir().unwrap();
    let policy = log.policy().replace("group two 2", "group two 3");
    let mut trusted = TrustDir::create(&dir.path().join("trust"), &policy, &log.entries[0]).unwrap();
    let (change, note) = (LeafIndex::new(1), log.note_of(log.size(), &[0, 1, 2]));
    trusted.add_change(change, &log.entries[1], &log.tlog_proof(change, &note)).unwrap();
    let trust = trusted.trust().clone();
    let server = Server::serving(log, Serves { archived: &[0, 1], ..Serves::default() });
    let source = Source::open(&server.url()).unwrap();
    Asking { server, _dir: dir, source, trust }
}

#[test]
fn the_note_that_is_served_now_is_taken_where_the_archived_one_has_too_few_witnesses() {
    let asking = strict(organisation());
    let head = Head::read(&asking.source, &asking.trust).unwrap();
    let (found, answered) = asking.query(&[("trace", TRACE)], false);
    assert_eq!((found.len(), answered.outcome()), (2, Outcome::Verified));
    let sought = sought(&asking, "1.7");
    let wanted = Wanted { sought: &sought, at: None, most: 100, complete: false };
    let shown = show(&asking.source, &asking.trust, &wanted, &mut |_, _, _| {}).unwrap().unwrap();
    assert_eq!(ids(&shown).len(), 6);

    let query = custody::Query { entries: vec!["1.7".to_owned()], ..custody::Query::default() };
    let plan = |at| Plan { at, ..Plan::of(query.clone(), 100) };
    let ask = |at| export(&asking.source, &asking.trust, &plan(at), &mut |_, _, _| {});
    let made = ask(None).unwrap().unwrap();
    let custody = made.verdict.result.unwrap();
    assert_eq!(
        (custody.entries.len(), custody.checkpoint.witnesses.len()),
        (7, 3),
        "the chain, and its stream's last word"
    );
    let error = ask(Some(head.size())).unwrap_err();
    assert!(
        matches!(error, ExportError::Head(HeadError::Quorum { .. })),
        "a size is asked for by its archived note: {error}"
    );
}
