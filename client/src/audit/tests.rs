//! What an audit finds, and that it finds it.

use std::path::Path;

use govlog_formats::admission::{ChangeFields, Credentials, IssuerRow, Word};
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::statement::{Content, SignedStatement, StatementHeader, content_type_of};
use serde_json::json;

use super::{Check, Report, audit};
use crate::source::Source;
use crate::testing::{ISSUER, ORIGIN, TestLog, decision, sign};
use crate::trust::TrustDir;
use crate::verify::Outcome;

fn log_of(entries: usize) -> TestLog {
    let mut log = TestLog::new();
    while log.entries.len() < entries {
        log.add("decision", &decision(&format!("d-{}", log.entries.len())));
    }
    log
}

fn run(log: &TestLog, change: impl FnOnce(&Path)) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let note = log.note_of(log.size(), &[0, 1]);
    log.write_to(folder.path(), &note);
    change(folder.path());
    let dir = TrustDir::create(&folder.path().join("trust"), &log.policy(), &log.entries[0]).unwrap();
    let source = Source::open(folder.path().to_str().unwrap()).unwrap();
    audit(&source, dir.trust(), &mut |_, _| {}).unwrap().1
}

fn found(report: &Report) -> Vec<Check> {
    let mut checks: Vec<_> = report.findings.iter().map(|finding| finding.check).collect();
    checks.sort_unstable();
    checks.dedup();
    checks
}

#[test]
fn an_honest_log_of_several_tiles_is_verified() {
    for size in [2, 3, 256, 257, 600] {
        let report = run(&log_of(size), |_| {});
        assert_eq!(report.outcome(), Outcome::Verified, "{}", report.text());
        assert_eq!((report.size, report.changes), (size as u64, 2));
    }
}

#[test]
fn a_changed_tile_is_found() {
    let report = run(&log_of(300), |folder| {
        let path = folder.join("tile/0/000");
        let mut tile = std::fs::read(&path).unwrap();
        tile[77] ^= 4;
        std::fs::write(path, tile).unwrap();
    });
    assert_eq!(found(&report), [Check::Tiles]);
    assert_eq!(report.outcome(), Outcome::Refuted);
}

#[test]
fn a_changed_entry_is_found() {
    let report = run(&log_of(20), |folder| {
        let path = folder.join("tile/entries/000.p/20");
        let mut bundle = std::fs::read(&path).unwrap();
        let last = bundle.len() - 1;
        bundle[last] ^= 1;
        std::fs::write(path, bundle).unwrap();
    });
    assert!(found(&report).contains(&Check::Tiles), "{}", report.text());
    assert!(found(&report).contains(&Check::Admission), "the last byte is of a signature: {}", report.text());
}

#[test]
fn an_entry_that_is_no_statement_is_found() {
    let mut log = log_of(5);
    log.append(b"not a statement".to_vec());
    assert_eq!(found(&run(&log, |_| {})), [Check::Entries]);
}

#[test]
fn an_entry_the_policy_did_not_allow_is_found() {
    let mut log = log_of(5);
    log.add("effect", &decision("d-effect"));
    assert_eq!(found(&run(&log, |_| {})), [Check::Admission]);

    let mut log = log_of(5);
    log.change(ChangeFields { retire: vec![crate::testing::ISSUER.to_owned()], ..ChangeFields::default() });
    log.add("decision", &decision("too late"));
    let report = run(&log, |_| {});
    assert_eq!((found(&report), report.findings.len()), (vec![Check::Admission], 1), "{}", report.text());
}

