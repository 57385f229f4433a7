//! A responder with a trace id and a log that real systems fed: from there to a file that is handed over, and what others make of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use govlog_formats::record::{Record, Recorded};
use govlog_formats::statement::SignedStatement;
use harness::agent::{ENVOY, QUICK, group};
use harness::network::Plan;
use harness::opa::Sources;
use harness::process::Ended;
use harness::reader::{Reader, new_key};
use harness::wait::{SOON, until};
use harness::{Ledger, check};
use serde_json::Value;

use super::Scene;
use super::feeds::Sources as Feeds;
use crate::NODE;

/// What was captured becomes so many statements of each kind; some lines of the access log are there twice.
const CAPTURED: [(&str, usize); 8] = [
    ("decision", 591),
    ("effect", 621),
    ("issuance", 10),
    ("observation", 6),
    ("registration", 10),
    ("signing-key", 7),
    ("policy", 2),
    ("attestation", 2),
];
const DESK: &str = "https://response.example/desk";

pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(super) fn document(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr))
}

/// A log with everything that was captured: decisions, effects, identities, credentials, policies.
pub(super) fn captured() -> Scene {
    let groups = group("/b/v1", &[ENVOY]) + &group("/a/v1", &[ENVOY]);
    let mut scene = Scene::with(Plan::new(NODE).witnesses(3, 2), &Feeds::tables_after(&(QUICK.to_owned() + &groups)));
    let mut feeds = Feeds::new(&scene);
    scene.start();
    // Decisions name the bundle that the agent knows to be in force.
    until("the first bundle", SOON, || kinds(&scene).contains_key("policy").then_some(()));
    scene.upload_capture(&mut Sources::captured(1));
    feeds.rest();
    // All of it: whoever asks a log that still grows is told of more than was looked at before.
    until("what was captured", SOON, || {
        scene.agent.drained(SOON);
        let kinds = kinds(&scene);
        CAPTURED.iter().all(|(kind, count)| kinds.get(*kind) == Some(count)).then_some(())
    });
    scene
}

pub(super) fn statements(scene: &Scene) -> Vec<SignedStatement> {
    let checked = check::log(&scene.network.log, &Ledger::default()).unwrap();
    checked.entries.iter().map(|entry| SignedStatement::parse_entry(entry).unwrap()).collect()
}

/// How many statements of each kind the log has.
fn kinds(scene: &Scene) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    statements(scene).iter().for_each(|statement| *kinds.entry(statement.kind().to_owned()).or_default() += 1);
    kinds
}

/// The trace of a decision whose effect and policy are logged, too, and that a certificate was shown for.
pub(super) fn trace(scene: &Scene) -> String {
    let records: Vec<Record> = statements(scene)
        .iter()
        .filter_map(|statement| Record::parse(statement.kind(), statement.payload()).ok())
        .collect();
    let trace = |record: &Record| match record.body()?.text(&["trace_id"]) {
        Recorded::Present(trace) => Some(trace.to_owned()),
        _ => None,
    };
    let effects: BTreeSet<String> =
        records.iter().filter(|record| record.kind() == "effect").filter_map(trace).collect();
    let is_known = |record: &&Record| {
        let Record::Decision(decision) = record else { return false };
        let is_governed = decision.body().links().iter().any(|link| link.rel == "governed_by");
        decision.credential().present().is_some() && is_governed
    };
    let decided = records.iter().filter(is_known).filter_map(trace);
    decided.filter(|trace| effects.contains(trace)).min().unwrap()
}

/// Somebody who has the log's policy and entry 0, and nothing else.
struct Desk<'s> {
    scene: &'s Scene,
    reader: Reader,
    key: PathBuf,
}

impl<'s> Desk<'s> {
    fn admitted(scene: &'s Scene) -> Self {
        let (network, reader) = (&scene.network, Reader::of(&scene.network, "responder"));
        let (key, operator) = (new_key(network, "desk.key", "p256"), network.log.dir.join("operator.key"));
        let public = key.with_extension("key.pub");
        let url = network.log.url();
        let change = ["admission", "add", "--log", &url, "--key", text(&operator), "--iss", DESK];
        let row = ["--pub", text(&public), "--kinds", "custody", "--subjects", DESK];
        reader.trusting(&[&change[..], &row].concat()).expect(0);
        Self { scene, reader, key }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scene.network.path(name)
    }

