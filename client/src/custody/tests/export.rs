use govlog_formats::cbor::{Value, parse, to_deterministic};
use govlog_formats::record::sealed::Opening;
use serde_json::json;

use super::*;
use crate::custody::{ExportError, Exported, Plan, Role, export};
use crate::openings::{FieldOpening, Folder, OpeningStore as _, Openings, Protection, Settings, State};
use crate::source::Source;
use crate::testing::COSIGNED;

pub(in crate::custody) fn plan(search: &[(&str, &str)]) -> Plan<'static> {
    let search = search.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).collect();
    let plan = Plan::of(Query { search, entries: Vec::new() }, crate::custody::MAX_ENTRIES);
    Plan { complete: true, collector: Some("responder-7".to_owned()), ..plan }
}

/// The log's files in a folder, and a trust directory that knows entry 0 and the change after it.
pub(in crate::custody) fn mirror(log: &TestLog) -> (tempfile::TempDir, Source, Trust) {
    let dir = tempfile::tempdir().unwrap();
    let trust = log.trusted_in(&dir.path().join("trust")).trust().clone();
    let files = dir.path().join("log");
    log.write_to(&files, &log.note_of(log.size(), &[0, 1, 2]));
    let source = Source::open(files.to_str().unwrap()).unwrap();
    (dir, source, trust)
}

pub(in crate::custody) fn made(source: &Source, trust: &Trust, plan: &Plan<'_>) -> Exported {
    export(source, trust, plan, &mut |_, _, _| {}).unwrap().unwrap()
}

#[test]
fn a_scan_of_a_mirror_gives_the_matter_and_says_what_was_scanned() {
    let log = log();
    let (_dir, source, trust) = mirror(&log);
    let file = made(&source, &trust, &plan(&[("decision", "d-1")]));
    assert_eq!(why(&file.verdict), "VERIFIED");
    let custody = file.verdict.result.as_ref().unwrap();
    let roles: Vec<_> = custody.entries.iter().map(|held| (held.entry.id().to_string(), held.role.unwrap())).collect();
    assert_eq!(roles, [("1.2".to_owned(), Role::Cause), ("1.3".to_owned(), Role::Start)]);
    assert_eq!(custody.manifest.completeness, "scanned 0-4");
    assert_eq!(custody.manifest.not_found.revocations, ["1.2"]);
    assert!(file.notices[0].contains("lists no admission-policy entries"), "{:?}", file.notices);
    assert!(file.verdict.not_proved[0].contains("scanned 0-4"));
    assert_eq!(
        file.bytes,
        made(&source, &trust, &plan(&[("decision", "d-1")])).bytes,
        "the same query, the same bytes"
    );

    let whole = made(&source, &trust, &plan(&[("credential", &"11".repeat(32))]));
    assert_eq!(whole.verdict.result.unwrap().entries.len(), 3, "both decisions under the credential");
}

#[test]
fn what_is_not_there_is_no_file_and_what_cannot_be_asked_is_said() {
    let log = log();
    let (_dir, source, trust) = mirror(&log);
    let ask = |plan: &Plan<'_>| export(&source, &trust, plan, &mut |_, _, _| {});
    assert!(ask(&plan(&[("decision", "d-9")])).unwrap().is_none());
    let index = Plan { complete: false, ..plan(&[("decision", "d-1")]) };
    assert!(matches!(ask(&index), Err(ExportError::NoIndex)));
    let early = Plan { at: Some(TreeSize::new(3)), ..plan(&[("decision", "d-1")]) };
    assert!(matches!(ask(&early), Err(ExportError::NotPublished(size)) if size.get() == 3));
    let mut above = plan(&[]);
    above.query.entries = vec!["1.5".to_owned()];
    assert!(matches!(ask(&above), Err(ExportError::NoEntry(id)) if id == "1.5"));
}

