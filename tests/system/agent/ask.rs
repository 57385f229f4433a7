//! Somebody asks a log that real systems fed: by every column, with every kind of thing in hand, and of a server that lies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use govlog_formats::record::{Body, Record, Recorded};
use govlog_formats::search::{Column, Filter, Marks, Term};
use govlog_formats::statement::SignedStatement;
use harness::liar::{Liar, Lie};
use harness::process::Ended;
use harness::reader::Reader;
use serde_json::{Value, json};

use super::Scene;
use super::custody::{captured, statements, text, trace};
use super::feeds::capture;

/// A log that stands still, with everything that was captured in it.
struct Asked {
    scene: Scene,
    reader: Reader,
    statements: Vec<SignedStatement>,
    trace: String,
}

impl Asked {
    fn new() -> Self {
        let mut scene = captured();
        scene.agent.stop();
        let (reader, statements) = (Reader::of(&scene.network, "asker"), statements(&scene));
        let trace = trace(&scene);
        Self { scene, reader, statements, trace }
    }

    fn ask(&self, command: &[&str]) -> Ended {
        self.ask_at(&self.scene.network.log.url(), command)
    }

    fn ask_at(&self, url: &str, command: &[&str]) -> Ended {
        self.reader.trusting(&[command, &["--log", url, "--json"]].concat())
    }

    /// The entries that answer, found by looking at each.
    fn all(&self, filter: &Filter) -> BTreeSet<String> {
        let found = self.statements.iter().enumerate().filter(|(_, statement)| filter.matches(statement));
        found.map(|(index, _)| format!("1.{index}")).collect()
    }

    fn with_trace(&self) -> BTreeSet<String> {
        self.all(&Filter::default().with(Term::new(Column::TRACE, &self.trace).unwrap()))
    }

    /// The entry of a kind with the trace.
    fn traced(&self, kind: &str) -> (String, Body) {
        let filter = Filter::from_pairs([("trace", self.trace.as_str()), ("kind", kind)]).unwrap();
        let id = self.all(&filter).pop_first().unwrap();
        let index: usize = id.trim_start_matches("1.").parse().unwrap();
        let record = Record::parse(kind, self.statements[index].payload()).unwrap();
        (id, record.body().unwrap().clone())
    }
}

/// The entries that were printed, one a line; the last line is the summary.
fn printed(ended: &Ended) -> (BTreeSet<String>, Value) {
    let mut lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap()["summary"].take();
    (lines.iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect(), summary)
}

fn present(text: Recorded<&str>) -> String {
    text.present().unwrap().to_owned()
}

#[test]
fn entries_are_found_by_every_column_and_a_server_that_lies_is_caught() {
    let asked = Asked::new();
    by_every_column(&asked);
    by_time(&asked);
    lies_are_caught(&asked);
    whatever_is_in_hand(&asked);
}

/// Of each column the rarest term that the log has.
fn by_every_column(asked: &Asked) {
    let mut counts: BTreeMap<Term, usize> = BTreeMap::new();
    for statement in &asked.statements {
        Marks::of(statement).terms().iter().for_each(|term| *counts.entry(term.clone()).or_default() += 1);
    }
    let mut rarest: BTreeMap<Column, (usize, Term)> = BTreeMap::new();
    for (term, count) in counts {
        let known = rarest.entry(term.column()).or_insert((count, term.clone()));
        if count < known.0 {
            *known = (count, term);
        }
    }
    assert!(rarest.len() >= 24, "{:?}", rarest.keys().collect::<Vec<_>>());
    for (column, (count, term)) in rarest {
        let option = format!("--{}", column.name().replace('_', "-"));
        let ended = asked.ask(&["query", &option, term.value()]);
        ended.expect(0);
        let (found, summary) = printed(&ended);
        assert_eq!(found, asked.all(&Filter::default().with(term.clone())), "{term}");
        assert_eq!((&summary["found"], &summary["wrong"]), (&json!(count), &json!([])), "{term}");
    }
    let ended = asked.ask(&["query", "--trace", &"0".repeat(32)]);
    ended.expect(5);
    assert_eq!(printed(&ended).1["absence"], "the server named none: not checked");
    asked.ask(&["query", "--trace", &"0".repeat(32), "--complete"]).expect(5);
    asked.ask(&["query", "--leaf", "12"]).expect(2);
    let plain = asked.reader.trusting(&["query", "--trace", &asked.trace, "--log", &asked.scene.network.log.url()]);
    plain.expect(0);
    assert_eq!(plain.stdout.lines().count(), asked.with_trace().len(), "{}", plain.stdout);
    assert!(plain.stderr.contains("the server named none, not checked"), "{}", plain.stderr);
}

fn by_time(asked: &Asked) {
    let decisions = Filter::from_pairs([("kind", "decision")]).unwrap();
    let times = asked.statements.iter().filter(|statement| decisions.matches(statement)).map(|statement| {
        let marks = Marks::of(statement);
        marks.earliest_ms() / 1000
    });
    let middle = times.clone().min().unwrap().midpoint(times.max().unwrap());
    let moment = govlog_client::time::utc(middle);
    let before = asked.ask(&["query", "--kind", "decision", "--until", &moment]);
    let after = asked.ask(&["query", "--kind", "decision", "--since", &moment]);
    before.expect(0);
    after.expect(0);
    assert_eq!(printed(&before).0, asked.all(&decisions.clone().until(middle * 1000)));
    assert_eq!(printed(&after).0, asked.all(&decisions.since(middle * 1000)));
}

