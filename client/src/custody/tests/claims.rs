use ciborium::Value;
use govlog_formats::cbor::{parse, to_deterministic};

use super::*;
use crate::openings::Openings;
use crate::verify::Outcome;

/// What a verifier makes of the file of a decision and its issuance, once somebody has changed what the manifest says.
fn told(change: impl FnOnce(&mut Contents)) -> CustodyVerdict {
    let log = log();
    let (_dir, trust) = trust(&log);
    let mut contents = contents(&log, log.size(), &[3, 2]);
    change(&mut contents);
    judge(&trust, &contents.write().unwrap().0)
}

fn refused(change: impl FnOnce(&mut Contents), for_what: &str) {
    let verdict = told(change);
    assert_eq!(verdict.outcome(), Outcome::Refuted, "{for_what}");
    assert!(why(&verdict).contains(for_what), "{for_what}: {}", why(&verdict));
}

fn search(parameters: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    parameters.iter().map(|(name, of)| ((*name).to_owned(), values(of))).collect()
}

/// Sixty values of each of five parameters are 777,600,000 choices: they are looked at one by one.
#[test]
fn a_query_of_many_values_costs_no_more_than_it_has() {
    let many: Vec<String> = (0..60).map(|at| format!("d-{at}")).collect();
    let query = ["decision", "trace", "txn", "subject", "issuer"].map(|name| (name.to_owned(), many.clone()));
    let verdict = told(|contents| contents.query.search = query.into());
    assert_eq!(why(&verdict), "VERIFIED");
    let more = (0..65).map(|at| format!("d-{at}")).collect();
    refused(|contents| contents.query.search = [("decision".to_owned(), more)].into(), "values of a parameter");
    refused(|contents| contents.query.entries = vec!["1.3".to_owned(); crate::custody::MAX_ENTRIES + 1], "entries");
}

#[test]
fn what_answers_the_query_is_in_the_file_in_order_and_does_answer() {
    let starts = |starts: &[u64]| starts.iter().map(|index| LeafIndex::new(*index).into()).collect::<Vec<_>>();
    for (wrong, why) in
        [(&[][..], "there is none"), (&[3, 3], "does not follow"), (&[3, 2], "does not follow"), (&[3, 4], "1.4")]
    {
        refused(|contents| contents.starts = starts(wrong), why);
    }
    let (log, members) = (log(), |text: &str, to: &str| (text.to_owned(), to.to_owned()));
    let (_dir, trust) = trust(&log);
    let bytes = contents(&log, log.size(), &[3, 2]).write().unwrap().0;
    for (from, to) in [members("\"1.3\"", "\"2.3\""), members("\"1.3\"", "\"1.03\"")] {
        let altered = rebuilt(&bytes, false, |members| {
            let text = String::from_utf8(members["manifest.json"].clone()).unwrap();
            members.insert("manifest.json".to_owned(), text.replace(&from, &to).into_bytes());
        });
        let verdict = judge(&trust, &altered);
        assert!(why(&verdict).contains("no entry id of this log"), "{}", why(&verdict));
    }
    refused(|contents| contents.starts = starts(&[2, 3]), "1.2 is said to answer the query, and does not");
    let asked = |values: &[&str]| Query { search: search(&[("decision", values)]), entries: Vec::new() };
    assert_eq!(why(&told(|contents| contents.query = asked(&["d-9", "d-1"]))), "VERIFIED");
    refused(|contents| contents.query = asked(&["d-9"]), "1.3 is said to answer the query");
    let verdict = told(|contents| contents.query.search = search(&[("colour", &["red"])]));
    assert_eq!(verdict.outcome(), Outcome::CannotEvaluate, "a parameter of a later version");
}

#[test]
fn an_entry_that_was_asked_for_is_there_or_the_collector_says_that_it_stopped() {
    let entries = |contents: &mut Contents| contents.query.entries = vec!["1.3".to_owned(), "1.4".to_owned()];
    refused(entries, "1.4 was asked for");
    let verdict = told(|contents| {
        entries(contents);
        contents.cut_at = Some(2);
    });
    assert_eq!(why(&verdict), "VERIFIED");
    assert!(verdict.not_proved.iter().any(|said| said.contains("asked for by their ids")), "{:?}", verdict.not_proved);
}

/// What was left out with its batch was not forgotten.
#[test]
fn a_member_that_was_asked_for_goes_with_its_refused_batch() {
    let asked = |contents: &mut Contents| contents.query.entries = vec!["1.3".to_owned(), "1.4#0".to_owned()];
    refused(asked, "1.4#0 was asked for");
    let without = |index: u64| {
        move |contents: &mut Contents| {
            asked(contents);
            contents.refused = vec![LeafIndex::new(index)];
        }
    };
    refused(without(1), "1.4#0 was asked for");
    assert_eq!(why(&told(without(4))), "VERIFIED");
}

