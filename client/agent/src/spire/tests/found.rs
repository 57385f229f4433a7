//! Recorded answers that change, are cut off, or are none.

use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime};

use super::*;
use crate::feed::Found;
use crate::outbox::Note;

pub(super) struct Snapshots {
    dir: tempfile::TempDir,
    settings: Arc<Settings>,
    pub(super) feeds: Vec<Box<dyn Feed>>,
    written: u64,
}

impl Snapshots {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(None, Some(dir.path()));
        let feeds = feeds(&settings);
        Self { dir, settings, feeds, written: 0 }
    }

    /// Writes a file, later than the last.
    pub(super) fn write(&mut self, name: &str, content: &str) {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        self.written += 1;
        let later = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_320_000 + self.written);
        std::fs::File::options().write(true).open(path).unwrap().set_modified(later).unwrap();
    }

    pub(super) fn look(&mut self) -> Found {
        self.feeds[0].read(NOW_MS).unwrap()
    }

    /// Goes on as another process, which knows what is noted.
    pub(super) fn restart(&mut self, notes: Vec<Note>) {
        self.feeds = feeds(&self.settings);
        self.feeds[0].resume(None).unwrap();
        self.feeds[0].recall(notes).unwrap();
    }

    pub(super) fn made(&self, found: &Found) -> Vec<Made> {
        made(&self.settings, &found.arrivals)
    }

    fn read(&mut self) -> Result<Vec<Made>, String> {
        let found = self.feeds[0].read(NOW_MS).map_err(|error| error.to_string())?;
        Ok(self.made(&found))
    }
}

fn entries(change: impl FnOnce(&mut Vec<Json>)) -> String {
    let text = std::fs::read_to_string(captured().join("entries.json")).unwrap();
    let mut page: Json = serde_json::from_str(&text).unwrap();
    change(page["entries"].as_array_mut().unwrap());
    page.to_string()
}

fn shown(made: &[Made]) -> Vec<(&str, String, String)> {
    let text = |made: &Made, name: &str| made.view[name].as_str().unwrap_or_default().to_owned();
    made.iter().map(|made| (made.kind, text(made, "op"), text(made, "subject"))).collect()
}

/// As copies are made that keep times: no longer than the one before, and no younger.
#[test]
fn a_file_that_is_written_over_and_made_as_old_as_it_was_is_read_again() {
    let mut snapshots = Snapshots::new();
    let of = |id: &str| {
        entries(|entries| {
            entries.truncate(1);
            entries[0]["id"] = json!(id);
        })
    };
    snapshots.write("entries.json", &of("a"));
    assert_eq!(snapshots.look().arrivals.len(), 1);
    assert_eq!(snapshots.look().arrivals, []);
    let path = snapshots.dir.path().join("entries.json");
    let changed = || std::fs::metadata(&path).map(|found| (found.ctime(), found.ctime_nsec())).unwrap();
    let before = changed();
    // Clocks of file systems have steps.
    while changed() == before {
        snapshots.written -= 1;
        snapshots.write("entries.json", &of("b"));
    }
    assert_eq!(snapshots.look().arrivals.len(), 2, "one is gone, another is there");
}

#[test]
fn entries_are_recorded_once_for_each_revision_and_when_they_are_gone() {
    let mut snapshots = Snapshots::new();
    snapshots.write("entries.json", &entries(|_| {}));
    let first = snapshots.read().unwrap();
    assert_eq!(first.len(), 4);
    assert!(first.iter().all(|made| made.view["op"] == "snapshot" && made.view["assurance"] == "scraped"));
    assert_eq!(snapshots.read().unwrap().len(), 0, "the file is the same");
    snapshots.write("entries.json", &entries(|entries| entries.reverse()));
    assert_eq!(snapshots.read().unwrap().len(), 0, "the entries are the same");
    let changed = entries(|entries| {
        entries.remove(1);
        entries[0]["revision_number"] = json!("1");
        entries[0]["selectors"] =
            json!([{"type": "docker", "value": "env:TOKEN=secret"}, {"type": "unix", "value": "uid:7"}]);
    });
    snapshots.write("entries.json", &changed);
    let second = snapshots.read().unwrap();
    let expected = [
        ("registration", "snapshot".to_owned(), "spiffe://prod.example/ledger".to_owned()),
        ("registration", "delete".to_owned(), "spiffe://prod.example/node/n1".to_owned()),
    ];
    assert_eq!(shown(&second), expected);
    assert_eq!(second[0].view["revision"], 1);
    assert!(!second[0].view.to_string().contains("secret"));
    assert_eq!(second[0].openings, 1);
}

