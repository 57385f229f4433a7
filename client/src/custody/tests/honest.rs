use govlog_formats::admission::{ChangeFields, LogRow, ReceiptKey};
use govlog_formats::cbor::{Value, to_deterministic};
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::record::sealed::Opening;
use govlog_formats::record::view;
use govlog_formats::statement::{Claims, Content, StatementHeader, StreamPosition, content_type_of};
use serde_json::json;

use super::*;
use crate::custody::{Role, diff};
use crate::openings::{FieldOpening, Openings, State};
use crate::testing::{COSIGNED, ISSUER};
use crate::verify::Outcome;

#[test]
fn a_file_verifies_against_entry_0_alone_and_says_what_it_does_not_prove() {
    let log = log();
    let (_dir, trust) = trust(&log);
    let (bytes, digest) = contents(&log, log.size(), &[3, 2]).write().unwrap();
    let verdict = judge(&trust, &bytes);
    assert_eq!(why(&verdict), "VERIFIED");
    let custody = verdict.result.as_ref().unwrap();
    assert_eq!(custody.manifest_digest, digest);
    assert_eq!((custody.changes.enclosed, custody.changes.learnt, custody.changes.as_of), (2, 1, 1));
    let roles: Vec<_> = custody.entries.iter().map(|held| (held.entry.id().to_string(), held.role)).collect();
    assert_eq!(roles, [("1.2".to_owned(), Some(Role::Cause)), ("1.3".to_owned(), Some(Role::Start))]);
    let edge = &custody.edges[0];
    assert_eq!((edge.from.index.get(), edge.to.index.get(), edge.rel.as_str()), (3, 2, "authenticated_by"));
    // Two of three witnesses: the second to sign the first note that covers it.
    assert!(custody.entries.iter().all(|held| held.has_receipt && held.bracket.upper_s == Some(COSIGNED + 200)));
    let said = verdict.text(COSIGNED + 400);
    for words in [
        "NOT PROVED   completeness",
        "none of the witnesses is independent",
        "collector and purpose: not checked",
        "name no head",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(verdict.json(0)["verdict"], "verified");
}

#[test]
fn the_same_contents_give_the_same_bytes_and_fewer_entries_are_as_good_a_file() {
    let log = log();
    let (_dir, trust) = trust(&log);
    let all = contents(&log, log.size(), &[3, 2, 4]).write().unwrap().0;
    assert_eq!(all, contents(&log, log.size(), &[3, 2, 4]).write().unwrap().0);
    let fewer = contents(&log, log.size(), &[3]).write().unwrap().0;
    let verdict = judge(&trust, &fewer);
    assert_eq!(why(&verdict), "VERIFIED");
    assert!(verdict.not_proved[0].starts_with("completeness"), "{:?}", verdict.not_proved);
    let custody = verdict.result.unwrap();
    assert_eq!(custody.dead_links.len(), 1, "what is left out is missed: {:?}", custody.dead_links);
    assert_eq!((custody.dead_links[0].rel.as_str(), custody.dead_links[0].from.index.get()), ("authenticated_by", 3));

    let difference = diff(&fewer, &all).unwrap();
    assert!(difference.added.contains(&"entries/1.2.cose".to_owned()) && difference.removed.is_empty());
    assert!(diff(&all, &all).unwrap().is_none());
}

#[test]
fn what_is_above_the_checkpoint_or_not_yet_allowed_is_refused() {
    let log = log();
    let (_dir, trust) = trust(&log);
    let mut later = contents(&log, log.size(), &[3]);
    later.size = TreeSize::new(4);
    later.root = log.tree().root_at(later.size).unwrap();
    later.note = log.note_of(later.size, &[0, 1]);
    assert_eq!(judge(&trust, &later.write().unwrap().0).outcome(), Outcome::Refuted, "its proofs lead elsewhere");

    let mut unknown = contents(&log, log.size(), &[3]);
    unknown.changes.remove(&LeafIndex::new(1));
    let verdict = judge(&trust, &unknown.write().unwrap().0);
    assert_eq!(verdict.outcome(), Outcome::CannotEvaluate, "{}", why(&verdict));
    assert!(why(&verdict).contains("govlog trust update"), "{}", why(&verdict));

    let mut few = contents(&log, log.size(), &[3]);
    few.note = log.note_of(few.size, &[0]);
    assert_eq!(judge(&trust, &few.write().unwrap().0).outcome(), Outcome::PolicyNotSatisfied);
}

#[test]
fn another_history_is_a_split_view() {
    let log = log();
    let (dir, _) = trust(&log);
    let mut other = TestLog::new();
    other.add("issuance", &issuance());
    other.add("decision", &decision("d-9"));
    let path = dir.path().join("trust");
    let pin = |note: &[u8]| {
        let mut dir = TrustDir::load(&path).unwrap();
        dir.pin(note).unwrap();
        dir.trust().clone()
    };
    let (bytes, _) = contents(&log, log.size(), &[3, 2]).write().unwrap();
    let verdict = judge(&pin(&other.note_of(TreeSize::new(3), &[0, 1])), &bytes);
    assert_eq!(why(&verdict), "VERIFIED", "to size 3 they are the same");
    let verdict = judge(&pin(&other.note_of(TreeSize::new(4), &[0, 1])), &bytes);
    assert_eq!(verdict.outcome(), Outcome::Refuted);
    assert!(why(&verdict).starts_with("split view"), "{}", why(&verdict));

    let mut forked = contents(&log, log.size(), &[3, 2]);
    let note = other.note_of(TreeSize::new(4), &[0, 1]);
    forked.earlier.get_mut(&TreeSize::new(4)).unwrap().note = note;
    let (_dir, trust) = trust(&log);
    assert!(why(&judge(&trust, &forked.write().unwrap().0)).contains("split view"));
}

#[test]
fn a_statement_that_names_a_head_was_signed_after_it_and_so_were_its_successors() {
    let mut log = log();
    let head = Digest::sha256(&log.note_of(TreeSize::new(4), &[0, 1]));
    let sign = |log: &mut TestLog, head: Option<Digest>, id: &str| {
        let position = StreamPosition { stream: "s-1".to_owned(), seq: log.next.seq, prev: log.next.prev };
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: "spiffe://prod.example/pay".to_owned(),
            aud: Some(ORIGIN.to_owned()),
            iat: 1_700_000_000,
            stream: Some(position),
            head,
        };
        let header = StatementHeader { content: Content::Plain(content_type_of("decision")), claims };
        let statement = SignedStatement::sign(&header, &decision(id), &log.issuer).unwrap();
        log.next.seq += 1;
        log.next.prev = statement.sig_structure_digest();
        log.append(statement.entry().to_vec()).get()
    };
    let named = sign(&mut log, Some(head), "d-3");
    let after = sign(&mut log, None, "d-4");
    let (_dir, trust) = trust(&log);
    let lower = |indexes: &[u64], index: u64| {
        let verdict = judge(&trust, &contents(&log, log.size(), indexes).write().unwrap().0);
        verdict.result.unwrap().at(LeafIndex::new(index)).unwrap().bracket.lower_s
    };
    // The older of two cosignatures; 3 is in the file for its note, of size 4.
    assert_eq!(lower(&[3, named], named), Some(COSIGNED + 100));
    assert_eq!(lower(&[3, named, after], after), Some(COSIGNED + 100));
    assert_eq!(lower(&[3, after], after), None, "the chain is not in the file");
    assert_eq!(lower(&[named], named), None, "the note is not in the file");
}

