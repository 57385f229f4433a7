//! What the agent reads itself: files that grow, are rotated and replaced while it is killed at every step. Whatever happens on the way, the
//! log has what one undisturbed reading gives, each record once.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use govlog_client::testing::Random;
use govlog_formats::record::view;
use govlog_formats::statement::SignedStatement;
use harness::agent::{ISS, QUICK};
use harness::network::Plan;
use harness::wait::{SOON, until, within};
use harness::{Faults, Ledger, check};
use serde_json::Value;

use super::{LONGEST_LIFE, Scene};
use crate::NODE;

/// Where the agent is killed: every place that what is read passes.
pub(super) const POINTS: [&str; 10] = [
    "feed::before_write",
    "feed::after_write",
    "feed::before_settle",
    "feed::after_settle",
    "sign::before_write",
    "sign::after_write",
    "send::before",
    "send::after",
    "confirm::after_answer",
    "confirm::after_delete",
];
const KILLS: usize = 40;
/// How long a life lasts in which the place is not reached.
const LIFE: Duration = Duration::from_millis(700);
/// The same where the place is reached later: when lines of the access log have waited for their decisions, when witnesses have signed.
const LONG_LIFE: Duration = Duration::from_secs(10);

pub(super) fn capture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../client/agent/tests/data/capture")
}

/// The files that a scene's agent reads, as far as they are written.
pub(super) struct Sources {
    dir: PathBuf,
    /// Of each log: its file, what is yet to be written, how often it is rotated.
    logs: Vec<(PathBuf, Vec<u8>)>,
}

impl Sources {
    pub(super) fn new(scene: &Scene) -> Self {
        let dir = scene.agent.dir.join("sources");
        for folder in ["snapshots", "credentials"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        let log = |name: &str, of: &str| (dir.join(name), fs::read(capture().join(of)).unwrap());
        let mut logs = vec![log("access.jsonl", "envoy/access.jsonl"), log("server.log", "spire/server.log")];
        logs[0].1 = with_repeats(&logs[0].1);
        for (path, _) in &logs {
            fs::write(path, b"").unwrap();
        }
        let sources = Self { dir, logs };
        sources.put("authz.tar.gz", "opa/authz-r1.tar.gz");
        sources
    }

    /// The tables of `agent.toml` that read them.
    fn tables() -> String {
        Self::tables_after(&format!("{QUICK}[[opa]]\nprefix = \"/a/v1\"\n"))
    }

    /// The same after others, the last of which is an `[[opa]]`.
    pub(super) fn tables_after(others: &str) -> String {
        let key = capture().join("opa/bundle-signer.pub.pem");
        format!(
            "{others}[[opa.bundle]]\nname = \"authz\"\nfile = \"sources/authz.tar.gz\"\nkey = {key:?}\npoll_s = 1\n\
            [[spire]]\nname = \"spire-0\"\ntrust_domain = \"prod.example\"\nlog = \"sources/server.log\"\nsnapshots = \"sources/snapshots\"\npoll_s = 1\n\
            [[credentials]]\nname = \"workloads\"\nfolder = \"sources/credentials\"\n\
            [[envoy]]\nname = \"edge\"\nnode = \"envoy-lab\"\nlog = \"sources/access.jsonl\"\nperformer = \"spiffe://prod.example/pep/envoy\"\nsettle_s = 1\nsettle_most_s = 1\n"
        )
    }

    /// Puts a file there as whoever replaces one does: whole.
    fn put(&self, name: &str, of: &str) {
        let path = self.dir.join(name);
        fs::copy(capture().join(of), path.with_extension("new")).unwrap();
        fs::rename(path.with_extension("new"), path).unwrap();
    }

    fn put_folder(&self, folder: &str, ending: &str) {
        for file in fs::read_dir(capture().join("spire")).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            if name.ends_with(ending) {
                self.put(&format!("{folder}/{name}"), &format!("spire/{name}"));
            }
        }
    }

    /// Writes so many more bytes of each log, wherever that cuts a line.
    fn grow(&mut self, bytes: impl Fn() -> usize) {
        for (path, left) in &mut self.logs {
            let piece: Vec<u8> = left.drain(..bytes().min(left.len())).collect();
            OpenOptions::new().append(true).open(path).unwrap().write_all(&piece).unwrap();
        }
    }

    /// Moves the access log aside, in the middle of a line or not, as logrotate does; a program that writes goes on with the end of its line.
    fn rotate(&mut self) {
        let (path, left) = &mut self.logs[0];
        let end = left.iter().position(|byte| *byte == b'\n').map_or(left.len(), |at| at + 1);
        let rest: Vec<u8> = left.drain(..end).collect();
        let aside = path.with_extension("jsonl.1");
        if aside.exists() {
            fs::rename(&aside, path.with_extension("jsonl.2")).unwrap();
        }
        fs::rename(&path, &aside).unwrap();
        fs::write(&path, b"").unwrap();
        OpenOptions::new().append(true).open(aside).unwrap().write_all(&rest).unwrap();
    }

