//! Everything that somebody could have in hand of a scenario, as `govlog custody export` is asked for it.

use std::collections::{BTreeMap, BTreeSet};

use govlog_client::custody::Query;
use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::search::{Column, Marks, Term};

use super::Scenario;
use super::clock::MINUTE;

/// A starting point.
#[derive(Clone, Debug)]
pub struct Start {
    /// The option that asks for it.
    pub what: &'static str,
    /// What is searched for: a value of each of these parameters.
    pub search: BTreeMap<&'static str, String>,
    /// An entry by its position.
    pub entry: Option<usize>,
}

/// The options that stand for a column.
const OPTIONS: [(&str, Column); 9] = [
    ("decision", Column::DECISION),
    ("trace", Column::TRACE),
    ("transaction", Column::TXN),
    ("subject", Column::SUBJECT),
    ("credential", Column::CREDENTIAL),
    ("key-handle", Column::KEY),
    ("policy", Column::POLICY),
    ("issuer", Column::ISSUER),
    ("registration", Column::ENTRY),
];

impl Start {
    fn new(what: &'static str, search: &[(&'static str, &str)]) -> Self {
        let search = search.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { what, search, entry: None }
    }

    /// The query of a custody file, where the scenario's first entry has this index.
    #[must_use]
    pub fn query(&self, first: u64) -> Query {
        let id = |at: usize| EntryId { epoch: 1, index: LeafIndex::new(first + at as u64) }.to_string();
        Query {
            search: self.search.iter().map(|(name, value)| ((*name).to_owned(), vec![value.clone()])).collect(),
            entries: self.entry.map(id).into_iter().collect(),
        }
    }

    /// The entries that it is, found by looking at each.
    #[must_use]
    pub fn answers(&self, all: &[Marks]) -> BTreeSet<usize> {
        let bound = |name| self.search.get(name).map(|value| value.parse::<u64>().unwrap());
        let (since, until) = (bound("since"), bound("until"));
        let of_column = |(name, value): (&&str, &String)| Some(Term::new(Column::named(name)?, value).unwrap());
        let terms: Vec<Term> = self.search.iter().filter_map(of_column).collect();
        let has = |marks: &Marks| {
            terms.iter().all(|term| marks.terms().contains(term))
                && since.is_none_or(|since| marks.latest_ms() >= since)
                && until.is_none_or(|until| marks.earliest_ms() <= until)
        };
        let found = all.iter().enumerate().filter(|(_, marks)| !self.search.is_empty() && has(marks));
        found.map(|(at, _)| at).chain(self.entry).collect()
    }
}

impl Scenario {
    /// By what each entry is found.
    #[must_use]
    pub fn marks(&self) -> Vec<Marks> {
        self.entries.iter().map(|entry| Marks::of(&entry.statement)).collect()
    }

    /// Every starting point that there is: each value of each column, times alone and with others, and each entry.
    #[must_use]
    pub fn starts(&self, all: &[Marks]) -> Vec<Start> {
        let mut starts = Vec::new();
        for (what, column) in OPTIONS {
            let values = |marks: &Marks| -> Vec<String> { of(marks, column).map(str::to_owned).collect() };
            let values: BTreeSet<String> = all.iter().flat_map(values).collect();
            starts.extend(values.iter().map(|value| Start::new(what, &[(column.name(), value)])));
        }
        for (entry, marks) in self.entries.iter().zip(all) {
            match entry.kind {
                "effect" => {
                    let of_effect = |id| Start::new("effect", &[("decision", id), ("kind", "effect")]);
                    starts.extend(of(marks, Column::DECISION).map(of_effect));
                }
                "delegation" => {
                    let by_token = |token| Start::new("delegation", &[("handle", token), ("kind", "delegation")]);
                    starts.extend(of(marks, Column::HANDLE).map(by_token));
                    let leaf = entry.statement.leaf_hash().to_string();
                    starts.push(Start::new("delegation", &[("leaf", &leaf)]));
                }
                _ => {}
            }
        }
        starts.extend(self.times());
        starts.extend((0..self.entries.len()).map(|at| Start {
            what: "entry",
            search: BTreeMap::new(),
            entry: Some(at),
        }));
        starts
    }

    /// Spans of time, alone and with others.
    fn times(&self) -> Vec<Start> {
        let at = |entry: Option<&super::Entry>| {
            let iat = entry.map_or(0, |entry| entry.statement.claims().iat);
            u64::try_from(iat).unwrap() * 1000
        };
        let (first, last) = (at(self.entries.first()), at(self.entries.last()));
        let mut starts = Vec::new();
        for since in (first..last).step_by(usize::try_from(20 * MINUTE).unwrap()) {
            let (since, until) = (since.to_string(), (since + 2 * MINUTE).to_string());
            let span = [("since", since.as_str()), ("until", until.as_str())];
            starts.push(Start::new("from, to", &span));
            for party in &self.parties {
                starts.push(Start::new("issuer, from, to", &[&[("issuer", party.iss)][..], &span].concat()));
            }
            let report = ("subject", "spiffe://prod.example/report");
            starts.push(Start::new("subject, from", &[report, span[0]]));
            starts.push(Start::new("subject, to", &[report, span[1]]));
        }
        starts
    }
}

fn of(marks: &Marks, column: Column) -> impl Iterator<Item = &str> {
    marks.terms().iter().filter(move |term| term.column() == column).map(Term::value)
}