fn lies_are_caught(asked: &Asked) {
    let log = asked.scene.network.log.address();
    assert!(asked.with_trace().len() > 1, "there is something to hold back and to put out of order");
    let lies: [(Lie, &str); 4] = [
        (|document| document["ids"].as_array_mut().unwrap().insert(0, json!("1.0")), "1.0"),
        (|document| document["ids"].as_array_mut().unwrap().reverse(), "order"),
        (|document| document["as_of"] = json!(document["as_of"].as_u64().unwrap() - 1), "as_of"),
        (
            |document| {
                let beyond = format!("1.{}", document["as_of"]);
                document["ids"].as_array_mut().unwrap().push(json!(beyond));
            },
            "not among",
        ),
    ];
    for (lie, why) in lies {
        let liar = Liar::before(log, lie);
        let ended = asked.ask_at(&liar.url(), &["query", "--trace", &asked.trace]);
        ended.expect(1);
        let (found, summary) = printed(&ended);
        assert!(summary["wrong"][0].as_str().unwrap().contains(why), "{why}: {summary}");
        assert!(found.is_subset(&asked.with_trace()), "{why}: what is wrong is not printed");
    }
    let liar = Liar::before(log, |document| drop(document["ids"].as_array_mut().unwrap().pop()));
    let held_back = asked.with_trace().into_iter().max_by_key(|id| id[2..].parse::<u64>().unwrap()).unwrap();
    asked.ask_at(&liar.url(), &["query", "--trace", &asked.trace]).expect(0);
    let ended = asked.ask_at(&liar.url(), &["query", "--trace", &asked.trace, "--complete"]);
    ended.expect(1);
    let (found, summary) = printed(&ended);
    assert_eq!((found, &summary["held_back"]), (asked.with_trace(), &json!([held_back])));
    let liar = Liar::before(log, |document| document["ids"].as_array_mut().unwrap().insert(0, json!("1.0")));
    asked.ask_at(&liar.url(), &["show", &asked.trace]).expect(1);
}

fn whatever_is_in_hand(asked: &Asked) {
    let (decision, record) = asked.traced("decision");
    let (effect, _) = asked.traced("effect");
    let statement = |id: &str| &asked.statements[id[2..].parse::<usize>().unwrap()];
    let path = |name: &str| asked.scene.network.path(name);
    let url = asked.scene.network.log.url();
    let (cose, case) = (path("decision.cose"), path("case.zip"));
    asked.reader.run(&["get", "--log", &url, &decision, "--out", text(&cose)]).expect(0);
    let export = ["custody", "export", "--log", &url, "--trace", &asked.trace, "--out", text(&case)];
    asked.reader.trusting(&export).expect(0);
    let digest = statement(&decision).sig_structure_digest().to_string();
    let colons = digest.as_bytes().chunks(2).map(|two| String::from_utf8_lossy(two).to_uppercase()).collect::<Vec<_>>();
    let things = [
        asked.trace.clone(),
        format!("00-{}-00f067aa0ba902b7-01", asked.trace),
        decision.clone(),
        effect.clone(),
        present(record.text(&["decision_id"])),
        present(record.text(&["request_id"])),
        statement(&decision).leaf_hash().to_string(),
        format!("sha256:{digest}"),
        colons.join(":"),
        text(&cose).to_owned(),
        text(&case).to_owned(),
    ];
    for thing in things {
        let ended = asked.ask(&["show", &thing]);
        ended.expect(0);
        let ids = shown(&ended);
        assert!(ids.contains(&decision) && ids.contains(&effect), "{thing}: {ids:?}");
    }
    // What the decision rests on, by what it names and by what the certificate's file says.
    let pem = capture().join("spire/pay-1.pem");
    for (thing, kind) in [(text(&pem), "issuance"), ("spiffe://prod.example/pay", "registration"), ("authz", "policy")]
    {
        let ended = asked.ask(&["show", thing]);
        ended.expect(0);
        let kinds = shown(&ended).into_iter().map(|id| statement(&id).kind().to_owned()).collect::<BTreeSet<_>>();
        assert!(kinds.contains(kind), "{thing}: {kinds:?}");
    }
    for nothing in ["0".repeat(64), "spiffe://prod.example/nobody".to_owned(), "no-such-id".to_owned()] {
        let ended = asked.ask(&["show", &nothing]);
        ended.expect(5);
        assert!(ended.stdout.contains("not checked"), "{}", ended.stdout);
    }
    asked.ask(&["show", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzZWNyZXQifQ.c2ln"]).expect(2);
    drawn(asked, &case, &decision, &effect);
}

/// For people: from the decision down to its effect, what is missing, and how fresh the streams are; the file needs no log.
fn drawn(asked: &Asked, case: &Path, decision: &str, effect: &str) {
    let url = asked.scene.network.log.url();
    let live = asked.reader.trusting(&["show", &asked.trace, "--log", &url]);
    let file = asked.reader.trusting(&["show", text(case)]);
    for ended in [live, file] {
        ended.expect(0);
        let at = |text: &str| ended.stdout.find(text).unwrap_or_else(|| panic!("{text}: {}", ended.stdout));
        assert!(at(&format!("decision {decision} ")) < at(&format!("effect {effect} ")), "{}", ended.stdout);
        assert!(at("effect") < at("NOT THERE") && at("NOT THERE") < at("STREAMS"), "{}", ended.stdout);
        assert!(!ended.stdout.contains('\u{1b}'), "a pipe gets no colours");
        assert!(
            ended.stdout.contains("logged by 20") || ended.stdout.contains("logged between 20"),
            "{}",
            ended.stdout
        );
    }
}

fn shown(ended: &Ended) -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    document["entries"].as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
}
