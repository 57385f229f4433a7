//! A server whose log is read and that is asked what it has, as is recommended: what both tell of is recorded once, whichever is ahead, and
//! whatever ends the process between them.

use super::cuts::{kept, read};
use super::lines::called;
use super::*;
use crate::outbox::Outbox;
use crate::spire::api::changes::Before;
use crate::spire::api::{Agent, Listing};
use crate::spire::known::Known;
use crate::spire::log::Reading;

const AGENT: &str = "spiffe://prod.example/spire/agent/1";

/// A log and a folder of answers. Every look at them is another process's.
struct Lab {
    dir: tempfile::TempDir,
    settings: Arc<Settings>,
    outbox: Outbox,
    looks: u64,
}

impl Lab {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(Some(&dir.path().join("server.log")), Some(dir.path()));
        let outbox = Outbox::open(&dir.path().join("outbox"), "log.example.org", "spiffe://prod.example/me").unwrap();
        let lab = Self { dir, settings, outbox, looks: 0 };
        std::fs::write(lab.dir.path().join("server.log"), "").unwrap();
        lab.put("agents", &[]);
        lab.put("entries", &[]);
        lab
    }

    fn put(&self, what: &str, items: &[Json]) {
        let page = json!({what: items, "next_page_token": ""});
        std::fs::write(self.dir.path().join(format!("{what}.json")), page.to_string()).unwrap();
    }

    fn agents(&mut self, agents: &[Json]) -> Vec<String> {
        self.put("agents", agents);
        self.look()
    }

    fn entries(&mut self, entries: &[Json]) -> Vec<String> {
        self.put("entries", entries);
        self.look()
    }

    /// Another line is written, of this second.
    fn line(&mut self, service: &str, method: &str, about: (&str, &str), second: u64) -> Vec<String> {
        let time = json!(format!("2026-11-22T04:{:02}:{:02}Z", 8 + second / 60, second % 60));
        let line = called(
            service,
            method,
            &[(about.0, json!(about.1)), ("time", time), ("request_id", json!(format!("r-{second}")))],
        );
        let log = self.dir.path().join("server.log");
        let before = std::fs::read_to_string(&log).unwrap();
        std::fs::write(&log, format!("{before}{line}\n")).unwrap();
        self.look()
    }

    fn ban(&mut self, second: u64) -> Vec<String> {
        self.line("agent.v1.Agent", "BanAgent", ("spiffe_id", AGENT), second)
    }

    fn remove(&mut self, second: u64) -> Vec<String> {
        self.line("entry.v1.Entry", "BatchDeleteEntry", ("entry_id", "pay"), second)
    }

    /// The forms of what is found that was not before; the log is read behind the answers, once.
    fn look(&mut self) -> Vec<String> {
        self.looks += 1;
        let before = kept(&self.outbox);
        read(&self.settings, &self.outbox, 1);
        let after = kept(&self.outbox);
        let new = after.iter().filter(|(key, _)| !before.contains_key(*key));
        let mut forms: Vec<String> = new.map(|(_, content)| content.event().unwrap().0.to_owned()).collect();
        forms.sort();
        forms
    }
}

fn agent(banned: bool) -> Json {
    let id = json!({"trust_domain": "prod.example", "path": "/spire/agent/1"});
    json!({"id": id, "attestation_type": "x509pop", "selectors": [], "banned": banned})
}

fn entry(created: u64) -> Json {
    let id = |path: &str| json!({"trust_domain": "prod.example", "path": path});
    json!({"id": "pay", "spiffe_id": id("/pay"), "parent_id": id("/node"), "selectors": [], "created_at": created.to_string()})
}

