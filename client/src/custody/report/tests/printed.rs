//! What is printed of records, notes, manifests and files whose makers wish the reader ill: no terminal obeys it, and none of it is taken for a
//! verdict.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use govlog_formats::merkle::LeafIndex;
use govlog_formats::note::{KeyName, Note, NoteSigner, SignatureAlgorithm};
use govlog_formats::visible::{characters, visible_json, visible_lines};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::ask::{Hit, Page, in_file};
use crate::audit::{Check, Finding, Report};
use crate::custody::tests::rebuilt;
use crate::testing::decision;
use crate::verify::{Outcome, transparent_statement};

/// A file whose every text is this one.
fn story(text: &str) -> (Story, Vec<u8>) {
    let mut story = Story::begin();
    story.say(
        "decision",
        json!({
            "decision_id": text, "result": "permit", "subject": { "id": text }, "action": { "name": text }, "resource": { "type": text, "id": text },
            "trace_id": text, "source": { "system": text, "instance": text, "native_id": text },
        }),
    );
    story.say(
        "delegation",
        json!({ "delegator": { "id": text }, "delegate": { "id": text }, "scope": [text], "purpose": text }),
    );
    story.say(
        "approval",
        json!({ "type": "change", "approved": { "payload": "11".repeat(32) }, "decision": "reject", "approver": text }),
    );
    story.say(
        "revocation",
        json!({ "target_type": "policy", "target": { "id": text }, "effective_ms": u64::MAX, "reason": text }),
    );
    let links = json!([{ "rel": text, "target": { "handle": [text, text] } }, { "rel": "about", "target": { "handle": [text, 1] } }]);
    story.say("finding", json!({ "check": text, "verdict": "failed", "entries": [], "auditor": text, "links": links }));
    let targets = json!([{ "target": { "entry": story.leaf(story.entries[0]).to_string() }, "extent": "all" }]);
    story.say("redaction", json!({ "rule": "retention", "targets": targets, "legal_basis": text, "store": text }));
    story.add("text/plain", text.as_bytes());
    // Behind all of these, so that no receipt is for the checkpoint's own size.
    story.log.add("decision", &decision("last"));
    let mut contents = story.contents(story.log.size());
    contents.starts = contents.entries.keys().copied().map(Into::into).collect();
    contents.query.entries = contents.starts.iter().map(|index| crate::custody::id(*index)).collect();
    contents.query.search = [("subject".to_owned(), vec![text.to_owned()])].into();
    contents.collector = Some(text.to_owned());
    contents.purpose = Some(text.to_owned());
    // A cosignature of nobody you know.
    let name: String = text.chars().filter(|c| !c.is_whitespace() && *c != '+' && *c >= ' ').collect();
    let stranger = NoteSigner::from_seed(
        KeyName::new(format!("w{name}")).unwrap(),
        SignatureAlgorithm::CosignatureEd25519,
        &[99; 32],
    );
    let note = Note::parse(&contents.note).unwrap();
    let cosigned = stranger.unwrap().sign(note.text(), Some(1)).unwrap();
    contents.note = Note::with_lines(note.text(), &[note.lines(), &[cosigned]].concat()).unwrap().to_bytes();
    let bytes = contents.write().unwrap().0;
    (story, bytes)
}

/// Files that are refused for what their manifest says.
fn refused(bytes: &[u8], text: &str) -> Vec<Vec<u8>> {
    let manifest = |change: &dyn Fn(&mut serde_json::Value)| {
        rebuilt(bytes, false, |members: &mut BTreeMap<String, Vec<u8>>| {
            let mut manifest = serde_json::from_slice(&members["manifest.json"]).unwrap();
            change(&mut manifest);
            members.insert("manifest.json".to_owned(), (manifest.to_string() + "\n").into_bytes());
        })
    };
    vec![
        manifest(&|manifest| manifest["files"]["timeline.jsonl"] = text.into()),
        manifest(&|manifest| manifest["files"][text] = "11".into()),
        manifest(&|manifest| manifest[text] = text.into()),
        manifest(&|manifest| manifest["origin"] = text.into()),
        manifest(&|manifest| manifest["streams"] = text.into()),
        manifest(&|manifest| manifest["query"]["entries"] = json!([text])),
    ]
}