#[test]
fn what_is_disclosed_opens_and_nothing_else_is_taken_for_it() {
    let mut log = TestLog::new();
    let opening = Opening { salt: [7; 32], value: "acct-5".into() };
    let closed = Opening { salt: [8; 32], value: "read".into() };
    let view = json!({
        "v": 1, "event_ms": 1, "decision_id": "d-1", "result": "permit", "subject": { "id": "spiffe://prod.example/pay" },
        "action": { "name": "?" }, "resource": { "type": "account", "id": "?" },
    });
    let Value::Map(mut pairs) = govlog_formats::cbor::parse(&view::from_json("decision", &view).unwrap()).unwrap()
    else {
        panic!()
    };
    for (key, value) in &mut pairs {
        let sealed = match key.as_text().unwrap() {
            "action" => ("name", &closed),
            "resource" => ("id", &opening),
            _ => continue,
        };
        let Value::Map(inner) = value else { panic!() };
        inner.iter_mut().find(|(name, _)| name.as_text() == Some(sealed.0)).unwrap().1 = sealed.1.seal().to_value();
    }
    let index = log.add("decision", &to_deterministic(&Value::Map(pairs)));
    let leaf = SignedStatement::parse(&log.entries[2]).unwrap().leaf_hash();
    let (_dir, trust) = trust(&log);
    let with = |opening: &Opening, path: &str| {
        let mut contents = contents(&log, log.size(), &[index.get()]);
        let fields = vec![FieldOpening { path: path.to_owned(), opening: opening.clone() }];
        contents.openings.insert(leaf, Openings::new("decision", fields));
        judge(&trust, &contents.write().unwrap().0)
    };
    let verdict = with(&opening, "resource.id");
    assert_eq!(why(&verdict), "VERIFIED");
    let custody = verdict.result.as_ref().unwrap();
    let states: Vec<_> = custody.entries[0].fields.iter().map(|field| (field.path.as_str(), &field.state)).collect();
    assert_eq!(states, [("action.name", &State::Closed), ("resource.id", &State::Opened("acct-5".into()))]);
    assert!(verdict.not_proved.iter().any(|said| said == "what stands in 1 sealed values"), "{:?}", verdict.not_proved);

    assert_eq!(with(&closed, "resource.id").outcome(), Outcome::Refuted, "a value that the entry is not sealed for");
    assert_eq!(with(&opening, "resource.type").outcome(), Outcome::Refuted, "nothing is sealed there");
}