#[test]
fn the_end_of_an_entry_says_whose_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("server.log");
    std::fs::write(&log, "{}\n").unwrap();
    std::fs::write(dir.path().join("entries.json"), entries(|_| {})).unwrap();
    let settings = settings(Some(&log), Some(dir.path()));
    let mut feeds = feeds(&settings);
    read_all(&mut feeds);
    // It is missed before the log tells of it.
    std::fs::write(dir.path().join("entries.json"), entries(|entries| drop(entries.remove(0)))).unwrap();
    let gone = made(&settings, &feeds[0].read(NOW_MS).unwrap().arrivals);
    let line = audit(&[
        ("service", json!("entry.v1.Entry")),
        ("method", json!("BatchDeleteEntry")),
        ("entry_id", json!("de7359ec-f408-4e34-9f58-4c157b151672")),
        ("spiffe_id", Json::Null),
        ("authorized_as", json!("local")),
    ]);
    std::fs::write(&log, format!("{{}}\n{line}\n")).unwrap();
    let told = made(&settings, &feeds[1].read(NOW_MS).unwrap().arrivals);
    let ledger = "spiffe://prod.example/ledger";
    let subjects: Vec<Option<&str>> = gone.iter().chain(&told).map(|made| made.sub.as_deref()).collect();
    // What was found is its end; the line adds who removed it.
    assert_eq!(subjects, [Some(ledger); 2]);
    let digest = &made(&settings, &read_all(&mut crate::spire::feeds(&self::settings(None, Some(&captured())))))[0]
        .view["entry_digest"];
    assert_eq!((told[0].kind, &told[0].view["links"][0]["target"]["handle"][1]), ("revocation", digest));
}

#[test]
fn what_was_found_is_known_to_the_next_process() {
    let mut snapshots = Snapshots::new();
    snapshots.write("entries.json", &entries(|_| {}));
    let notes = snapshots.feeds[0].read(NOW_MS).unwrap().notes;
    assert_eq!(notes.len(), 4);
    let mut next = feeds(&snapshots.settings);
    next[0].resume(None).unwrap();
    next[0].recall(notes).unwrap();
    let found = next[0].read(NOW_MS).unwrap();
    assert_eq!((found.arrivals, found.place, found.notes), (vec![], None, vec![]));
    assert!(next[0].resume(Some(b"{")).is_err());
    assert!(next[0].recall(vec![("entry/e".to_owned(), Some(b"{".to_vec()))]).is_err());
}

#[test]
fn agents_are_recorded_with_what_they_were_found_to_be_and_when_they_are_banned() {
    let agents = |banned: bool, value: &str| {
        let id = json!({"trust_domain": "prod.example", "path": "/spire/agent/k8s_psat/c/1"});
        let selectors = json!([{"type": "k8s_psat", "value": value}, {"type": "k8s_psat", "value": "agent_node_label:owner:alice"}]);
        let agent = json!({"id": id, "attestation_type": "k8s_psat", "selectors": selectors, "banned": banned, "can_reattest": true, "x509svid_serial_number": "7"});
        json!({"agents": [agent], "next_page_token": ""}).to_string()
    };
    let mut snapshots = Snapshots::new();
    snapshots.write("agents.json", &agents(false, "cluster:c"));
    let [made] = &snapshots.read().unwrap()[..] else { panic!("one agent") };
    assert_eq!((&made.view["method"], &made.view["strength"]), (&json!("k8s_psat"), &json!("platform-signed")));
    let values: Vec<&Json> =
        made.view["selectors"].as_array().unwrap().iter().map(|selector| &selector["value"]).collect();
    assert!(values.contains(&&json!("cluster:c")) && !made.view.to_string().contains("alice"));
    snapshots.write("agents.json", &agents(true, "cluster:c"));
    let banned = snapshots.read().unwrap();
    assert_eq!((banned.len(), banned[0].kind), (1, "revocation"));
    assert_eq!(banned[0].view["target"], json!({"id": "spiffe://prod.example/spire/agent/k8s_psat/c/1"}));
    snapshots.write("agents.json", &agents(true, "cluster:d"));
    assert_eq!(snapshots.read().unwrap()[0].kind, "attestation");
}

