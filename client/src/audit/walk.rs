//! The log's entries, judged one after the other with what all those before them established.

use std::collections::{BTreeMap, HashMap, HashSet};

use govlog_formats::admission::{Class, Expected, judge_stream};
use govlog_formats::digest::Digest;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::statement::SignedStatement;
use govlog_formats::visible::visible;

use super::report::{Check, Finding, Report};
use crate::trust::{History, Trust};
use crate::verify::Outcome;

/// How many findings are kept word by word; the rest is counted.
const MAX_FINDINGS: usize = 100;

/// What is known after the entries so far.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    trust: &'a Trust,
    /// The admission policy, replayed from the log alone.
    history: Option<History>,
    streams: HashMap<(String, String), Expected>,
    /// Every statement's identity; 32 bytes an entry is what it costs to know that none came twice.
    seen: HashSet<Digest>,
    kinds: BTreeMap<String, u64>,
    findings: Vec<Finding>,
    more: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(trust: &'a Trust) -> Self {
        Self {
            trust,
            history: None,
            streams: HashMap::new(),
            seen: HashSet::new(),
            kinds: BTreeMap::new(),
            findings: Vec::new(),
            more: 0,
        }
    }

    /// Judges the next entry.
    pub(super) fn entry(&mut self, index: LeafIndex, entry: &[u8]) {
        let statement = match SignedStatement::parse_entry(entry) {
            Ok(statement) => statement,
            Err(error) => return self.finding(Check::Entries, Outcome::Refuted, format!("entry 1.{index}: {error}")),
        };
        *self.kinds.entry(statement.kind().to_owned()).or_default() += 1;
        if !self.seen.insert(statement.sig_structure_digest()) {
            self.finding(
                Check::Duplicates,
                Outcome::Refuted,
                format!("entry 1.{index}: the same statement stands before it"),
            );
        }
        self.stream(index, &statement);
        self.admission(index, statement);
    }

    /// Notes that something is wrong.
    pub(super) fn finding(&mut self, check: Check, outcome: Outcome, what: String) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { check, outcome, what });
        } else {
            self.more += 1;
        }
    }

    /// The policy as replayed so far.
    pub(super) fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }

    /// Ends the walk.
    pub(super) fn report(self, size: u64, root: &Digest, checkpoints: u64, not_checked: Vec<String>) -> Report {
        Report {
            origin: self.trust.origin().to_owned(),
            size,
            root: root.to_string(),
            kinds: self.kinds.into_iter().collect(),
            streams: self.streams.len() as u64,
            changes: self.history.map_or(0, |history| history.newest_number() as u64 + 1),
            checkpoints,
            findings: self.findings,
            conflicts: Vec::new(),
            more: self.more,
            not_checked,
        }
    }

    fn stream(&mut self, index: LeafIndex, statement: &SignedStatement) {
        let claims = statement.claims();
        let Some(position) = &claims.stream else { return };
        let key = (claims.iss.clone(), position.stream.clone());
        let expected = self.streams.get(&key).copied().unwrap_or(Expected::START);
        if let Err(conflict) = judge_stream(expected, position) {
            let (stream, iss) = (visible(&position.stream), visible(&claims.iss));
            let what = format!("entry 1.{index} in stream {stream} of {iss}: {conflict}");
            self.finding(Check::Streams, Outcome::Refuted, what);
        }
        // Go on from what stands there, so that one break is one finding.
        let next = Expected { seq: position.seq.saturating_add(1), prev: statement.sig_structure_digest() };
        self.streams.insert(key, next);
    }

    fn admission(&mut self, index: LeafIndex, statement: SignedStatement) {
        let Some(history) = &mut self.history else { return self.genesis(index, statement) };
        let judged = if history.newest().after.folds(&statement) {
            history.push(index, statement).map_err(|error| (Outcome::Refuted, error.to_string()))
        } else {
            history.newest().after.judge(&statement, None).map(|_| ()).map_err(|refusal| {
                // This program may be too old to judge it; everything else the log should not have taken.
                let unknown = refusal.class() == Class::Unsupported;
                (
                    if unknown { Outcome::CannotEvaluate } else { Outcome::Refuted },
                    format!("entry 1.{index}: {refusal}"),
                )
            })
        };
        if let Err((outcome, what)) = judged {
            self.finding(Check::Admission, outcome, what);
        }
    }

    /// Entry 0: trust in it is its pinned digest.
    fn genesis(&mut self, index: LeafIndex, statement: SignedStatement) {
        if index.get() > 0 {
            // Entry 0 was refused already; without it nothing later can be replayed.
            return;
        }
        let found = Digest::sha256(statement.entry());
        let pinned = self.trust.notes().genesis;
        if found != pinned {
            let what = format!("entry 0 hashes to {found}; your trust directory pins {pinned}");
            return self.finding(Check::Admission, Outcome::Refuted, what);
        }
        match History::begin(statement) {
            Ok(history) => self.history = Some(history),
            Err(error) => self.finding(Check::Admission, Outcome::Refuted, error.to_string()),
        }
    }
}