#[test]
fn a_threshold_is_replayed_from_the_approvals_that_were_logged() {
    let [second, third] = [21, 22].map(|byte| SigningKey::from_seed(Curve::P384, &[byte; 48]).unwrap());
    let agreeing = || {
        let mut log = log_of(3);
        let operators = vec![log.operator.public(), second.public(), third.public()];
        log.change(ChangeFields { operators, threshold: Some(2), ..ChangeFields::default() });
        let wanted = log.draft(ChangeFields { retire: vec!["spiffe://never".to_owned()], ..ChangeFields::default() });
        (log, wanted)
    };
    let (mut log, wanted) = agreeing();
    log.say(&third, &wanted, Word::Approve);
    log.take(&wanted);
    let report = run(&log, |_| {});
    assert_eq!((report.outcome(), report.changes), (Outcome::Verified, 4), "{}", report.text());

    // Taken although nobody else agreed, although who agreed withdrew, and although a word is missing from its stream.
    let (mut alone, wanted) = agreeing();
    alone.take(&wanted);
    let (mut withdrawn, wanted) = agreeing();
    withdrawn.say(&second, &wanted, Word::Approve);
    withdrawn.say(&second, &wanted, Word::Reject);
    withdrawn.take(&wanted);
    for log in [&alone, &withdrawn] {
        let report = run(log, |_| {});
        assert_eq!((found(&report), report.findings.len()), (vec![Check::Admission], 1), "{}", report.text());
        assert!(report.text().contains("1 more must approve it"), "{}", report.text());
    }
    let (mut gap, wanted) = agreeing();
    gap.say(&second, &wanted, Word::Approve);
    gap.entries.pop();
    gap.say(&second, &wanted, Word::Approve);
    assert_eq!(found(&run(&gap, |_| {})), [Check::Admission, Check::Streams]);
}

#[test]
fn a_gap_in_a_stream_is_found_once() {
    let mut log = log_of(5);
    log.next.seq += 1;
    log.add("decision", &decision("after the gap"));
    log.add("decision", &decision("and on"));
    let report = run(&log, |_| {});
    assert_eq!((found(&report), report.findings.len()), (vec![Check::Streams], 1), "{}", report.text());
}

#[test]
fn a_statement_logged_twice_is_found() {
    let mut log = log_of(5);
    let statement = sign(&log.issuer, "decision", &decision("twice"), None).entry().to_vec();
    log.append(statement.clone());
    log.append(statement);
    assert_eq!(found(&run(&log, |_| {})), [Check::Duplicates]);
}