#[test]
fn a_query_with_more_answers_than_a_file_takes_gives_a_file_that_says_so() {
    let log = log();
    let (_dir, source, trust) = mirror(&log);
    let credential = [("credential", &*"11".repeat(32))];
    for (most, starts) in [(1, 1), (2, 2), (3, 3)] {
        let file = made(&source, &trust, &Plan { most, ..plan(&credential) });
        assert_eq!(why(&file.verdict), "VERIFIED", "{most}");
        let custody = file.verdict.result.unwrap();
        assert_eq!(custody.manifest.starts.len(), starts);
        assert_eq!(custody.manifest.not_found.cut_at, (most < 3).then_some(most as u64));
    }
    let mut named = plan(&[]);
    named.query.entries = vec!["1.2".to_owned(), "1.3".to_owned()];
    let error = export(&source, &trust, &Plan { most: 1, ..named }, &mut |_, _, _| {}).unwrap_err();
    assert!(matches!(error, ExportError::TooMany { found: 2, most: 1 }), "{error}");
}

#[test]
fn bounds_of_time_go_by_what_is_stated_and_the_file_says_so() {
    let log = log();
    let (_dir, source, trust) = mirror(&log);
    let says = |plan: &Plan<'_>| {
        made(&source, &trust, plan).verdict.not_proved.iter().any(|said| said.contains("the query bounds times"))
    };
    assert!(says(&plan(&[("decision", "d-1"), ("since", "1")])));
    assert!(!says(&plan(&[("decision", "d-1")])));
}

#[test]
fn a_pin_is_continued_or_it_is_a_split_view() {
    let log = log();
    let (dir, source, trust) = mirror(&log);
    let pin = |note: Vec<u8>| Plan { pin: Some(note), ..plan(&[("decision", "d-1")]) };
    let file = made(&source, &trust, &pin(log.note_of(TreeSize::new(3), &[0, 1])));
    let mut pinned = TrustDir::load(&dir.path().join("trust")).unwrap();
    pinned.pin(&log.note_of(TreeSize::new(3), &[0, 1])).unwrap();
    let verdict = judge(pinned.trust(), &file.bytes);
    assert_eq!(why(&verdict), "VERIFIED");
    assert!(!verdict.not_proved.iter().any(|said| said.contains("pinned")), "{:?}", verdict.not_proved);
    let without = made(&source, &trust, &plan(&[("decision", "d-1")]));
    assert!(judge(pinned.trust(), &without.bytes).not_proved.iter().any(|said| said.contains("--pin")));

    let mut other = TestLog::new();
    other.add("decision", &decision("d-7"));
    let forked = pin(other.note_of(TreeSize::new(3), &[0, 1]));
    let error = export(&source, &trust, &forked, &mut |_, _, _| {}).unwrap_err();
    let ExportError::PinSplit { note, .. } = &error else { panic!("{error}") };
    assert_eq!(
        (note.as_bytes(), error.to_string().contains("split view")),
        (&*log.note_of(log.size(), &[0, 1, 2]), true)
    );
}

/// A mirror that lies about an entry is found before anything follows from it.
#[test]
fn a_scan_finds_what_the_checkpoint_does_not_cover() {
    let log = log();
    let (dir, source, trust) = mirror(&log);
    let path = dir.path().join("log/tile/entries/000.p/5");
    let mut bundle = std::fs::read(&path).unwrap();
    let at = bundle.len() - 1;
    bundle[at] ^= 1;
    std::fs::write(&path, bundle).unwrap();
    let error = export(&source, &trust, &plan(&[("decision", "d-1")]), &mut |_, _, _| {}).unwrap_err();
    assert!(matches!(error, ExportError::Scan(_)), "{error}");
}

