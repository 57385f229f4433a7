//! A day of a small organisation in a real log: whatever is asked for of it with `govlog` is what brute force finds.

use std::collections::BTreeSet;

use govlog_client::source::Source;
use govlog_formats::search::Marks;
use govlog_scenario::brute::{Brute, Part};
use govlog_scenario::load::load;
use govlog_scenario::{ORIGIN, Scenario};
use harness::network::Plan;
use harness::process::Ended;
use harness::reader::Reader;
use harness::{Log, Network};
use serde_json::Value;

use crate::NODE;

/// Entry 0 names the log, entry 1 the issuers.
const FIRST: usize = 2;

/// The day, in a log.
struct Logged {
    network: Network,
    reader: Reader,
    scenario: Scenario,
    marks: Vec<Marks>,
    brute: Brute,
}

fn id(at: usize) -> String {
    format!("1.{}", FIRST + at)
}

fn at(id: &str) -> usize {
    id.strip_prefix("1.").unwrap().parse::<usize>().unwrap() - FIRST
}

impl Logged {
    fn new() -> Self {
        let mut network = Plan::new(NODE).witnesses(1, 1).start();
        let scenario = Scenario::generate(7, 5_000);
        fill(&mut network.log, &scenario);
        let reader = Reader::of(&network, "trust");
        reader.update(&network.log.url()).expect(0);
        let marks = scenario.marks();
        let brute = Brute::new(scenario.entries.iter().map(|entry| &entry.statement));
        Self { network, reader, scenario, marks, brute }
    }

    fn govlog(&self, command: &[&str]) -> Ended {
        let url = self.network.log.url();
        self.reader.trusting(&[command, &["--log", &url, "--json"]].concat())
    }

    /// The entries of this kind that have something.
    fn position(&self, is_it: impl Fn(usize) -> bool) -> usize {
        (0..self.scenario.entries.len()).find(|at| is_it(*at)).unwrap()
    }

    /// Exports a matter, judges the file offline, makes its report, and compares every entry and its role.
    fn export(&self, name: &str, option: &[&str], answers: &BTreeSet<usize>) {
        let (file, page) = (self.network.path(&format!("{name}.zip")), self.network.path(&format!("{name}.html")));
        let (zip, html) = (file.to_str().unwrap(), page.to_str().unwrap());
        self.govlog(&[&["custody", "export", "--out", zip], option].concat()).expect(0);
        let verified = self.reader.trusting(&["custody", "verify", zip, "--json"]);
        verified.expect(0);
        let verdict: Value = serde_json::from_str(verified.stdout.lines().next().unwrap()).unwrap();
        let mut found: Vec<(usize, &str)> = Vec::new();
        for entry in verdict["entries"].as_array().unwrap() {
            // What streams say of themselves comes besides.
            found.extend(entry["role"].as_str().map(|role| (at(entry["id"].as_str().unwrap()), role)));
        }
        let word = |part| match part {
            Part::Word => "word",
            Part::Cause => "cause",
            Part::Effect => "effect",
            Part::Start => "start",
        };
        let expected: Vec<(usize, &str)> =
            self.brute.closure(answers).into_iter().map(|(at, part)| (at, word(part))).collect();
        // Programs that are not optimised take a while for large ones, and prove no more.
        assert!((2..350).contains(&expected.len()), "{name}: {} entries", expected.len());
        assert_eq!(found, expected, "{name}");
        self.reader.trusting(&["custody", "report", zip, "--out", html]).expect(0);
        assert!(std::fs::read_to_string(page).unwrap().contains("govlog custody verify"), "{name}");
    }
}

fn fill(log: &mut Log, scenario: &Scenario) {
    assert_eq!(log.origin, ORIGIN);
    log.admit_rows(scenario.rows());
    let source = Source::open(&log.url()).unwrap();
    let indexes = load(source.http().unwrap(), &scenario.entries).unwrap();
    let expected: Vec<u64> = (FIRST as u64..).take(scenario.entries.len()).collect();
    assert_eq!(indexes, expected);
    log.published(expected.len() as u64 + FIRST as u64);
}

#[test]
fn what_is_asked_for_of_a_day_in_a_log_is_what_brute_force_finds() {
    let day = Logged::new();
    day.govlog(&["audit", "--structure"]).expect(0);

    let kind = |at: usize| day.scenario.entries[at].kind;
    let view = |at: usize| -> Value {
        govlog_formats::record::view::to_json(kind(at), &day.scenario.entries[at].payload).unwrap()
    };
    let agent = day.position(|at| kind(at) == "decision" && !view(at)["agent"].is_null());
    let revocation = day.position(|at| kind(at) == "revocation");
    let capture = day.position(|at| kind(at) == "policy" && view(at)["engine"] == "capture");
    let delegation = day.position(|at| kind(at) == "delegation");
    let starts = day.scenario.starts(&day.marks);
    let values = [
        ("decision", view(agent)["decision_id"].clone()),
        ("trace", view(agent)["trace_id"].clone()),
        ("transaction", view(agent)["txn"].clone()),
        ("credential", view(revocation)["target"]["handle"][1].clone()),
        ("subject", "spiffe://prod.example/search".into()),
        // Its batches name it by a field of their own.
        ("policy", view(capture)["policy_digest"][1].clone()),
        ("registration", "search".into()),
    ];
    for (what, value) in values {
        let value = value.as_str().unwrap();
        let start = starts.iter().find(|start| start.what == what && start.search.values().any(|one| one == value));
        let answers = start.unwrap().answers(&day.marks);
        day.export(what, &[&format!("--{what}"), value], &answers);
    }
    let answers = BTreeSet::from([delegation, capture]);
    day.export("entries", &[&id(delegation), &id(capture)], &answers);
    day.export("complete", &["--complete", &id(delegation), &id(capture)], &answers);
    queries(&day, agent);
}

/// What is printed is what there is, and what is shown is the matter.
fn queries(day: &Logged, agent: usize) {
    let printed = |ended: &Ended| -> Vec<usize> {
        ended.expect(0);
        let lines = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter_map(|line| Some(at(line["id"].as_str()?))).collect()
    };
    let starts = day.scenario.starts(&day.marks);
    for (what, option) in [("transaction", "--txn"), ("registration", "--entry"), ("key-handle", "--key")] {
        let start = starts.iter().rfind(|start| start.what == what).unwrap();
        let value = start.search.values().next().unwrap();
        let found = printed(&day.govlog(&["query", option, value]));
        assert_eq!(found, start.answers(&day.marks).into_iter().collect::<Vec<_>>(), "{start:?}");
    }
    let shown = day.govlog(&["show", &id(agent)]);
    shown.expect(0);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let drawn: BTreeSet<usize> =
        shown["entries"].as_array().unwrap().iter().map(|entry| at(entry["id"].as_str().unwrap())).collect();
    let expected = day.brute.closure(&BTreeSet::from([agent]));
    assert_eq!(drawn, expected.into_keys().collect());
}