#[test]
fn a_custody_record_confirms_the_manifest_that_it_names_and_no_other() {
    let mut log = log();
    let row = govlog_formats::admission::IssuerRow {
        kinds: vec!["decision".into(), "issuance".into(), "custody".into()],
        ..log.issuer_row()
    };
    let fields = govlog_formats::admission::ChangeFields { set: vec![row], ..Default::default() };
    log.change(fields);
    let (bytes, digest) = contents(&log, TreeSize::new(5), &[3, 2]).write().unwrap();
    let record = |log: &mut TestLog, digest: &Digest, collector: &str| {
        let view = json!({
            "v": 1, "event_ms": 1, "op": "export", "manifest_digest": digest.to_string(), "collector": collector, "purpose": "case 2031",
        });
        let index = log.add("custody", &view::from_json("custody", &view).unwrap());
        transparent_at(log, index, log.size())
    };
    let (right, other) = (record(&mut log, &digest, "responder-7"), record(&mut log, &digest, "somebody"));
    let elsewhere = {
        let view = json!({
            "v": 1, "event_ms": 1, "op": "export", "manifest_digest": digest.to_string(), "collector": "responder-7",
            "purpose": "case 2031", "query": { "search": { "decision": ["d-7"] }, "entries": [] },
        });
        let index = log.add("custody", &view::from_json("custody", &view).unwrap());
        transparent_at(&log, index, log.size())
    };
    let wrong = record(&mut log, &Digest::sha256(b"other"), "responder-7");
    let dir = tempfile::tempdir().unwrap();
    let mut trusted = log.trusted_in(&dir.path().join("trust"));
    let note = log.note_of(log.size(), &[0, 1]);
    trusted.add_change(LeafIndex::new(5), &log.entries[5], &log.tlog_proof(LeafIndex::new(5), &note)).unwrap();
    let judge = |record: Vec<u8>| verify(trusted.trust(), "case.zip", &bytes, &[("case.cose".to_owned(), record)]);

    let verdict = judge(right);
    assert_eq!(why(&verdict), "VERIFIED");
    let by = format!("responder-7 (recorded by {ISSUER})");
    assert!(verdict.result.as_ref().unwrap().confirmed().is_some() && verdict.text(0).contains(&by));
    let said = |verdict: &CustodyVerdict, words: &str| verdict.not_proved.iter().any(|said| said.contains(words));
    assert!(said(&verdict, &format!("{ISSUER} says so")), "{:?}", verdict.not_proved);
    for other in [other, elsewhere] {
        let verdict = judge(other);
        assert!(verdict.result.as_ref().unwrap().confirmed().is_none());
        assert!(said(&verdict, "say others"), "{:?}", verdict.not_proved);
    }
    assert_eq!(judge(wrong).outcome(), Outcome::Refuted);
}