#[test]
fn what_is_chosen_is_disclosed_with_what_it_is_sealed_in_and_nothing_else() {
    let mut log = TestLog::new();
    let opening = |salt: u8, value: Value| Opening { salt: [salt; 32], value };
    let id = opening(7, "acct-5".into());
    let inner = opening(8, "me".into());
    let outer = opening(9, Value::Map(vec![("who".into(), inner.seal().to_value())]));
    let Value::Map(mut pairs) = parse(&decision("d-1")).unwrap() else { panic!() };
    for (key, value) in &mut pairs {
        if let ("resource", Value::Map(inner)) = (key.as_text().unwrap(), value) {
            inner.iter_mut().find(|(name, _)| name.as_text() == Some("id")).unwrap().1 = id.seal().to_value();
        }
    }
    pairs.push(("context".into(), outer.seal().to_value()));
    let index = log.add("decision", &to_deterministic(&Value::Map(pairs)));
    let leaf = SignedStatement::parse(&log.entries[2]).unwrap().leaf_hash();
    let (dir, source, trust) = mirror(&log);
    let path = dir.path().join("openings");
    let store = Folder::open(&path, Settings { protection: Protection::Plaintext, retention_days: None }).unwrap();
    let field = |path: &str, opening: &Opening| FieldOpening { path: path.to_owned(), opening: opening.clone() };
    let fields = vec![field("context", &outer), field("context.who", &inner), field("resource.id", &id)];
    store.put(&[(leaf, &Openings::new("decision", fields).encode().unwrap())]).unwrap();
    let opened = |open: &[&str]| {
        let open = open.iter().map(|name| (*name).to_owned()).collect();
        let file = made(&source, &trust, &Plan { open, store: Some(&store), ..plan(&[("decision", "d-1")]) });
        let custody = file.verdict.result.unwrap();
        let fields = &custody.at(index).unwrap().fields;
        let opened =
            fields.iter().filter(|field| matches!(field.state, State::Opened(_))).map(|field| field.path.clone());
        (opened.collect::<Vec<_>>(), file.notices.iter().any(|notice| notice.contains("nothing in the store opens it")))
    };
    assert_eq!(opened(&["/resource/id"]), (vec!["resource.id".to_owned()], false));
    assert_eq!(opened(&["context.who"]), (vec!["context".to_owned(), "context.who".to_owned()], false));
    assert_eq!(opened(&["input"]), (vec![], true));
    assert_eq!(opened(&[]), (vec![], false));
}

/// A log with a decision, and what its stream says of itself, each signed when it says that it happened.
pub(in crate::custody) fn log_with_words(kind: &str, words: &[(u64, serde_json::Value)]) -> (TestLog, LeafIndex) {
    let mut log = TestLog::new();
    let kinds = ["decision", "gap", "stream"].map(str::to_owned).to_vec();
    let row = govlog_formats::admission::IssuerRow { kinds, ..log.issuer_row() };
    log.change(govlog_formats::admission::ChangeFields { set: vec![row], ..Default::default() });
    let decided = log.add("decision", &decision("d-1"));
    for (at_ms, fields) in words {
        let mut view = fields.clone();
        view["v"] = 1.into();
        view["event_ms"] = (*at_ms).into();
        let payload = govlog_formats::record::view::from_json(kind, &view).unwrap();
        log.add_at(kind, &payload, ("s-1", i64::try_from(at_ms / 1000).unwrap()));
    }
    (log, decided)
}

