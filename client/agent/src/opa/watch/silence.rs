//! A stream that is silent while its instance's statuses go on.
//!
//! An instance that is asked nothing has nothing to log. Where OPA's own metrics count the questions it answered over HTTP, silence begins when they
//! grew and no event came; where they do not (OPA within another program, behind Envoy's gRPC), with the last event, and it is said that nobody can
//! tell. One episode is told once, and its end. An upload of which nobody knows whose it was puts the beginning off, once until events come.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Finding, Now, Told};
use crate::opa::Status;

/// What is remembered of an instance's silence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// The process that watched: when it began. What another one heard last is not known.
    process_ms: u64,
    /// Since when nothing came.
    since_ms: u64,
    /// How many questions had been answered then.
    asked: Option<u64>,
    /// When it was first seen that more were answered since.
    grew_ms: Option<u64>,
    /// Whether decisions came although OPA counts no questions: it is asked in a way that it does not count.
    is_blind: bool,
    /// Whether since then an upload came of which nobody knows whose it was.
    #[serde(default)]
    is_put_off: bool,
    /// The beginning of the episode that was told.
    told_ms: Option<u64>,
}

impl Silence {
    pub(super) fn next(&self, status: &Status, now: Now, after: Duration, told: &mut Vec<Told>) -> Self {
        let mut next = self.clone();
        let is_new = self.process_ms != now.began_ms;
        // Between a status and the next: an event that came with the last status' question is of an earlier silence.
        let spoke_ms = now.event_ms.filter(|event_ms| is_new || *event_ms > self.since_ms);
        if let Some(event_ms) = spoke_ms {
            next.is_blind |= status.asked == Some(0);
            if let Some(since_ms) = next.told_ms.take() {
                told.push(found(status, since_ms, None, Some(event_ms), now.ms));
            }
        }
        if is_new || spoke_ms.is_some() {
            let since_ms = spoke_ms.unwrap_or(now.ms);
            return Self {
                process_ms: now.began_ms,
                since_ms,
                asked: status.asked,
                grew_ms: None,
                is_put_off: false,
                ..next
            };
        }
        // It may have been this one's: whoever is refused before it was read was not silent. Once, or another of its group could keep its
        // silence from being told.
        let unnamed_ms = now.unnamed_ms.filter(|unnamed_ms| !self.is_put_off && *unnamed_ms > self.since_ms);
        if let Some(since_ms) = unnamed_ms {
            return Self { since_ms, asked: status.asked, grew_ms: None, is_put_off: true, ..next };
        }
        let answered = match (self.asked, status.asked) {
            // Its counters began anew.
            (Some(before), Some(asked)) if asked < before => {
                return Self { asked: Some(asked), grew_ms: None, ..next };
            }
            (Some(before), Some(asked)) if !self.is_blind => Some(asked - before),
            _ => None,
        };
        if answered.is_some_and(|answered| answered > 0) {
            next.grew_ms.get_or_insert(now.ms);
        }
        let began_ms = if answered.is_some() { next.grew_ms } else { Some(self.since_ms) };
        let lasts = began_ms.map(|began_ms| Duration::from_millis(now.ms.saturating_sub(began_ms)));
        if next.told_ms.is_none() && !after.is_zero() && lasts.is_some_and(|lasts| lasts >= after) {
            next.told_ms = Some(self.since_ms);
            told.push(found(status, self.since_ms, answered, None, now.ms));
        }
        next
    }
}

fn found(status: &Status, since_ms: u64, asked: Option<u64>, until_ms: Option<u64>, now_ms: u64) -> Told {
    let what = if until_ms.is_some() { "speaks" } else { "silent" };
    Told::Finding(Finding {
        native_id: format!("{what}/{since_ms}"),
        instance: status.instance.clone(),
        version: status.version.clone(),
        since_ms,
        asked,
        until_ms,
        now_ms,
    })
}
