//! What became of lines, counted, and said to whoever must look.

use std::collections::BTreeMap;

use govlog_formats::record::effect::Outcome;

use super::Envoy;
use super::effect::{Known, decisions};
use super::line::Line;
use super::outcome::outcome;
use crate::feed::Alarm;

/// What was handed on, since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    /// Counts what is no line.
    pub(super) fn no_effect(&mut self) {
        self.add("no effects");
    }

    /// Counts an effect; says whether it is one without a decision. `is_early`: its decision may still have been under way.
    pub(super) fn effect(&mut self, line: &Line<'_>, known: &Known, envoy: &Envoy, is_early: bool) -> bool {
        let name = name(line, known, envoy);
        self.add(name);
        if name == WITHOUT && !known.contradictions.is_empty() {
            self.add(CONTRADICTED);
        }
        if name == WITHOUT && is_early {
            self.add(EARLY);
        }
        name == WITHOUT
    }

    /// Whether nothing was counted yet.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The counts as heartbeats have them, with how many lines are held.
    pub(super) fn shown(&self, held: usize) -> BTreeMap<String, String> {
        let counts = self.0.iter().map(|(name, count)| ((*name).to_owned(), count.to_string()));
        counts.chain([(HELD.to_owned(), held.to_string())]).collect()
    }

    /// Says that something was done without a decision, since it was counted so; `said`: what contradicted, of all of these.
    pub(super) fn alarms(&self, before: &Self, said: &BTreeMap<String, u64>, envoy: &Envoy) -> Vec<Alarm> {
        let since = |name| self.of(name) - before.of(name);
        let count = since(WITHOUT);
        if count == 0 {
            return Vec::new();
        }
        let mut what =
            format!("{count} effects of {} have no decision; see no_decision for paths that need none", envoy.node);
        if !said.is_empty() {
            let said: Vec<String> = said.iter().map(|(name, count)| format!("{name} ({count})")).collect();
            let of = since(CONTRADICTED);
            what += &format!("; of {of} a decision has the request id and says otherwise: {}", said.join(", "));
        }
        let early = since(EARLY);
        if early > 0 {
            let most = envoy.settle_most.as_secs();
            what += &format!(
                "; {early} waited settle_most_s = {most} and an OPA may still have their decisions: is it away?"
            );
        }
        vec![Alarm { kind: "effect-without-decision", what }]
    }

    fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    fn of(&self, what: &'static str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }
}

/// Under which name an effect is counted.
fn name(line: &Line<'_>, known: &Known, envoy: &Envoy) -> &'static str {
    let flags = line.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let outcome = outcome(line.code().unwrap_or_default(), &flags, line.grpc_status().as_deref());
    let needs = line.path().is_none_or(|path| envoy.needs_decision(&path));
    match (decisions(line, known).len(), outcome) {
        (1, _) => "effects with their decision",
        (0, _) if !needs => "effects that need no decision",
        (0, Outcome::Performed | Outcome::Partial) => WITHOUT,
        (0, _) => "nothing done, and no decision",
        _ => "effects of several decisions",
    }
}

/// Read, and not handed on yet.
const HELD: &str = "lines that wait";
/// Something was done, and nobody is known to have decided it.
const WITHOUT: &str = "effects without a decision";
/// Of these: there are decisions of the request id, for something else.
const CONTRADICTED: &str = "effects whose decision says otherwise";
/// Of these: an OPA that may have the decision was not heard in time.
const EARLY: &str = "effects said before OPA was heard";