/// Who knows entry 0 alone learns from the file who may record its custody; a record of somebody whom a later change lets in says nothing to them.
#[test]
fn a_record_is_judged_by_what_the_file_teaches_and_voids_nothing_where_that_is_not_enough() {
    let mut log = TestLog::new();
    let admit = |log: &mut TestLog, kinds: &[&str]| {
        let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        let row = govlog_formats::admission::IssuerRow { kinds, ..log.issuer_row() };
        log.change(govlog_formats::admission::ChangeFields { set: vec![row], ..Default::default() });
    };
    let made = |log: &mut TestLog, is_admitted_before: bool| {
        log.add("issuance", &issuance());
        let (change, before) = (log.size().get(), is_admitted_before);
        if before {
            admit(log, &["decision", "issuance", "custody"]);
        }
        let decided = log.add("decision", &decision("d-1")).get();
        let mut contents = contents(log, log.size(), &[decided]);
        if before {
            contents.changes.extend(super::contents(log, log.size(), &[change]).entries);
            contents.earlier.extend(super::contents(log, log.size(), &[change]).earlier);
        }
        let (bytes, digest) = contents.write().unwrap();
        if !before {
            admit(log, &["decision", "issuance", "custody"]);
        }
        let view = json!({
            "v": 1, "event_ms": 1, "op": "export", "manifest_digest": digest.to_string(), "collector": "responder-7", "purpose": "case 2031",
        });
        let index = log.add("custody", &view::from_json("custody", &view).unwrap());
        let (_dir, court) = trust(log);
        verify(&court, "case.zip", &bytes, &[("case.cose".to_owned(), transparent_at(log, index, log.size()))])
    };
    let verdict = made(&mut log, true);
    assert_eq!(why(&verdict), "VERIFIED");
    assert!(verdict.result.unwrap().confirmed().is_some(), "{:?}", verdict.not_proved);

    let verdict = made(&mut TestLog::new(), false);
    assert_eq!(why(&verdict), "VERIFIED");
    assert!(verdict.not_proved.iter().any(|said| said.contains("anything by the record case.cose")), "{verdict:?}");
    assert_eq!(verdict.unjudged, ["case.cose"]);
}

#[test]
fn what_is_enclosed_is_the_admission_policy_without_a_gap() {
    let log = log();
    let (dir, _) = trust(&log);
    let informed = log.trusted_in(&dir.path().join("informed"));
    let mut fewer = contents(&log, log.size(), &[2]);
    fewer.changes.remove(&LeafIndex::new(0));
    let verdict = judge(informed.trust(), &fewer.write().unwrap().0);
    assert!(why(&verdict).starts_with("policy/1.0.cose: missing"), "{}", why(&verdict));
    let mut more = contents(&log, log.size(), &[3]);
    let decision = more.entries[&LeafIndex::new(3)].clone();
    more.changes.insert(LeafIndex::new(3), decision);
    assert!(why(&judge(informed.trust(), &more.write().unwrap().0)).starts_with("policy/1.3.cose"));
}

