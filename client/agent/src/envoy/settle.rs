//! How long a line waits, and what it becomes.
//!
//! A line waits until a decision of its request fits it. It is said to have none when `settle` has passed *and* none can be under way any more:
//! everybody who may have decided was in touch `settle` after the line was read, or after the last sign of a backlog. Who gives no sign of
//! life at all is waited for `settle_most`, and no line waits longer than that. A new process lets every line wait anew: it heard nobody yet.

use std::sync::Arc;

use super::adapter::split;
use super::effect::Known;
use super::feed::{AccessLog, Handed, Waits};
use super::fit::contradictions;
use super::held::{Due, Most};
use super::line::Line;
use super::{Envoy, feed};
use crate::feed::{FeedError, Found};
use crate::outbox::{self, Awaited, Decided, Decisions, Question};
use crate::world::millis;

/// What is known in the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) known: Known,
    /// Whether a decision may still be under way.
    pub(super) is_early: bool,
}

impl AccessLog {
    /// Gives the lines that wait no more.
    pub(super) fn settle_some(&mut self, now_ms: u64) -> Result<Found, FeedError> {
        let Some(decisions) = self.decisions.clone() else { return Ok(Found::default()) };
        self.held.look(now_ms);
        self.held.hear(decisions.joined_since(self.held.heard()));
        let envoy = Arc::clone(&self.envoy);
        // Many were read at once: who is waited for is the same for all of them.
        let mut last: Option<(u64, Option<bool>)> = None;
        let due = self.held.due(AT_ONCE, |since_ms| match last {
            Some((of_ms, over)) if of_ms == since_ms => over,
            _ => last.insert((since_ms, is_over(&envoy, &*decisions, since_ms, now_ms))).1,
        });
        if due.rows.is_empty() {
            return Ok(Found::default());
        }
        let before = self.counts.clone();
        // What could not be looked at is looked at again.
        let handed = self.look_at(&due, &*decisions).inspect_err(|_| self.held.look_at_all());
        let Handed { arrivals, held, said, .. } = handed?;
        let alarms = self.counts.alarms(&before, &said, &envoy);
        Ok(Found { arrivals, held, alarms, more: due.more, ..Found::default() })
    }

    /// Asks for the decisions of rows, and takes out those that wait no more.
    fn look_at(&mut self, due: &Due, decisions: &dyn Decisions) -> Result<Handed, FeedError> {
        let numbers: Vec<u64> = due.rows.keys().copied().collect();
        let rows = decisions.held_rows(&self.envoy.route, &numbers).map_err(FeedError::new)?;
        let mut lines = Vec::new();
        for row in rows {
            let (known, line) = split(&row).ok_or_else(|| FeedError::new("a line that waits cannot be read"))?;
            lines.push((known.before, self.line(line.to_vec())));
        }
        // After it was asked whether more may come: what came in between is what everybody was waited for.
        let found = feed::look_up(lines.iter().map(|(_, what)| what), Some(decisions))?;
        let mut handed = Handed::default();
        for (((number, over), (before, what)), found) in due.rows.iter().zip(lines).zip(found) {
            let Some(settled) = settled(&what, found, &self.envoy, *over) else {
                self.held.waits(*number);
                continue;
            };
            self.held.let_go(*number);
            handed.held.push(outbox::Held::NoMore { number: *number });
            self.hand_on(what, before, settled, &mut handed);
        }
        Ok(handed)
    }
}

/// Says what is known of what was read, if it waits no more. `found`: the decisions of its request; `over`: whether it has had its time.
pub(super) fn settled(what: &Waits, found: Vec<Decided>, envoy: &Envoy, over: Option<bool>) -> Option<Settled> {
    let Waits::Line { bytes, request_id: Some(_), .. } = what else { return Some(Settled::default()) };
    let known = compared(bytes, found, envoy);
    if known.decisions.is_empty() {
        over.map(|is_early| Settled { known, is_early })
    } else {
        Some(Settled { known, is_early: false })
    }
}

/// Whether what was read then has had its time; `Some(true)`: although a decision may be under way.
fn is_over(envoy: &Envoy, decisions: &dyn Decisions, since_ms: u64, now_ms: u64) -> Option<bool> {
    let (settle, most) = (envoy.settle, envoy.settle_most);
    // Nothing waits, and nobody is waited for: not for what an earlier process held, either, which may have been told otherwise.
    if settle.is_zero() {
        return Some(false);
    }
    let waited_ms = now_ms.saturating_sub(since_ms);
    if waited_ms < millis(settle) {
        return None;
    }
    let routes = envoy.decided_by.as_deref();
    match decisions.awaited(&Question { routes, since_ms, settle, most, now_ms }) {
        Awaited::Nobody => Some(false),
        Awaited::Instance(_) => (waited_ms >= millis(most)).then_some(true),
    }
}

/// Parts decisions into those that may be a line's own and what the others say otherwise.
fn compared(bytes: &[u8], found: Vec<Decided>, envoy: &Envoy) -> Known {
    let mut known = Known::default();
    if found.is_empty() {
        return known;
    }
    // It was read before.
    let Ok(line) = Line::read(bytes, &envoy.names) else { return known };
    for decided in found {
        let said = contradictions(&line, envoy, &decided);
        if said.is_empty() {
            known.decisions.push(decided.id);
        }
        for what in said {
            if known.contradictions.iter().all(|known| known != what) {
                known.contradictions.push(what.to_owned());
            }
        }
    }
    if !known.decisions.is_empty() {
        known.contradictions.clear();
    }
    known
}

/// What is looked at at a time.
const AT_ONCE: Most = Most { rows: feed::AT_ONCE, bytes: feed::READ_BYTES };