#[test]
fn bundles_and_authorities_are_recorded_once() {
    let mut snapshots = Snapshots::new();
    let bundle = std::fs::read_to_string(captured().join("bundle.json")).unwrap();
    snapshots.write("bundle.json", &bundle);
    snapshots.write(
        "localauthority-x509.json",
        &std::fs::read_to_string(captured().join("localauthority-x509.json")).unwrap(),
    );
    let records = snapshots.read().unwrap();
    let [federation, key] = &records[..] else { panic!("{records:?}") };
    assert_eq!(
        (&federation.view["op"], &federation.view["sequence"], &federation.view["own"]),
        (&json!("observe"), &json!(1), &json!(true))
    );
    let keys = federation.view["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    let x509 = keys.iter().find(|key| key["use"] == "x509-svid").unwrap();
    assert_eq!((&x509["key_id"], &key.view["op"]), (&key.view["key_id"], &json!("active")));
    assert!(keys.iter().all(|key| key["spki_s256"].is_string()));
    // Written in another way, it is the same bundle; with another number, another.
    let mut other: Json = serde_json::from_str(&bundle).unwrap();
    other["keys"].as_array_mut().unwrap().reverse();
    snapshots.write("bundle.json", &other.to_string());
    assert_eq!(snapshots.read().unwrap().len(), 0);
    other["spiffe_sequence"] = json!(2);
    snapshots.write("bundle.json", &other.to_string());
    assert_eq!(snapshots.read().unwrap()[0].view["sequence"], 2);
}

#[test]
fn a_file_that_is_none_is_named_and_the_others_are_read() {
    let mut snapshots = Snapshots::new();
    let error = snapshots.read().unwrap_err();
    assert!(error.contains("entries.json") && error.contains("waited for"), "{error}");
    let whole = entries(|_| {});
    for wrong in [
        &whole[..whole.len() / 2],
        "",
        "[]",
        "{\"entries\":[{\"revision_number\":\"alice\"}]}",
        "{\"entries\":[],\"next_page_token\":\"alice\"}",
    ] {
        snapshots.write("entries.json", wrong);
        snapshots.write("agents.json", r#"{"agents":[],"next_page_token":""}"#);
        assert_eq!(snapshots.read().unwrap().len(), 0);
        let error = snapshots.read().unwrap_err();
        assert!(error.contains("entries.json") && !error.contains("alice"), "{error}");
    }
    snapshots.write("entries.json", &whole);
    assert_eq!(snapshots.read().unwrap().len(), 4, "nothing was lost by it");
}

#[test]
fn an_entry_of_another_trust_domain_is_no_entry_of_this_server() {
    let mut snapshots = Snapshots::new();
    snapshots
        .write("entries.json", &entries(|entries| entries[0]["spiffe_id"]["trust_domain"] = json!("other.example")));
    let found = snapshots.feeds[0].read(NOW_MS).unwrap();
    let refused: Vec<String> =
        found.arrivals.iter().filter_map(|arrival| make(&snapshots.settings, arrival).err()).collect();
    assert_eq!(refused, ["spiffe_id: should be a SPIFFE ID with a path, of the configured trust domain"]);
}

#[test]
fn a_log_is_read_although_nobody_can_be_asked() {
    let settings = settings(Some(&captured().join("server.log")), Some(Path::new("/nowhere")));
    let mut feeds = feeds(&settings);
    let follow = &mut feeds[1];
    let rounds = (0..200).map(|_| follow.read(NOW_MS).unwrap().arrivals.len()).collect::<Vec<_>>();
    assert!(rounds[..100].iter().all(|found| *found == 0), "the server may still be asked");
    let later = follow.read(NOW_MS + 60_000).unwrap().arrivals.len();
    assert_eq!(rounds.iter().sum::<usize>() + later, 24);
}
