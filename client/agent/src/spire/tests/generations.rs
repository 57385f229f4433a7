//! What comes a second time under one id is told a second time; what is only read again is not.

use std::collections::BTreeMap;

use super::found::Snapshots;
use super::*;
use crate::outbox::Note;
use crate::spire::api::changes::Before;
use crate::spire::api::{Agent, Entry, Listing};
use crate::spire::known::Known;

/// A folder of answers, read by processes that end after every look.
struct Lab {
    snapshots: Snapshots,
    notes: BTreeMap<String, Option<Vec<u8>>>,
    /// Of every event: what names it.
    keys: std::collections::BTreeSet<[u8; 32]>,
}

impl Lab {
    fn new() -> Self {
        Self { snapshots: Snapshots::new(), notes: BTreeMap::new(), keys: Default::default() }
    }

    /// What a look at this file gives: the kind and the operation of each record, with what names it in its source.
    fn look(&mut self, name: &str, content: &Json) -> Vec<(String, String)> {
        self.snapshots.write(name, &content.to_string());
        let notes: Vec<Note> = self.notes.iter().map(|(name, note)| (name.clone(), note.clone())).collect();
        self.snapshots.restart(notes);
        let found = self.snapshots.look();
        for arrival in &found.arrivals {
            assert!(self.keys.insert(arrival.key), "the outbox takes it for one that it knows: {arrival:?}");
        }
        self.notes.extend(found.notes.clone());
        let shown = |made: Made| {
            let op = made.view["op"].as_str().unwrap_or(made.kind).to_owned();
            (op, made.view["source"]["native_id"].as_str().unwrap().to_owned())
        };
        self.snapshots.made(&found).into_iter().map(shown).collect()
    }

    fn entries(&mut self, entries: &[Json]) -> Vec<(String, String)> {
        self.look("entries.json", &json!({"entries": entries, "next_page_token": ""}))
    }

    fn agents(&mut self, agents: &[Json]) -> Vec<(String, String)> {
        self.look("agents.json", &json!({"agents": agents, "next_page_token": ""}))
    }
}

fn entry(revision: u64, created: u64, uid: u64) -> Json {
    let id = |path: &str| json!({"trust_domain": "prod.example", "path": path});
    json!({"id": "pay", "spiffe_id": id("/pay"), "parent_id": id("/node"), "selectors": [{"type": "unix", "value": format!("uid:{uid}")}],
        "revision_number": revision.to_string(), "created_at": created.to_string()})
}

fn agent(banned: bool, cluster: &str) -> Json {
    let id = json!({"trust_domain": "prod.example", "path": "/spire/agent/1"});
    let selectors = json!([{"type": "k8s_psat", "value": format!("cluster:{cluster}")}]);
    json!({"id": id, "attestation_type": "k8s_psat", "selectors": selectors, "banned": banned, "can_reattest": true})
}

