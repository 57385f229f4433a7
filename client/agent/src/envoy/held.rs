//! What was read and not handed on yet, and how long it waits.
//!
//! A line waits until a decision of its request fits it. It is said to have none when `settle` has passed *and* none can be under way any more:
//! everybody who may have decided was in touch `settle` after the line was read, or after the last sign of a backlog. Who gives no sign of
//! life at all is waited for `settle_most`, and no line waits longer than that.

use super::Envoy;
use super::effect::Known;
use super::fit::contradictions;
use super::line::Line;
use crate::feed::FeedError;
use crate::outbox::{Arrival, Awaited, Decided, Decisions, Question};
use crate::tail::Place;
use crate::world::millis;

/// What was read and not handed on yet.
pub(super) struct Held {
    pub(super) what: Waits,
    /// When it was read.
    pub(super) since_ms: u64,
    /// The place behind it.
    pub(super) place: Place,
}

/// What it waits for.
pub(super) enum Waits {
    /// For nothing: it is no line.
    Ready(Arrival),
    /// For nothing: here it is not known any more what was read.
    Lost(Arrival),
    /// A line, for the decision of a request where one is named.
    Line { bytes: Vec<u8>, request_id: Option<String> },
}

/// What is known in the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) known: Known,
    /// Whether a decision may still be under way.
    pub(super) is_early: bool,
}

impl Waits {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Ready(arrival) | Self::Lost(arrival) => {
                usize::try_from(arrival.content.bytes()).unwrap_or(usize::MAX)
            }
            Self::Line { bytes, .. } => bytes.len(),
        }
    }

    pub(super) fn request_id(&self) -> Option<&str> {
        match self {
            Self::Ready(_) | Self::Lost(_) => None,
            Self::Line { request_id, .. } => request_id.as_deref(),
        }
    }
}

impl Held {
    /// Says what is known of it, if it waits no more. `found`: the decisions of its request, as they were looked up just now.
    ///
    /// # Errors
    ///
    /// What knows the decisions is not well.
    pub(super) fn settled(
        &self,
        found: Vec<Decided>,
        envoy: &Envoy,
        decisions: Option<&dyn Decisions>,
        now_ms: u64,
    ) -> Result<Option<Settled>, FeedError> {
        let Waits::Line { bytes, request_id: Some(request_id) } = &self.what else {
            return Ok(Some(Settled::default()));
        };
        let known = compared(bytes, found, envoy);
        if !known.decisions.is_empty() {
            return Ok(Some(Settled { known, is_early: false }));
        }
        let Some(is_early) = self.is_over(envoy, decisions, now_ms) else { return Ok(None) };
        let Some(decisions) = decisions else { return Ok(Some(Settled { known, is_early })) };
        // Looked up again: what came between the look and the question is what everybody was waited for.
        let found = decisions.decisions_of(&[request_id]).map_err(FeedError::new)?.pop().unwrap_or_default();
        let known = compared(bytes, found, envoy);
        let is_early = is_early && known.decisions.is_empty();
        Ok(Some(Settled { known, is_early }))
    }

    /// Whether it has had its time; `Some(true)`: although a decision may be under way.
    fn is_over(&self, envoy: &Envoy, decisions: Option<&dyn Decisions>, now_ms: u64) -> Option<bool> {
        let waited_ms = now_ms.saturating_sub(self.since_ms);
        let (settle, most) = (envoy.settle, envoy.settle_most);
        if settle.is_zero() {
            return Some(false);
        }
        if waited_ms < millis(settle) {
            return None;
        }
        let routes = envoy.decided_by.as_deref();
        let question = Question { routes, since_ms: self.since_ms, settle, most, now_ms };
        match decisions.map_or(Awaited::Nobody, |decisions| decisions.awaited(&question)) {
            Awaited::Nobody => Some(false),
            Awaited::Instance(_) => (waited_ms >= millis(most)).then_some(true),
        }
    }
}

/// Parts decisions into those that may be a line's own and what the others say otherwise.
fn compared(bytes: &[u8], found: Vec<Decided>, envoy: &Envoy) -> Known {
    let mut known = Known::default();
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
