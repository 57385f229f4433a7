//! What is asked for: picked from the day in the middle of the history, which is made whole for that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use govlog_formats::record::Record;
use govlog_formats::search::{Filter, Term};
use govlog_scenario::Scenario;
use govlog_scenario::brute::Brute;
use serde_json::{Value, json};

/// A decision's matter has about so many entries within its day; what its streams and owners say makes it some more.
const CHAIN: usize = 15;
/// Searches with about so many answers.
const ANSWERS: [usize; 3] = [1, 20, 1000];

/// Everything that is asked for.
#[derive(Debug)]
pub(crate) struct Facts {
    /// A decision whose matter is an ordinary one.
    pub(crate) decision: String,
    /// The trace that it is in.
    pub(crate) trace: String,
    /// The stolen credential's handle.
    pub(crate) stolen: String,
    /// Queries, each with the number of its answers.
    pub(crate) queries: Vec<(String, usize)>,
}

impl Facts {
    /// Picks them. `stolen`: the handle of the stolen credential.
    pub(crate) fn pick(day: &Scenario, stolen: String) -> anyhow::Result<Self> {
        let brute = Brute::new(day.entries.iter().map(|entry| &entry.statement));
        let text = |at: usize, field: &str| {
            let entry = day.entries.get(at)?;
            let record = Record::parse(entry.kind, &entry.payload).ok()?;
            record.body()?.text(&[field]).present().map(str::to_owned)
        };
        let decisions = (0..).zip(&day.entries).filter(|(_, entry)| entry.kind == "decision").map(|(at, _)| at);
        // Some hundreds are enough to find one among.
        let size = |at: &usize| brute.closure(&BTreeSet::from([*at])).len().abs_diff(CHAIN);
        let decision = decisions.step_by(5).min_by_key(size).context("no decision on that day")?;
        Ok(Self {
            decision: text(decision, "decision_id").context("a decision without an id")?,
            trace: text(decision, "trace_id").context("a decision without a trace")?,
            stolen,
            queries: queries(day),
        })
    }

    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let document =
            json!({ "decision": self.decision, "trace": self.trace, "stolen": self.stolen, "queries": self.queries });
        std::fs::write(file, document.to_string()).with_context(|| file.display().to_string())
    }

    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
        let document: Value = serde_json::from_slice(&bytes)?;
        let text =
            |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned).context("facts are broken");
        let query = |pair: &Value| {
            let count = pair.get(1).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok())?;
            Some((pair.get(0)?.as_str()?.to_owned(), count))
        };
        let queries =
            document.get("queries").and_then(Value::as_array).into_iter().flatten().filter_map(query).collect();
        Ok(Self { decision: text("decision")?, trace: text("trace")?, stolen: text("stolen")?, queries })
    }
}

/// Searches by terms that only this day has, with about as many answers as wanted.
fn queries(day: &Scenario) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<Term, usize> = BTreeMap::new();
    let of_day = ["decision", "trace", "txn", "stream", "policy", "credential"];
    for marks in day.marks() {
        let own = marks.terms().iter().filter(|term| of_day.contains(&term.column().name()));
        // Names of policies and revisions are the same on every day.
        let own = own.filter(|term| term.column().name() != "policy" || term.value().len() == 64);
        own.for_each(|term| *counts.entry(term.clone()).or_default() += 1);
    }
    let nearest = |wanted: usize| counts.iter().min_by_key(|(_, count)| count.abs_diff(wanted));
    let query = |(term, count): (&Term, &usize)| (Filter::default().with(term.clone()).to_query(), *count);
    ANSWERS.into_iter().filter_map(nearest).map(query).collect()
}