/// An agent declares what was lost when it notices: the matter in between is told of it, whenever that was.
#[test]
fn a_gap_is_found_by_what_it_is_of_and_not_by_when_it_was_declared() {
    const AT: u64 = 1_700_000_000_000;
    const HOUR: u64 = 3_600_000;
    let cases = [
        ("over it, noticed hours later", AT + 4 * HOUR, json!({ "from_ms": AT - 1, "to_ms": AT + 4 * HOUR }), true),
        ("a month later, nobody knows since when", AT + 720 * HOUR, json!({ "to_ms": AT + 720 * HOUR }), true),
        ("no times at all", AT + 720 * HOUR, json!({}), true),
        ("within the hour after", AT + 2 * HOUR, json!({ "from_ms": AT + HOUR, "to_ms": AT + 2 * HOUR }), true),
        ("later than that", AT + 4 * HOUR, json!({ "from_ms": AT + HOUR + 1, "to_ms": AT + 4 * HOUR }), false),
        ("over before, declared after", AT + HOUR, json!({ "from_ms": 1, "to_ms": AT - HOUR - 1 }), false),
        ("declared long before", AT - HOUR - 1000, json!({ "to_ms": AT - HOUR - 1000 }), false),
    ];
    for (what, noticed_ms, mut gap, is_found) in cases {
        gap["cause"] = "source-dropped".into();
        let (log, decided) = log_with_words("gap", &[(noticed_ms, gap)]);
        let (_dir, source, trust) = mirror(&log);
        let file = made(&source, &trust, &plan(&[("decision", "d-1")]));
        assert_eq!(why(&file.verdict), "VERIFIED", "{what}");
        let custody = file.verdict.result.as_ref().unwrap();
        let gaps: Vec<_> = custody.streams[0].gaps.iter().map(|gap| gap.entry.clone()).collect();
        let expected: Vec<String> = is_found.then(|| format!("1.{}", decided.get() + 1)).into_iter().collect();
        assert_eq!(gaps, expected, "{what}");
        assert_eq!(file.verdict.text(0).contains("no gap declared here"), !is_found, "{what}");
    }
}

/// A heartbeat of a clock that is ahead was there when witnesses saw it, and is silence an hour later.
#[test]
fn a_clock_that_is_ahead_hides_no_silence() {
    const SEEN: u64 = COSIGNED + 200;
    let spoken = |at_s: u64| {
        let word = json!({ "op": "heartbeat", "instance": "agent-1", "next_seq": 2 });
        let (log, _) = log_with_words("stream", &[(at_s * 1000, word)]);
        let (_dir, source, trust) = mirror(&log);
        let file = made(&source, &trust, &plan(&[("decision", "d-1")]));
        assert_eq!(why(&file.verdict), "VERIFIED");
        let text = file.verdict.text(0);
        (file.verdict.result.unwrap().streams.remove(0), text)
    };
    for (at_s, said_s, words) in [
        (4_102_444_800, SEEN, "last heartbeat 0 s before the checkpoint, its clock ahead: 2100-01-01T00:00:00Z"),
        (SEEN + 86_400, SEEN, "last heartbeat 0 s before the checkpoint, its clock ahead: 2023-11-15T22:16:40Z"),
        (SEEN - 50, SEEN - 50, "last heartbeat 50 s before the checkpoint;"),
    ] {
        let (stream, text) = spoken(at_s);
        assert_eq!(stream.last_word.as_ref().unwrap().said_s(), said_s);
        assert_eq!(stream.silent_s(SEEN + 3600), Some(SEEN + 3600 - said_s), "{at_s}");
        assert!(text.contains(words) && !text.contains("clock before the checkpoint"), "{text}");
    }
}

/// What is too much is said before anything is made of it: how much of what, and what to ask for instead.
#[test]
fn a_file_that_would_be_too_large_is_not_made() {
    let log = log();
    let (_dir, source, trust) = mirror(&log);
    let credential = [("credential", &*"11".repeat(32))];
    let whole = made(&source, &trust, &plan(&credential)).bytes.len();
    assert_eq!(made(&source, &trust, &Plan { most_bytes: whole, ..plan(&credential) }).bytes.len(), whole);
    let read: usize = log.entries[2..].iter().map(Vec::len).sum();
    for most_bytes in [whole - 1, read - 1] {
        let error = export(&source, &trust, &Plan { most_bytes, ..plan(&credential) }, &mut |_, _, _| {}).unwrap_err();
        let ExportError::TooLarge { entries, bytes, most } = &error else { panic!("{error}") };
        assert!(*entries <= 3 && *bytes > most_bytes && *most == most_bytes, "{error}");
        assert!(error.to_string().contains("nothing was written; ask for less"), "{error}");
    }
    let cut = made(&source, &trust, &Plan { most: 2, ..plan(&credential) });
    assert!(cut.notices.iter().any(|notice| notice.contains("more than the 2 entries that a file takes")));
}