    pub(super) fn rest(&mut self) {
        self.put_folder("snapshots", ".json");
        self.put_folder("credentials", ".pem");
        self.put("authz.tar.gz", "opa/authz-r2.tar.gz");
        self.grow(|| usize::MAX);
    }
}

/// The same log with some lines in it once more, at once or a little later: each is an effect of its own.
fn with_repeats(log: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    let mut repeated = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        repeated.push(*line);
        match number % 60 {
            7 => repeated.push(line),
            40 => repeated.push(lines[number - 10]),
            _ => {}
        }
    }
    repeated.concat()
}

/// What names a record: its kind, and system, instance and id of what it records.
type Name = (String, String);

/// The agent's records but those about its streams, without what differs between two readings: sealed values have salts,
/// what is polled has the time of the poll, and what is seen in a folder names it.
fn records(scene: &Scene) -> BTreeMap<Name, Vec<Value>> {
    let checked = check::log(&scene.network.log, &Ledger::default()).unwrap();
    let mut found = BTreeMap::<Name, Vec<Value>>::new();
    for entry in &checked.entries {
        let statement = SignedStatement::parse_entry(entry).unwrap();
        if statement.claims().iss != ISS || statement.kind() == "stream" {
            continue;
        }
        let mut record = view::to_json(statement.kind(), statement.payload()).unwrap();
        without_salts(&mut record, &scene.agent.dir.display().to_string());
        // What is polled happened when it was found.
        if record["assurance"] == "scraped" {
            record["event_ms"] = Value::Null;
        }
        let name = (statement.kind().to_owned(), record["source"].to_string());
        found.entry(name).or_default().push(record);
    }
    found
}

fn without_salts(value: &mut Value, dir: &str) {
    match value {
        Value::Object(map) if map.contains_key("$sealed") => *value = "sealed".into(),
        Value::Object(map) => map.values_mut().for_each(|value| without_salts(value, dir)),
        Value::Array(list) => list.iter_mut().for_each(|value| without_salts(value, dir)),
        Value::String(text) => *text = text.replace(dir, ""),
        _ => {}
    }
}

/// What one undisturbed reading gives.
fn reference() -> BTreeMap<Name, Vec<Value>> {
    let mut scene = Scene::with(Plan::new(NODE), &Sources::tables());
    let mut sources = Sources::new(&scene);
    scene.start();
    // The other bundle takes the place of this one only when this one is read.
    let is_read = |scene: &Scene| records(scene).keys().any(|(kind, _)| kind == "policy");
    until("the first bundle", SOON, || is_read(&scene).then_some(()));
    sources.rest();
    let count = |found: &BTreeMap<Name, Vec<Value>>| found.values().map(Vec::len).sum::<usize>();
    until("all that is to be read", SOON, || {
        scene.agent.drained(SOON);
        (count(&records(&scene)) >= RECORDS).then_some(())
    });
    let found = records(&scene);
    assert_eq!(count(&found), RECORDS, "{:?}", by_kind(&found));
    scene.agent.stop();
    found
}

fn by_kind(found: &BTreeMap<Name, Vec<Value>>) -> BTreeMap<&str, usize> {
    let mut kinds = BTreeMap::new();
    for ((kind, _), records) in found {
        *kinds.entry(kind.as_str()).or_default() += records.len();
    }
    kinds
}