/// A collector's stale trust directory says nothing against the file; what its reader knows decides whether an entry was allowed.
#[test]
fn a_reader_who_knows_more_of_the_admission_policy_judges_by_it_and_says_so() {
    let mut log = log();
    let knows = |log: &TestLog, name: &str, change: u64| {
        let (dir, _) = trust(log);
        let mut trusted = log.trusted_in(&dir.path().join(name));
        let (index, note) = (LeafIndex::new(change), log.note_of(log.size(), &[0, 1]));
        let entry = &log.entries[usize::try_from(change).unwrap()];
        trusted.add_change(index, entry, &log.tlog_proof(index, &note)).unwrap();
        trusted.trust().clone()
    };
    let before = judge(
        &log.trusted_in(&tempfile::tempdir().unwrap().path().join("t")).trust().clone(),
        &contents(&log, log.size(), &[3, 2]).write().unwrap().0,
    );
    assert!(!before.not_proved.iter().any(|said| said.contains("were unknown to the collector")));
    let row = govlog_formats::admission::IssuerRow { kinds: vec!["issuance".into()], ..log.issuer_row() };
    let change = log.change(govlog_formats::admission::ChangeFields { set: vec![row], ..Default::default() }).get();
    let late = log.add("decision", &decision("d-3")).get();
    let reader = knows(&log, "reader", change);
    let stale = contents(&log, log.size(), &[3, 2]).write().unwrap().0;
    let verdict = judge(&reader, &stale);
    assert_eq!(why(&verdict), "VERIFIED");
    let custody = verdict.result.as_ref().unwrap();
    assert_eq!((custody.changes.enclosed, custody.changes.more, custody.changes.as_of), (2, 1, 2));
    assert!(verdict.text(0).contains("1 of its entries below the checkpoint were unknown to the collector"));
    // What the stale collector took for allowed was not any more.
    let wrong = contents(&log, log.size(), &[late, 2]).write().unwrap().0;
    let verdict = judge(&reader, &wrong);
    assert_eq!(verdict.outcome(), Outcome::CannotEvaluate, "{}", why(&verdict));
    assert!(why(&verdict).contains("is not allowed"), "{}", why(&verdict));
}

/// Two of three witnesses are the quorum: the one that says the latest time does not decide how old the checkpoint is.
#[test]
fn one_witness_alone_makes_no_checkpoint_newer() {
    let log = log();
    let (_dir, trust) = trust(&log);
    let mut verdict = judge(&trust, &contents(&log, log.size(), &[3]).write().unwrap().0);
    let head = &verdict.result.as_ref().unwrap().checkpoint;
    let mut times: Vec<u64> = head.witnesses.iter().map(|witness| witness.time_s).collect();
    times.sort_unstable();
    assert_eq!((times.len(), head.time_s), (3, Some(times[1])), "{times:?}");
    assert!(times[1] < times[2]);
    let said = verdict.text(times[1]);
    assert_eq!(said.matches("ahead of this machine's clock").count(), 1, "{said}");
    assert!(!verdict.text(times[2]).contains("ahead of this machine's clock"));
    verdict.require_age(10, times[1] + 11);
    assert_eq!(verdict.outcome(), Outcome::PolicyNotSatisfied);
}

/// Who asks for more witnesses than cosigned the earlier notes has the file's own checkpoint to go by.
#[test]
fn receipts_of_fewer_witnesses_than_are_asked_for_refuse_no_file() {
    let log = log();
    let dir = tempfile::tempdir().unwrap();
    let strict = |witnesses: &str| {
        let policy = log.policy().replace("group two 2", &format!("group two {witnesses}"));
        TrustDir::create(&dir.path().join(witnesses), &policy, &log.entries[0]).unwrap().trust().clone()
    };
    let (bytes, _) = contents(&log, log.size(), &[2, 3]).write().unwrap();
    let [easy, strict] = ["2", "3"].map(strict);
    let [two, three] = [&easy, &strict].map(|trust| judge(trust, &bytes));
    assert_eq!((why(&two), why(&three)), ("VERIFIED".to_owned(), "VERIFIED".to_owned()));
    let said =
        |verdict: &CustodyVerdict| verdict.not_proved.iter().any(|said| said.contains("fewer witnesses cosigned"));
    assert!(!said(&two) && said(&three), "{:?}", three.not_proved);
    let bounds =
        |verdict: CustodyVerdict| verdict.result.unwrap().at(LeafIndex::new(2)).unwrap().bracket.upper_s.unwrap();
    assert!(bounds(two) < bounds(three), "they bound no time");
    // One that does not hold is refused, whoever cosigned its note.
    let mut moved = contents(&log, log.size(), &[2, 3]);
    let other = moved.entries[&LeafIndex::new(3)].statement.clone();
    let receipts = transparent::TransparentStatement::parse(&other).unwrap();
    let receipts: Vec<Vec<u8>> = receipts.receipts().iter().map(|receipt| receipt.bytes().to_vec()).collect();
    let here = moved.entries.get_mut(&LeafIndex::new(2)).unwrap();
    here.statement = transparent::assemble(&log.entries[2], &receipts).unwrap();
    let (bytes, _) = moved.write().unwrap();
    assert_ne!(why(&judge(&strict, &bytes)), "VERIFIED");
}