/// The server's list with these rows: issuer, stream, place, entry, statement.
fn with_conflicts(log: &TestLog, rows: &[Row<'_>]) -> Report {
    with_pages(log, &[(rows, None)])
}

type Row<'a> = (&'a str, &'a str, u64, &'a str, &'a [u8]);

/// The same in pages, each with the number that it says comes next; the n-th page begins at n.
fn with_pages(log: &TestLog, pages: &[(&[Row<'_>], Option<u64>)]) -> Report {
    let row = |(issuer, stream, seq, entry, statement): &Row<'_>| {
        let statement = govlog_formats::base64::encode_url(statement);
        json!({"issuer": issuer, "stream": stream, "seq": seq, "entry": entry, "statement": statement})
    };
    run(log, |folder| {
        std::fs::create_dir_all(folder.join("v1")).unwrap();
        for (from, (rows, next)) in pages.iter().enumerate() {
            let page = json!({"conflicts": rows.iter().map(row).collect::<Vec<_>>(), "next": next}).to_string();
            std::fs::write(folder.join(format!("v1/conflicts?from={from}")), page).unwrap();
        }
    })
}

#[test]
fn two_statements_for_one_place_speak_against_their_issuer_alone() {
    let log = log_of(5);
    let first = SignedStatement::parse(&log.entries[2]).unwrap();
    let position = first.claims().stream.clone().unwrap();
    let second = sign(&log.issuer, "decision", &decision("another story"), Some(position));
    let report = with_conflicts(&log, &[(ISSUER, "s-1", 0, "1.2", second.entry())]);
    assert_eq!((report.outcome(), found(&report)), (Outcome::Verified, Vec::new()), "{}", report.text());
    let conflict = &report.conflicts[0];
    assert_eq!((&conflict.logged, conflict.refused.as_slice()), (&log.entries[2], second.entry()));
    let said = format!("issuer {ISSUER} signed two statements for position 0 of stream s-1: entry 1.2");
    assert!(report.text().contains(&said), "{}", report.text());
    assert_eq!(report.json()["conflicts"][0]["entry"], json!("1.2"));
    // Without a list it is said that none was looked at.
    assert!(run(&log, |_| {}).not_checked.iter().any(|what| what.contains("collided")));
}

#[test]
fn a_false_accusation_is_told_from_a_true_one() {
    let log = log_of(5);
    let first = SignedStatement::parse(&log.entries[2]).unwrap();
    let position = first.claims().stream.clone().unwrap();
    let sign = |key: &SigningKey| sign(key, "decision", &decision("made up"), Some(position.clone()));
    let (own, stranger) = (sign(&log.issuer), sign(&log.operator));
    // The entry itself under other bytes of the signature, as anybody can make of an ECDSA one, is no second statement.
    let mut altered = log.entries[2].clone();
    *altered.last_mut().unwrap() ^= 1;
    for (row, why) in [
        ((ISSUER, "s-1", 0, "1.2", stranger.entry()), "is not a key of issuer"),
        ((ISSUER, "s-1", 0, "1.2", log.entries[2].as_slice()), "it is the entry itself"),
        ((ISSUER, "s-1", 0, "1.2", altered.as_slice()), "it is the entry itself"),
        ((ISSUER, "s-1", 0, "1.3", own.entry()), "the entry claims another place"),
        ((ISSUER, "s-1", 1, "1.3", own.entry()), "the statement claims another place"),
        (("spiffe://prod.example/other", "s-1", 0, "1.2", own.entry()), "the statement claims another place"),
        ((ISSUER, "s-1", 0, "1.0", own.entry()), "the entry claims another place"),
        ((ISSUER, "s-1", 0, "0", own.entry()), "entry 0"),
        ((ISSUER, "s-1", 0, "1.2", b"nothing".as_slice()), "offset 0"),
    ] {
        let report = with_conflicts(&log, &[row]);
        assert_eq!((report.outcome(), found(&report)), (Outcome::Refuted, vec![Check::Conflicts]), "{why}");
        assert!(
            report.text().contains("the server accuses falsely") && report.text().contains(why),
            "{}",
            report.text()
        );
        assert!(report.conflicts.is_empty());
    }
    // Beyond the audited head nothing is judged.
    let report = with_conflicts(&log, &[(ISSUER, "s-1", 0, "1.99", own.entry())]);
    assert_eq!(report.outcome(), Outcome::Verified, "{}", report.text());
    assert!(report.not_checked.iter().any(|what| what.contains("beyond the audited head")));
}

/// Another statement of the issuer for the first place of its stream, made for a log of this origin.
fn made_for(log: &TestLog, origin: &str) -> SignedStatement {
    let mut claims = SignedStatement::parse(&log.entries[2]).unwrap().claims().clone();
    claims.aud = Some(origin.to_owned());
    let header = StatementHeader { content: Content::Plain(content_type_of("decision")), claims };
    SignedStatement::sign(&header, &decision("elsewhere"), &log.issuer).unwrap()
}

#[test]
fn what_was_made_for_another_log_is_no_second_story() {
    let log = log_of(5);
    let row = |other: &SignedStatement| with_conflicts(&log, &[(ISSUER, "s-1", 0, "1.2", other.entry())]);
    let report = row(&made_for(&log, "log.example/other"));
    assert_eq!((report.outcome(), report.conflicts.len()), (Outcome::Refuted, 0), "{}", report.text());
    assert!(report.text().contains("it was made for another log"), "{}", report.text());
    assert_eq!(row(&made_for(&log, ORIGIN)).conflicts.len(), 1);
}

#[test]
fn a_list_without_end_is_read_to_the_most_that_a_log_keeps() {
    let log = log_of(5);
    let second = made_for(&log, ORIGIN);
    let row: Row<'_> = (ISSUER, "s-1", 0, "1.2", second.entry());
    let repeated = vec![row; 64];
    // The page after these is not there: a list read further would be an error.
    let full: Vec<_> = (1..=18).map(|next| (repeated.as_slice(), Some(next))).collect();
    let empty: Vec<_> = (1..=1089).map(|next| (&[] as &[Row<'_>], Some(next))).collect();
    for (pages, conflicts) in [(full, 1), (empty, 0)] {
        let report = with_pages(&log, &pages);
        assert_eq!((report.outcome(), report.conflicts.len()), (Outcome::Verified, conflicts), "{}", report.text());
        let unread: Vec<_> = report.not_checked.iter().filter(|what| what.contains("collided")).collect();
        assert!(unread.len() == 1 && unread[0].contains("lists more than 1088"), "{unread:?}");
    }
}

#[test]
fn what_a_server_writes_forges_no_line() {
    let log = log_of(5);
    let report = with_conflicts(&log, &[("a\n  ok  all", "s\u{9b}2J", 0, "1\n\u{202e}", b"".as_slice())]);
    let text = report.text();
    assert!(text.contains("a\\n  ok  all") && text.contains("s\\u{9b}2J") && text.contains("1\\n\\u{202e}"), "{text}");
    assert!(!text.contains(['\u{9b}', '\u{202e}']) && !text.contains("\n  ok  all"), "{text}");
}

#[test]
fn a_key_that_the_policy_lists_later_proves_a_conflict_too() {
    let mut log = log_of(4);
    let position = SignedStatement::parse(&log.entries[2]).unwrap().claims().stream.clone().unwrap();
    let rotated = SigningKey::from_seed(Curve::P384, &[33; 48]).unwrap();
    let second = sign(&rotated, "decision", &decision("with the new key"), Some(position));
    let row = (ISSUER, "s-1", 0, "1.2", second.entry());
    assert_eq!(found(&with_conflicts(&log, &[row])), [Check::Conflicts]);
    let credentials = Credentials::Keys(vec![rotated.public()]);
    let set = vec![IssuerRow { credentials, ..log.issuer_row() }];
    log.change(ChangeFields { set, ..ChangeFields::default() });
    let report = with_conflicts(&log, &[row]);
    assert_eq!((report.outcome(), report.conflicts.len()), (Outcome::Verified, 1), "{}", report.text());
}

#[test]
fn a_root_that_the_entries_do_not_have_is_found() {
    let log = log_of(9);
    let forged = log.sign_note(log.size(), govlog_formats::digest::Digest::sha256(b"another"), &[0, 1]);
    let report = run(&log, |folder| std::fs::write(folder.join("checkpoint"), forged).unwrap());
    assert_eq!(found(&report), [Check::Tiles]);
}

#[test]
fn another_entry_0_is_found() {
    let log = log_of(4);
    let folder = tempfile::tempdir().unwrap();
    log.write_to(folder.path(), &log.note_of(log.size(), &[0, 1]));
    // The operator signs another first policy: the same keys, a later time.
    let mut other = TestLog::new();
    let request = govlog_formats::admission::GenesisRequest::new(other_row(&other)).unwrap();
    other.entries[0] = request.sign(&other.operator, 1_700_000_009_000).unwrap().entry().to_vec();
    let dir = TrustDir::create(&folder.path().join("trust"), &other.policy(), &other.entries[0]).unwrap();
    let source = Source::open(folder.path().to_str().unwrap()).unwrap();
    let report = audit(&source, dir.trust(), &mut |_, _| {}).unwrap().1;
    assert_eq!(found(&report), [Check::Admission]);
    assert!(report.text().contains("your trust directory pins"), "{}", report.text());
}

fn other_row(log: &TestLog) -> govlog_formats::admission::LogRow {
    let genesis = govlog_formats::statement::SignedStatement::parse(&log.entries[0]).unwrap();
    govlog_formats::admission::PolicyState::genesis(&genesis).unwrap().log().clone()
}

#[test]
fn a_head_that_does_not_continue_the_pinned_one_is_refused() {
    let log = log_of(9);
    let folder = tempfile::tempdir().unwrap();
    let mut dir = TrustDir::create(&folder.path().join("trust"), &log.policy(), &log.entries[0]).unwrap();
    dir.pin(&log.note_of(log.size(), &[0, 1])).unwrap();
    let mut forked = log_of(7);
    forked.add("decision", &decision("another history"));
    while forked.entries.len() < 12 {
        forked.add("decision", &decision(&format!("d-{}", forked.entries.len())));
    }
    forked.write_to(folder.path(), &forked.note_of(forked.size(), &[0, 1]));
    let source = Source::open(folder.path().to_str().unwrap()).unwrap();
    let error = audit(&source, dir.trust(), &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("split view"), "{error}");
    assert!(dir.trust().pinned().is_some_and(|pinned| pinned.verified.checkpoint().size.get() == 9));
}