#[test]
fn what_is_read_is_logged_once_however_often_the_agent_is_killed() {
    let expected = reference();
    let mut scene = Scene::with(Plan::new(NODE), &Sources::tables());
    let mut sources = Sources::new(&scene);
    let mut random = Random(0x5eed | 1);
    let mut killed = BTreeMap::<&str, usize>::new();
    for life in 0..KILLS {
        let point = POINTS[life % POINTS.len()];
        match life {
            5 => sources.put_folder("credentials", ".pem"),
            9 => sources.put_folder("snapshots", ".json"),
            12 | 25 => sources.rotate(),
            _ => {}
        }
        if life == 20 {
            sources.put("authz.tar.gz", "opa/authz-r2.tar.gz");
        }
        let pieces = [random.below(9_000), random.below(1_500)];
        let turn = std::cell::Cell::new(0);
        sources.grow(|| pieces[turn.replace(turn.get() + 1) % 2]);
        let settles = point.ends_with("settle");
        let passes = if settles { 0 } else { [0, 0, 1, 2][random.below(4)] };
        let most = if settles || point.starts_with("confirm") { LONG_LIFE } else { LIFE };
        if let Err(ended) = scene.agent.try_start(&Faults::kill(point, passes)) {
            assert!(ended.aborted(), "{point}: {} {}", ended.status, ended.stderr);
            *killed.entry(point).or_default() += 1;
            continue;
        }
        let begun = Instant::now();
        until(&format!("the end of life {life}"), SOON, || {
            (!scene.agent.is_running() || begun.elapsed() > most).then_some(())
        });
        let ended = scene.agent.kill();
        if ended.aborted() {
            *killed.entry(point).or_default() += 1;
        }
        // The first bundle is to be read before the second takes its place.
        if life == 19 && !records(&scene).keys().any(|(kind, _)| kind == "policy") {
            scene.start();
            until("the first bundle", SOON, || records(&scene).keys().any(|(kind, _)| kind == "policy").then_some(()));
            scene.agent.kill();
        }
    }
    sources.rest();
    scene.start();
    // What is missing is said below.
    let _: Option<()> = within(SOON, || {
        scene.agent.drained(SOON);
        (records(&scene).len() >= expected.len()).then_some(())
    });
    let found = records(&scene);
    let missing: Vec<_> = expected.keys().filter(|name| !found.contains_key(*name)).collect();
    let others: Vec<_> = found.keys().filter(|name| !expected.contains_key(*name)).collect();
    assert!(missing.is_empty() && others.is_empty(), "missing: {missing:#?}\nothers: {others:#?}");
    let twice: Vec<_> = found.iter().filter(|(_, records)| records.len() > 1).map(|(name, _)| name).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert_eq!(by_kind(&found), by_kind(&expected));
    for (name, records) in &expected {
        assert_eq!(found.get(name), Some(records), "{name:?}");
    }
    for point in POINTS {
        assert!(killed.contains_key(point), "{point} is never hit: {killed:?}");
    }
    scene.agent.reader.trusting(&["audit", "--structure", "--log", &scene.network.log.url()]).expect(0);
    scene.agent.stop();
}

/// What a large server has goes into several writes: the agent is killed before one and behind one, and at others again.
#[test]
fn a_large_listing_is_logged_once_whatever_is_killed_between_its_portions() {
    let table = "[[spire]]\nname = \"spire-0\"\ntrust_domain = \"prod.example\"\nsnapshots = \"sources\"\npoll_s = 1\n";
    let mut scene = Scene::with(Plan::new(NODE), &format!("{QUICK}{table}"));
    let id = |path: String| format!(r#"{{"trust_domain":"prod.example","path":"{path}"}}"#);
    let entry = |number| {
        let (subject, parent) = (id(format!("/w/{number}")), id("/node".to_owned()));
        format!(r#"{{"id":"e-{number}","spiffe_id":{subject},"parent_id":{parent},"revision_number":"0"}}"#)
    };
    let entries: Vec<String> = (0..LISTED).map(entry).collect();
    let sources = scene.agent.dir.join("sources");
    fs::create_dir(&sources).unwrap();
    fs::write(sources.join("entries.json"), format!("{{\"entries\":[{}]}}", entries.join(","))).unwrap();
    for (point, passes) in
        [("feed::before_write", 0), ("feed::before_write", 1), ("feed::after_write", 0), ("feed::after_write", 1)]
    {
        let ended = match scene.agent.try_start(&Faults::kill(point, passes)) {
            Err(ended) => ended,
            Ok(()) => {
                until(&format!("the end of a life at {point}"), LONGEST_LIFE, || {
                    (!scene.agent.is_running()).then_some(())
                });
                scene.agent.kill()
            }
        };
        assert!(ended.aborted(), "{point}: {} {}", ended.status, ended.stderr);
    }
    scene.start();
    let count = |found: &BTreeMap<Name, Vec<Value>>| found.values().map(Vec::len).sum::<usize>();
    // What is missing, or there twice, is said below.
    let _: Option<()> = within(LONG, || {
        scene.agent.drained(LONG);
        (count(&records(&scene)) >= LISTED).then_some(())
    });
    scene.agent.drained(LONG);
    let found = records(&scene);
    assert_eq!((found.len(), count(&found)), (LISTED, LISTED));
    assert_eq!(by_kind(&found), BTreeMap::from([("registration", LISTED)]));
    scene.agent.stop();
}

/// How many records the capture gives: 601 effects, 20 of them twice, and what the identities and policies add.
const RECORDS: usize = 660;
/// Five portions, the last of them not full.
const LISTED: usize = 2_200;
/// For so many.
const LONG: Duration = Duration::from_secs(120);