/// What leads into another log is named as that log names it, and not by a leaf that is looked for here.
#[test]
fn a_reference_to_another_log_says_which_and_where() {
    let mut log = TestLog::new();
    let view = json!({
        "v": 1, "event_ms": 1, "decision_id": "d-1", "result": "permit", "subject": { "id": "spiffe://prod.example/pay" },
        "action": { "name": "read" }, "resource": { "type": "account", "id": "acct-5" },
        "links": [{ "rel": "caused_by", "target": { "log_ref": { "origin": "other.example/\n2026", "index": 812, "leaf": "11".repeat(32) } } }],
    });
    let index = log.add("decision", &view::from_json("decision", &view).unwrap());
    let (_dir, trust) = trust(&log);
    let verdict = judge(&trust, &contents(&log, log.size(), &[index.get()]).write().unwrap().0);
    assert_eq!(why(&verdict), "VERIFIED");
    let expected = format!("1.2 caused_by entry 812 of other.example/\\n2026, leaf {}", "11".repeat(32));
    assert!(verdict.text(0).contains(&expected), "{}", verdict.text(0));
    assert!(verdict.text(0).contains("(index, as claimed)"), "how it was looked for is nobody's proof");
}

/// A log may give its receipts anew, by the key that it has now.
#[test]
fn the_receipt_of_a_change_can_be_by_the_key_of_a_later_one() {
    let mut log = log();
    let newer = SigningKey::from_seed(Curve::P256, &[8; 32]).unwrap();
    let receipts = [&log.receipt, &newer].map(|key| ReceiptKey { key: key.public(), from: 0, below: None }).to_vec();
    let row = LogRow { origin: ORIGIN.to_owned(), checkpoint: log.log.vkey().clone(), receipts };
    let later = log.change(ChangeFields { log: Some(row), ..ChangeFields::default() });
    let (_dir, trust) = trust(&log);
    let mut contents = contents(&log, log.size(), &[3, 2]);
    let statement = log.entries[5].clone();
    contents.changes.insert(later, Evidence { statement, path: log.proof(later, log.size()).path });
    let change = LeafIndex::new(1);
    let receipt = log.receipt_for(change, &contents.note, &newer);
    let anew = transparent::assemble(&log.entries[1], &[receipt]).unwrap();
    contents.changes.get_mut(&change).unwrap().statement = anew;
    assert_eq!(why(&judge(&trust, &contents.write().unwrap().0)), "VERIFIED");
}

/// The entry is proved by its own leaf and path: a receipt that its reader cannot judge takes no file away.
#[test]
fn receipts_by_keys_that_nobody_knows_refuse_no_file() {
    let log = log();
    let (_dir, trust) = trust(&log);
    let mut contents = contents(&log, log.size(), &[3, 2]);
    let stranger = SigningKey::from_seed(Curve::P256, &[8; 32]).unwrap();
    for index in [3, 1] {
        let (at, entry) = (LeafIndex::new(index), &log.entries[usize::try_from(index).unwrap()]);
        let receipt = log.receipt_for(at, &contents.note, &stranger);
        let evidence = contents.entries.get_mut(&at).or(contents.changes.get_mut(&at)).unwrap();
        evidence.statement = transparent::assemble(entry, &[receipt]).unwrap();
    }
    let verdict = judge(&trust, &contents.write().unwrap().0);
    assert_eq!(why(&verdict), "VERIFIED");
    let said = "the receipts of 2 members (entries/1.3.cose, policy/";
    assert!(verdict.not_proved.iter().any(|line| line.starts_with(said)), "{:?}", verdict.not_proved);
    let custody = verdict.result.unwrap();
    assert_eq!([2, 3].map(|index| custody.at(LeafIndex::new(index)).unwrap().has_receipt), [true, false]);
}