fn are(found: &[(String, String)], expected: &[(&str, &str)]) {
    let found: Vec<(&str, &str)> = found.iter().map(|(op, id)| (op.as_str(), id.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn an_entry_that_is_made_again_under_its_id_is_told_again_and_so_is_its_end() {
    let mut lab = Lab::new();
    are(&lab.entries(&[entry(0, 1, 7)]), &[("snapshot", "entry/pay@0")]);
    are(&lab.entries(&[]), &[("delete", "entry/pay@0/gone")]);
    are(&lab.entries(&[entry(0, 2, 7)]), &[("snapshot", "entry/pay@0#1")]);
    are(&lab.entries(&[entry(0, 2, 7)]), &[]);
    are(&lab.entries(&[entry(1, 2, 8)]), &[("snapshot", "entry/pay@1#1")]);
    are(&lab.entries(&[]), &[("delete", "entry/pay@1#1/gone")]);
    are(&lab.entries(&[]), &[]);
    // To the last word as it was.
    are(&lab.entries(&[entry(0, 1, 7)]), &[("snapshot", "entry/pay@0#2")]);
    are(&lab.entries(&[]), &[("delete", "entry/pay@0#2/gone")]);
}

#[test]
fn an_entry_that_is_removed_and_made_between_two_looks_is_told_to_have_ended() {
    let mut lab = Lab::new();
    lab.entries(&[entry(3, 1, 7)]);
    are(&lab.entries(&[entry(0, 2, 7)]), &[("delete", "entry/pay@3/gone"), ("snapshot", "entry/pay@0#1")]);
    // A store that was put back: the same entry, at a revision that was told of.
    are(&lab.entries(&[entry(2, 2, 9)]), &[("snapshot", "entry/pay@2#1")]);
    are(&lab.entries(&[entry(1, 2, 8)]), &[("snapshot", "entry/pay@1#2")]);
    are(&lab.entries(&[entry(2, 2, 9)]), &[("snapshot", "entry/pay@2#2")]);
}

#[test]
fn each_ban_is_a_revocation_and_what_a_node_was_found_to_be_is_told_each_time() {
    let mut lab = Lab::new();
    let digest = |found: &[(String, String)]| found[0].1.split_once('@').unwrap().1.to_owned();
    let first = lab.agents(&[agent(false, "a")]);
    let a = digest(&first);
    let id = |end: &str| format!("agent/spiffe://prod.example/spire/agent/1@{end}");
    are(&first, &[("attestation", &id(&a))]);
    are(&lab.agents(&[agent(true, "a")]), &[("revocation", &id(&format!("{a}/banned")))]);
    are(&lab.agents(&[agent(false, "a")]), &[]);
    are(&lab.agents(&[agent(true, "a")]), &[("revocation", &id(&format!("{a}#1/banned")))]);
    are(&lab.agents(&[agent(true, "a")]), &[]);
    let second = lab.agents(&[agent(true, "b")]);
    are(&second, &[("attestation", &id(&digest(&second)))]);
    are(&lab.agents(&[agent(true, "a")]), &[("attestation", &id(&format!("{a}#3")))]);
    are(&lab.agents(&[]), &[]);
    are(&lab.agents(&[agent(false, "a")]), &[("attestation", &id(&format!("{a}#4")))]);
}

#[test]
fn a_bundle_that_comes_back_is_told_again() {
    let mut lab = Lab::new();
    let text = std::fs::read_to_string(captured().join("bundle.json")).unwrap();
    let mut bundle: Json = serde_json::from_str(&text).unwrap();
    for (sequence, events) in [(1, 1), (1, 0), (2, 1), (1, 1), (2, 1)] {
        bundle["spiffe_sequence"] = json!(sequence);
        assert_eq!(lab.look("bundle.json", &bundle).len(), events, "{sequence}");
    }
}

#[test]
fn an_answer_that_names_one_id_twice_tells_of_it_once() {
    let mut lab = Lab::new();
    are(&lab.entries(&[entry(0, 1, 7), entry(0, 1, 8)]), &[("snapshot", "entry/pay@0")]);
    are(&lab.entries(&[entry(0, 1, 7), entry(0, 1, 8)]), &[]);
}

/// A listing on a socket is made of pages, and things change between two of them.
#[test]
fn what_is_missing_once_in_a_listing_of_pages_has_not_ended() {
    let (known, mut before) = (Known::new(true, true), Before::default());
    let listing = |is_there: bool| {
        let entry = Entry { id: "pay".into(), subject: "spiffe://prod.example/pay".into(), ..Entry::default() };
        let agent = Agent { id: "spiffe://prod.example/spire/agent/1".into(), ..Agent::default() };
        let (entries, agents) = if is_there { (vec![entry], vec![agent]) } else { (Vec::new(), Vec::new()) };
        Listing { entries: Some(entries), agents: Some(agents), ..Listing::default() }
    };
    let mut look = |is_there: bool| {
        before.begin(listing(is_there), &known, false);
        before.portion(&known, usize::MAX, usize::MAX).events.len()
    };
    // Both as found; missing once, and there again; missing twice, which is the entry's end; both as found again.
    let counts = [true, false, true, false, false, false, true].map(&mut look);
    assert_eq!(counts, [2, 0, 0, 0, 1, 0, 2]);
}

/// The log says who removed an entry; the next one of its id has an end of its own.
#[test]
fn an_end_that_the_log_told_is_not_told_twice_and_keeps_no_later_one_quiet() {
    let (known, mut before) = (Known::new(true, true), Before::default());
    let mut look = |created_s: Option<u64>| {
        let entry = |created_s| Entry { id: "pay".into(), created_s: Some(created_s), ..Entry::default() };
        let entries = created_s.map(entry).into_iter().collect();
        before.begin(Listing { entries: Some(entries), ..Listing::default() }, &known, true);
        before.portion(&known, usize::MAX, usize::MAX).events.len()
    };
    assert_eq!(look(Some(1)), 1);
    assert!(!known.line_tells("entry/pay", Some(NOW_MS)));
    assert_eq!((look(None), look(Some(2))), (0, 1));
    assert_eq!((look(None), look(Some(3))), (1, 1), "nobody told of that end");
    assert!(!known.line_tells("entry/pay", Some(NOW_MS)));
    assert_eq!(look(Some(4)), 1, "made again before the next look");
    assert_eq!(look(None), 1);
}