/// Everything that is printed of it, for people, line by line, and for programs.
fn printed(text: &str) -> (Vec<String>, Vec<String>) {
    let (story, bytes) = story(text);
    let verdict = verify(&story.trust, text, &bytes, &[]);
    assert_eq!(verdict.outcome(), Outcome::Verified, "{}", verdict.text(0));
    let (mut said, mut documents) = (vec![verdict.text(0)], vec![verdict.json(0)]);
    let with_record = verify(&story.trust, text, &bytes, &[(text.to_owned(), text.as_bytes().to_vec())]);
    said.push(with_record.text(0));
    documents.push(with_record.json(0));
    for bytes in refused(&bytes, text) {
        let verdict = verify(&story.trust, text, &bytes, &[]);
        assert_eq!(verdict.outcome(), Outcome::Refuted, "{}", verdict.text(0));
        said.push(verdict.text(0));
        documents.push(verdict.json(0));
    }
    let at = story.log.transparent(LeafIndex::new(2), &story.log.note_of(story.log.size(), &[0, 1]));
    for bytes in [at.as_slice(), text.as_bytes()] {
        let verdict = transparent_statement(&story.trust, text, bytes);
        said.push(verdict.text(&story.trust, 0));
        documents.push(verdict.json(&story.trust, 0));
    }
    let finding = Finding { check: Check::Entries, outcome: Outcome::Refuted, what: text.to_owned() };
    let report = Report {
        origin: text.to_owned(),
        size: 1,
        root: String::new(),
        kinds: vec![(text.to_owned(), 1)],
        streams: 0,
        changes: 0,
        checkpoints: 0,
        findings: vec![finding],
        conflicts: Vec::new(),
        more: 0,
        not_checked: vec![text.to_owned()],
    };
    said.push(report.text());
    documents.push(report.json());
    let custody = verdict.result.unwrap();
    for held in &custody.entries {
        let hit = Hit { entry: held.entry.as_ref().clone(), bracket: held.bracket };
        said.push(hit.line());
        documents.push(hit.json());
    }
    let shown = in_file(custody, None).unwrap().unwrap();
    said.extend([None, Some(80)].map(|width| Page { width, has_colours: false }.draw(&shown, 0)));
    documents.push(shown.json(0));
    let lines = said.iter().flat_map(|said| said.trim_end().split('\n').map(str::to_owned)).collect();
    (lines, documents.iter().map(|document| visible_json(&document.to_string())).collect())
}

/// What is printed of a text that means no harm.
static HARMLESS: LazyLock<Vec<String>> = LazyLock::new(|| printed("x/y").0);

/// The word that a line begins with, if it is a verdict's.
fn verdict_word(line: &str) -> Option<&'static str> {
    const WORDS: [&str; 8] = [
        "VERIFIED",
        "REFUTED",
        "CANNOT EVALUATE",
        "POLICY NOT SATISFIED",
        "NOT PROVED",
        "not checked",
        "ENTRIES",
        "ok ",
    ];
    WORDS.into_iter().find(|word| line.trim_start().starts_with(word))
}

/// Texts with what a forger needs, and any others.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\nVERIFIED  case.zip".to_owned()),
        Just("\r\n  NOT PROVED   nothing".to_owned()),
        Just("\u{1b}[2J\u{1b}[HVERIFIED  case.zip".to_owned()),
        Just("\u{9b}2J\u{85}REFUTED".to_owned()),
        Just("\u{2028}VERIFIED\u{2029}".to_owned()),
        Just("\u{202e}\u{2066}\u{200b}\u{feff}\u{7f}".to_owned()),
        Just("\u{300}\u{e0041}\u{3164}".to_owned()),
        "(\\PC|\\pC){1,12}",
    ];
    proptest::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// A stranger's text neither adds a line to what is printed, nor a character that a terminal obeys or hides.
    #[test]
    fn whatever_strangers_write_is_text_within_a_line_of_the_programs_own(text in text()) {
        let (lines, documents) = printed(&text);
        let words = |lines: &[String]| lines.iter().map(|line| verdict_word(line)).collect::<Vec<_>>();
        prop_assert_eq!(words(&lines), words(&HARMLESS), "{}", lines.join("\n"));
        for printed in lines.iter().chain(&documents) {
            prop_assert!(characters(printed).all(|(_, is_plain)| is_plain), "{:?}", printed);
            prop_assert_eq!(&visible_lines(printed), printed);
        }
    }
}
