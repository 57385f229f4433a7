//! A large server is told of in portions, whatever ends the process between them.

use std::collections::{BTreeMap, BTreeSet};

use super::cuts::{kept, read};
use super::found::Snapshots;
use super::*;
use crate::outbox::Outbox;
use crate::spire::api::changes::Before;
use crate::spire::api::{Agent, Listing};
use crate::spire::known::Known;

/// What `spire-server entry show` writes of so many entries.
fn listing(ids: impl Iterator<Item = u32>) -> String {
    let entry = |id| {
        format!(
            r#"{{"id":"e-{id}","spiffe_id":{{"trust_domain":"prod.example","path":"/w/{id}"}},"parent_id":{{"trust_domain":"prod.example","path":"/node"}},"selectors":[{{"type":"unix","value":"uid:{id}"}}],"revision_number":"0"}}"#
        )
    };
    let entries: Vec<String> = ids.map(entry).collect();
    format!(r#"{{"entries":[{}],"next_page_token":""}}"#, entries.join(","))
}

#[test]
fn fifty_thousand_entries_are_never_one_write_and_each_is_told_once_however_often_the_process_ends() {
    let mut snapshots = Snapshots::new();
    snapshots.write("entries.json", &listing(0..ALL));
    let (mut notes, mut keys, mut rounds) = (BTreeMap::new(), BTreeSet::new(), 0_u32);
    loop {
        let found = snapshots.look();
        assert!(found.arrivals.len() <= 500 && found.notes.len() <= 500, "{}", found.arrivals.len());
        rounds += 1;
        // Killed before this was kept, and, a round later, behind that.
        if rounds == 40 {
            snapshots.restart(noted(&notes));
            continue;
        }
        for arrival in &found.arrivals {
            assert!(keys.insert(arrival.key), "twice: {arrival:?}");
        }
        notes.extend(found.notes);
        if rounds == 41 {
            snapshots.restart(noted(&notes));
        } else if !found.more {
            break;
        }
    }
    assert_eq!((keys.len(), notes.len(), rounds), (ALL as usize, ALL as usize, ALL / 500 + 1));
    // All but ten are removed at once: that is told in portions as well.
    snapshots.write("entries.json", &listing(0..10));
    let mut gone = 0;
    loop {
        let found = snapshots.look();
        assert!(found.arrivals.len() <= 500);
        gone += found.arrivals.len();
        if !found.more {
            break;
        }
    }
    assert_eq!(gone, ALL as usize - 10);
}

fn noted(notes: &BTreeMap<String, Option<Vec<u8>>>) -> Vec<crate::outbox::Note> {
    notes.iter().map(|(name, note)| (name.clone(), note.clone())).collect()
}

#[test]
fn the_outbox_keeps_a_portion_with_its_notes_and_each_process_goes_on_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(None, Some(dir.path()));
    std::fs::write(dir.path().join("entries.json"), listing(0..1_200)).unwrap();
    let outbox = Outbox::open(&dir.path().join("outbox"), "log.example.org", "spiffe://prod.example/agent").unwrap();
    let counts: Vec<usize> = (0..4).map(|_| (read(&settings, &outbox, 1), kept(&outbox).len()).1).collect();
    assert_eq!(counts, [500, 1_000, 1_200, 1_200]);
}

#[test]
fn what_an_earlier_version_remembered_in_one_place_is_known_and_noted() {
    let mut snapshots = Snapshots::new();
    snapshots.write("entries.json", &listing(0..3));
    let mut page = crate::spire::api::Listing::default();
    crate::spire::api::snapshot::File::Entries.read(listing(0..2).as_bytes(), "prod.example", &mut page).unwrap();
    let was = |entry: &crate::spire::api::Entry| {
        let was = json!({"revision": entry.revision, "digest": entry.digest().to_string(), "subject": entry.subject});
        (entry.id.clone(), was)
    };
    let entries: BTreeMap<String, Json> = page.entries.unwrap().iter().map(was).collect();
    let place = json!({"entries": entries, "agents": {"spiffe://prod.example/a": "d"}, "banned": [], "bundles": {"prod.example": "d"}, "authorities": ["authority/x/y/active"]});
    snapshots.feeds[0].resume(Some(place.to_string().as_bytes())).unwrap();
    let found = snapshots.look();
    assert_eq!((found.arrivals.len(), found.notes.len()), (1, 6), "the third entry alone is new");
    snapshots.feeds[0].resume(found.place.as_deref()).unwrap();
    snapshots.restart(found.notes);
    assert_eq!(snapshots.look().arrivals, []);
}

/// What ends without a record, as agents do, is noted in portions as well.
#[test]
fn what_is_only_noted_is_noted_in_portions() {
    let (known, mut before) = (Known::new(true, false), Before::default());
    let agent = |number| Agent { id: format!("spiffe://prod.example/spire/agent/{number}"), ..Agent::default() };
    let listing = |many: u32| Listing { agents: Some((0..many).map(agent).collect()), ..Listing::default() };
    let mut notes = |many: u32| {
        before.begin(listing(many), &known, true);
        let mut counts = Vec::new();
        while !before.is_done() {
            counts.push(before.portion(&known, 500, usize::MAX).notes.len());
        }
        counts
    };
    assert_eq!(notes(1_200), [500, 500, 200]);
    let ended = notes(0);
    // One is a note of its own, and may be the end of an older one's.
    assert!(ended.len() > 2 && ended.iter().all(|count| *count <= 502), "{ended:?}");
}

const ALL: u32 = 50_000;