/// Which batches were opened nobody knows but the collector.
#[test]
fn whatever_was_opened_it_is_said_that_batches_are_closed() {
    let said = |logged, opened| {
        let verdict = told(|contents| contents.batches = BatchesSeen { logged, opened });
        verdict.not_proved.into_iter().find(|said| said.contains("decision-batches"))
    };
    assert_eq!(said(0, 3), None);
    for (logged, opened, words) in [
        (1, 0, "of 1 batches in the log the collector says to have looked into 0"),
        (2, 2, "of 2 batches in the log the collector says to have looked into 2"),
        (99, 100, "of 99 batches in the log"),
        (100, 100, "of 100 or more batches in the log"),
    ] {
        assert!(said(logged, opened).unwrap().contains(words), "{words}: {:?}", said(logged, opened));
    }
}

#[test]
fn it_was_looked_for_in_one_of_two_ways() {
    for wrong in ["everything", "", "scanned 0-9", "scanned 0-4 and verified by the operator"] {
        refused(|contents| contents.completeness = wrong.to_owned(), "completeness");
    }
    for right in ["index", "scanned 0-4"] {
        assert_eq!(why(&told(|contents| contents.completeness = right.to_owned())), "VERIFIED");
    }
}

#[test]
fn a_member_is_the_statement_with_its_receipts_and_nothing_more() {
    let more = |evidence: &mut Evidence| {
        let Value::Tag(18, inner) = parse(&evidence.statement).unwrap() else { panic!() };
        let mut parts = inner.into_array().unwrap();
        parts[1].as_map_mut().unwrap().push((395.into(), "believe me".into()));
        evidence.statement = to_deterministic(&Value::Tag(18, Box::new(Value::Array(parts))));
    };
    refused(|contents| more(contents.entries.get_mut(&LeafIndex::new(3)).unwrap()), "entries/1.3.cose");
    refused(|contents| more(contents.changes.get_mut(&LeafIndex::new(1)).unwrap()), "policy/1.1.cose");
}

#[test]
fn openings_that_open_nothing_are_refused() {
    let leaf = SignedStatement::parse(&log().entries[3]).unwrap().leaf_hash();
    let nothing = Openings::new("decision", Vec::new());
    refused(|contents| drop(contents.openings.insert(leaf, nothing)), "opens nothing");
}

/// What the file says to do without govlog finds what was changed, taken out or put in. It needs python3, and so does this test.
#[test]
fn the_commands_of_the_file_itself_find_what_is_not_as_the_manifest_says() {
    let log = log();
    let (bytes, digest) = contents(&log, log.size(), &[3, 2]).write().unwrap();
    let (_, commands) = crate::custody::file::VERIFY_TEXT.split_once("\n    python3 ").unwrap();
    let (commands, _) = commands.split_once("\n    END\n").unwrap();
    let commands = format!("python3 {commands}\nEND\n").replace("\n    ", "\n").replace("FILE", "case.zip");
    let said = |bytes: &[u8]| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("case.zip"), bytes).unwrap();
        let done = std::process::Command::new("sh").args(["-c", &commands]).current_dir(dir.path()).output().unwrap();
        let (out, error) = (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap());
        if done.status.success() { Ok(out.trim().to_owned()) } else { Err(error.trim().to_owned()) }
    };
    assert_eq!(said(&bytes), Ok(digest.to_string()));
    let wrong = |name: &str| Err(format!("not as the manifest says: {name}"));
    let more = rebuilt(&bytes, false, |members| drop(members.insert("entries/1.9.cose".to_owned(), vec![1])));
    assert_eq!(said(&more), wrong("entries/1.9.cose"));
    let fewer = rebuilt(&bytes, false, |members| drop(members.remove("entries/1.3.cose")));
    assert_eq!(said(&fewer), wrong("entries/1.3.cose"));
    let other = rebuilt(&bytes, false, |members| members.get_mut("timeline.jsonl").unwrap().push(b'\n'));
    assert_eq!(said(&other), wrong("timeline.jsonl"));
}

/// What is missed follows from the entries: who makes a file can hide none of it, nor miss what is there.
#[test]
fn what_was_not_found_is_what_the_entries_give() {
    let log = log();
    let (_dir, trust) = trust(&log);
    let bytes = contents(&log, log.size(), &[3]).write().unwrap().0;
    let with = |change: &dyn Fn(&mut crate::custody::NotFound)| {
        let altered = rebuilt(&bytes, false, |members| {
            let mut manifest = crate::custody::Manifest::parse(&members["manifest.json"]).unwrap();
            change(&mut manifest.not_found);
            members.insert("manifest.json".to_owned(), manifest.to_bytes().unwrap());
        });
        why(&judge(&trust, &altered))
    };
    assert_eq!(with(&|_| ()), "VERIFIED");
    let wrong = "manifest.json: not_found: not what the entries give";
    assert_eq!(with(&|said| drop(said.links.pop().unwrap())), wrong);
    assert_eq!(with(&|said| said.revocations.push("1.3".to_owned())), wrong);
    let paths = vec!["input".to_owned()];
    assert_eq!(
        with(&|said| said.sealed.push(crate::custody::Sealed { entry: "1.3".to_owned(), paths: paths.clone() })),
        wrong
    );
    assert_eq!(with(&|said| said.cut_at = Some(1)), "VERIFIED", "a claim");
    assert!(with(&|said| said.cut_at = Some(u64::MAX)).contains("stopped"));
}