#[test]
fn each_ban_is_one_revocation_whichever_is_read_first() {
    let mut lab = Lab::new();
    assert_eq!(lab.agents(&[agent(false)]), ["found-agent"]);
    assert_eq!(lab.ban(0), ["revocation"]);
    assert_eq!(lab.agents(&[agent(true)]), [""; 0], "the log told of it");
    assert_eq!(lab.agents(&[]), [""; 0]);
    assert_eq!(lab.agents(&[agent(false)]), ["found-agent"]);
    assert_eq!(lab.agents(&[agent(true)]), ["banned-agent"], "another ban");
    assert_eq!(lab.ban(1), [""; 0], "it is told of");
    assert_eq!(lab.look(), [""; 0]);
    assert_eq!(lab.agents(&[agent(false)]), [""; 0]);
    // Twice between two looks.
    assert_eq!((lab.ban(2), lab.ban(3)), (vec!["revocation".to_owned()], vec!["revocation".to_owned()]));
    assert_eq!(lab.agents(&[agent(true)]), [""; 0]);
}

#[test]
fn a_ban_that_no_line_told_keeps_no_later_one_quiet() {
    let mut lab = Lab::new();
    lab.agents(&[agent(false)]);
    assert_eq!(lab.agents(&[agent(true)]), ["banned-agent"]);
    lab.agents(&[agent(false)]);
    let hour = 52 * 60 - 1;
    assert_eq!(lab.ban(hour), ["revocation"], "long after what was found");
}

#[test]
fn each_end_of_an_entry_is_told_once_whichever_is_read_first() {
    let mut lab = Lab::new();
    assert_eq!(lab.entries(&[entry(1)]), ["found-entry"]);
    assert_eq!(lab.remove(0), ["registration", "revocation"]);
    assert_eq!(lab.entries(&[]), [""; 0], "the log told of it");
    assert_eq!(lab.entries(&[entry(2)]), ["found-entry"]);
    assert_eq!(lab.entries(&[]), ["gone-entry"], "another end");
    assert_eq!(lab.remove(1), ["revocation"], "what was found tells of no revocation");
    assert_eq!(lab.entries(&[entry(3)]), ["found-entry"]);
    assert_eq!(lab.entries(&[entry(4)]), ["found-entry", "gone-entry"], "made again between two looks");
    assert_eq!(lab.remove(2), ["revocation"]);
    assert_eq!(lab.remove(3), ["registration", "revocation"]);
    assert_eq!(lab.entries(&[]), [""; 0]);
}

/// On a socket what is listed now is listed again: the line that says who banned it has time to come.
#[test]
fn a_ban_in_a_listing_of_pages_waits_for_its_line_once() {
    let (known, mut before, mut reading) = (Known::new(true, true), Before::default(), Reading::default());
    let mut look = |banned| {
        let agent = Agent { id: AGENT.into(), banned, ..Agent::default() };
        before.begin(Listing { agents: Some(vec![agent]), ..Listing::default() }, &known, false);
        known.asked(NOW_MS);
        before.portion(&known, usize::MAX, usize::MAX).events.len()
    };
    let mut ban = |request: &str| {
        let line = called("agent.v1.Agent", "BanAgent", &[("spiffe_id", json!(AGENT)), ("request_id", json!(request))]);
        reading.line(line.as_bytes(), &known, NOW_MS).len()
    };
    assert_eq!([look(false), look(true), ban("1"), look(true), look(true)], [1, 0, 1, 0, 0]);
    assert_eq!([look(false), look(true), look(true), ban("2"), look(true)], [0, 0, 1, 0, 0], "the log is behind");
    assert_eq!([look(false), look(true), look(false), look(true), ban("3"), look(true)], [0, 0, 0, 0, 1, 0]);
}

/// A server is the same wherever it is asked: what was noted of it is known, and the second ban is another than the first.
#[test]
fn what_is_remembered_of_a_server_is_known_when_it_is_asked_elsewhere() {
    let mut lab = Lab::new();
    lab.settings = settings(None, Some(lab.dir.path()));
    lab.agents(&[agent(false)]);
    assert_eq!(lab.agents(&[agent(true)]), ["banned-agent"]);
    lab.dir = tempfile::tempdir().unwrap();
    lab.settings = settings(None, Some(lab.dir.path()));
    assert_eq!(lab.agents(&[agent(true)]), [""; 0]);
    assert_eq!(lab.agents(&[agent(false)]), [""; 0]);
    assert_eq!(lab.agents(&[agent(true)]), ["banned-agent"]);
}