    /// Exports by a scan.
    fn export(&self, name: &str, more: &[&str]) -> Ended {
        self.collect(name, &[more, &["--complete"]].concat())
    }

    fn collect(&self, name: &str, more: &[&str]) -> Ended {
        let (url, out) = (self.scene.network.log.url(), self.path(name));
        let command = ["custody", "export", "--log", &url, "--out", text(&out), "--json"];
        self.reader.trusting(&[&command[..], more].concat())
    }

    /// Logs what is done with the file of the case, and gives the record that lies beside it.
    fn step(&self, op: &str, more: &[&str]) -> Vec<u8> {
        let (url, file) = (self.scene.network.log.url(), self.path("case.zip"));
        let command = ["custody", op, text(&file), "--log", &url, "--key", text(&self.key), "--iss", DESK];
        self.reader.trusting(&[&command[..], more].concat()).expect(0);
        std::fs::read(self.path(&format!("case.{op}.cose"))).unwrap()
    }

    fn verify(&self, reader: &Reader, name: &str, more: &[&str]) -> (Ended, Value) {
        let path = self.path(name);
        let ended = reader.trusting(&[&["custody", "verify", text(&path), "--json"], more].concat());
        let document = document(&ended);
        (ended, document)
    }
}

#[test]
fn from_a_trace_id_to_a_file_that_is_handed_over_and_stands_alone() {
    let scene = captured();
    let desk = Desk::admitted(&scene);
    let trace = trace(&scene);
    let asked = ["--trace", &trace, "--collector", "responder-7", "--purpose", "case 2031"];

    let made = desk.export("case.zip", &asked);
    made.expect(0);
    let size = document(&made)["size"].to_string();
    // The log goes on, and at that checkpoint the file stays what it is.
    desk.step("hand-over", &["--recipient", "counsel-3"]);
    desk.export("again.zip", &[&asked[..], &["--at", &size]].concat()).expect(0);
    let bytes = |name: &str| std::fs::read(desk.path(name)).unwrap();
    assert!(bytes("case.zip") == bytes("again.zip"), "the same query at the same checkpoint gives the same bytes");
    desk.export("nothing.zip", &["--trace", &"0".repeat(32)]).expect(5);
    assert!(!desk.path("nothing.zip").exists());

    // Whoever gets it has the log's policy and entry 0.
    let court = Reader::of(&scene.network, "court");
    let handed = desk.path("case.hand-over.cose");
    let (ended, verdict) = desk.verify(&court, "case.zip", &[]);
    ended.expect(0);
    assert_eq!(verdict["verdict"], "verified");
    let kinds: BTreeSet<&str> =
        verdict["entries"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    for kind in [
        "decision",
        "effect",
        "issuance",
        "registration",
        "attestation",
        "signing-key",
        "observation",
        "stream",
        "policy",
    ] {
        assert!(kinds.contains(kind), "{kind}: {:#}", verdict);
    }
    let entries = verdict["entries"].as_array().unwrap();
    assert!(
        entries.iter().all(|entry| entry["receipt"] == true && entry["logged_no_later_than_s"].is_u64()),
        "{verdict:#}"
    );
    assert!(verdict["not_proved"].as_array().unwrap()[0].as_str().unwrap().starts_with("completeness"));
    court.verify(&[desk.path("case.zip")]).expect(0);
    // The hand-over was signed by somebody whom only a later change of the admission policy lets in.
    desk.verify(&desk.reader, "case.zip", &["--record", text(&handed)]).0.expect(0);

    let held = desk.step("hold", &["--case", "2031", "--until", "2031-01-01"]);
    let record = SignedStatement::parse(&held).unwrap();
    let Ok(Record::Custody(record)) = Record::parse(record.kind(), record.payload()) else { panic!() };
    assert_eq!(record.entries().len(), entries.len(), "a hold names every entry");
    desk.step("release", &["--case", "2031"]);
    desk.step("acknowledge", &["--recipient", "counsel-3"]);
    recorded(&desk, &asked);
    altered(&desk, &court);
    stock_tools(&desk);
}

/// Whatever a matter starts from, the index leads to what a scan finds.
#[test]
fn an_index_leads_to_what_a_scan_finds_from_every_thing_in_hand() {
    let scene = captured();
    let desk = Desk::admitted(&scene);
    let pem = Path::new(env!("CARGO_MANIFEST_DIR")).join("../client/agent/tests/data/capture/spire/ledger-1.pem");
    let policy = statements(&scene).into_iter().find(|statement| statement.kind() == "policy").unwrap();
    let Ok(Record::Policy(policy)) = Record::parse("policy", policy.payload()) else { panic!() };
    let digest = policy.body().scheme_digest(&["policy_digest"]).present().unwrap();
    let digest: String = digest.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let registration = statements(&scene).iter().position(|statement| statement.kind() == "registration").unwrap();
    let registration = format!("1.{registration}");
    let decision = said(&scene, "effect", &["decision_id"]);
    let (subject, entry) = (said(&scene, "registration", &["subject"]), said(&scene, "registration", &["entry_id"]));
    let enforcer = statements(&scene).into_iter().find(|statement| statement.kind() == "effect").unwrap();
    let enforcer = enforcer.claims().iss.clone();
    let effect = statements(&scene).iter().position(|statement| statement.kind() == "effect").unwrap();
    let effect = format!("1.{effect}");
    let matters: [&[&str]; 12] = [
        &["--decision", &decision],
        &["--effect", &decision],
        &["--effect", &effect],
        &["--subject", &subject],
        &["--issuer", &enforcer, "--to", "2026-11-22T04:07:20Z"],
        &["--registration", &entry],
        &["--to", "2026-11-22T04:07:20Z"],
        &["--from", "2026-11-22T04:00:00Z", "--to", "2026-11-22T04:07:20Z"],
        &["--credential", text(&pem), "--to", "2026-11-22T04:07:30Z"],
        &["--key-handle", text(&pem), "--from", "2026-11-22T04:00:00Z"],
        &["--policy", &digest, "--to", "2026-11-22T04:07:24Z"],
        &[&registration],
    ];
    for (number, matter) in matters.iter().enumerate() {
        let (indexed, scanned) = (format!("{number}-indexed.zip"), format!("{number}-scanned.zip"));
        let made = desk.collect(&indexed, matter);
        made.expect(0);
        let size = document(&made)["size"].to_string();
        desk.export(&scanned, &[matter, &["--at", &size][..]].concat()).expect(0);
        let (one, other) = (desk.path(&indexed), desk.path(&scanned));
        let difference = document(&desk.reader.run(&["custody", "diff", text(&one), text(&other), "--json"]));
        let none = Value::Array(Vec::new());
        let members = [&difference["added"], &difference["removed"], &difference["changed"]];
        assert!(members.iter().all(|members| **members == none), "{matter:?}: {difference:#}");
        let said: Vec<&Value> = difference["manifest"].as_array().unwrap().iter().map(|said| &said["field"]).collect();
        assert_eq!(said, ["completeness"], "{matter:?}");
    }
}

/// What the first record of a kind says that says it.
fn said(scene: &Scene, kind: &str, path: &[&str]) -> String {
    let of_kind = statements(scene).into_iter().filter(|statement| statement.kind() == kind);
    let mut records = of_kind.filter_map(|statement| Record::parse(statement.kind(), statement.payload()).ok());
    let text = records.find_map(|record| record.body()?.text(path).present().map(str::to_owned));
    text.unwrap_or_else(|| panic!("no {kind} says {path:?}"))
}

/// With a key the export is logged, and the record beside the file confirms who collected it.
fn recorded(desk: &Desk<'_>, asked: &[&str]) {
    let signing = ["--key", text(&desk.key), "--iss", DESK];
    desk.export("recorded.zip", &[asked, &signing].concat()).expect(0);
    assert!(desk.path("recorded.cose").exists());
    let (ended, verdict) = desk.verify(&desk.reader, "recorded.zip", &[]);
    ended.expect(0);
    assert_eq!((&verdict["collector_is_recorded"], &verdict["records"][0]["op"]), (&true.into(), &"export".into()));
    // The later file has the same matter at another checkpoint.
    let (first, second) = (desk.path("case.zip"), desk.path("recorded.zip"));
    let ended = desk.reader.run(&["custody", "diff", text(&first), text(&second), "--json"]);
    ended.expect(0);
    let difference = document(&ended);
    let is_entry = |name: &Value| name.as_str().unwrap().starts_with("entries/");
    assert!(
        difference["same"] == false && difference["removed"].as_array().unwrap().iter().all(|name| !is_entry(name))
    );
    std::fs::copy(desk.path("recorded.cose"), desk.path("case.cose")).unwrap();
    let (ended, verdict) = desk.verify(&desk.reader, "case.zip", &[]);
    ended.expect(1);
    assert!(verdict["because"].as_str().unwrap().contains("manifest"), "{verdict:#}");
    std::fs::remove_file(desk.path("case.cose")).unwrap();
}

fn altered(desk: &Desk<'_>, court: &Reader) {
    let mut bytes = std::fs::read(desk.path("case.zip")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(desk.path("altered.zip"), bytes).unwrap();
    let (ended, verdict) = desk.verify(court, "altered.zip", &[]);
    ended.expect(1);
    assert!(verdict["because"].as_str().unwrap().contains("offset"), "{verdict:#}");
}

/// What `VERIFY.md` says to do without govlog: that needs python3, as the page's own commands do, and so do these tests.
fn stock_tools(desk: &Desk<'_>) {
    let script = "set -e; rm -rf folder; python3 -m zipfile -e case.zip folder; cat folder/VERIFY.md";
    let dir = desk.path("case.zip").parent().unwrap().to_owned();
    let run = |script: &str| {
        let done = Command::new("sh").args(["-c", script]).current_dir(&dir).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    let page = run(script);
    let (_, commands) = page.split_once("\n    python3 ").unwrap();
    let (commands, _) = commands.split_once("\n    END\n").unwrap();
    let commands =
        format!("rm -rf folder; python3 {commands}\nEND\n").replace("\n    ", "\n").replace("FILE", "case.zip");
    let done = run(&commands);
    let (_, verdict) = desk.verify(&desk.reader, "case.zip", &[]);
    let digest = done.split_whitespace().next().unwrap().to_owned();
    assert_eq!(verdict["manifest_sha256"], digest);
}

const PAGE: &str = include_str!("../../../deploy/runbooks/incident.md");

/// The page's commands, as somebody types them who follows it; ten at most.
#[test]
fn the_responders_page_does_what_it_says() {
    let scene = captured();
    let desk = Desk::admitted(&scene);
    let dir = desk.path("page");
    std::fs::create_dir(&dir).unwrap();
    let log = &scene.network.log;
    for (from, to) in [
        (log.dir.join("policy.txt"), "policy.txt"),
        (log.dir.join("genesis.cose"), "genesis.cose"),
        (desk.key.clone(), "desk.key"),
    ] {
        std::fs::copy(from, dir.join(to)).unwrap();
    }
    let block = |text: &str| text.split("```").next().unwrap().to_owned();
    let commands: String = PAGE.split("```sh\n").skip(1).map(block).collect();
    assert!((5..=10).contains(&commands.matches("govlog ").count()), "{commands}");
    let script = format!("set -eu\ngovlog() {{ \"$NODE\" govlog \"$@\"; }}\n{commands}");
    let (url, trace) = (log.url(), trace(&scene));
    let environment = [("NODE", NODE), ("LOG", &url), ("TRACE", &trace), ("DESK", DESK)];
    let done = Command::new("sh").args(["-c", &script]).current_dir(&dir).envs(environment).output().unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    let (before, after) = said.split_once("manifest completeness").unwrap_or_else(|| panic!("{said}"));
    assert!(said.contains("NOT PROVED   completeness") && after.contains("hand-over to counsel-3"), "{said}");
    // What differs is said after the last words of the export, and members before what the manifests say.
    let (_, members) = before.rsplit_once("is said by: govlog custody verify\n").unwrap_or_else(|| panic!("{said}"));
    assert_eq!(members, "", "what the index leads to is what a scan finds");
}
