//! Which decisions belong to a request: what one source says, kept for a while so that what another says can be joined to it.
//!
//! It is written in the transaction that takes the events, so a decision that is acknowledged can be found.

use std::time::Duration;

use redb::{ReadableTable as _, WriteTransaction};

use super::receive::{Arrival, Content};
use super::tables::{FORGET_JOINS, JOINS};
use super::{Outbox, OutboxError};

/// A decision, and the request it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The request's id.
    pub request_id: String,
    /// The decision's.
    pub decision_id: String,
}

/// What is kept, and for how long.
#[derive(Clone, Debug)]
pub struct Joining {
    /// The routes whose events are decisions.
    pub routes: Vec<String>,
    /// Finds both ids in an event.
    pub find: fn(&[u8]) -> Option<Join>,
    /// How long they are kept.
    pub keep: Duration,
}

/// Knows which decisions belong to requests.
pub trait Decisions: Send + Sync {
    /// Gives the ids of the decisions of each request, none where none is known.
    ///
    /// # Errors
    ///
    /// What knows them is not well.
    fn decisions_of(&self, request_ids: &[&str]) -> Result<Vec<Vec<String>>, OutboxError>;
}

impl Outbox {
    /// Keeps decisions by their requests from now on. Where this is not called none are.
    pub fn join(&self, joining: Joining) {
        // Asked for once, before anything comes in.
        let _ = self.joining.set(joining);
    }

    /// Finds what is to be kept of events that come in.
    pub(super) fn joins_of(&self, route: &str, arrivals: &[Arrival]) -> Option<(Vec<Join>, Duration)> {
        let joining = self.joining.get().filter(|joining| joining.routes.iter().any(|of| of == route))?;
        let find = |arrival: &Arrival| match &arrival.content {
            Content::Event(bytes) => (joining.find)(bytes).filter(Join::is_short),
            _ => None,
        };
        Some((arrivals.iter().filter_map(find).collect(), joining.keep))
    }
}

impl Decisions for Outbox {
    fn decisions_of(&self, request_ids: &[&str]) -> Result<Vec<Vec<String>>, OutboxError> {
        self.look(|tx| {
            let joins = tx.open_table(JOINS)?;
            let known = |id: &&str| Ok(joins.get(*id)?.map(|row| ids(row.value().1)).transpose()?.unwrap_or_default());
            request_ids.iter().map(known).collect()
        })
    }
}

impl Join {
    fn is_short(&self) -> bool {
        [&self.request_id, &self.decision_id].into_iter().all(|id| (1..=MOST_BYTES).contains(&id.len()))
    }
}

/// Keeps joins for so long, and forgets some whose time is over.
pub(super) fn keep(tx: &WriteTransaction, joins: &[Join], keep: Duration, now_ms: u64) -> Result<(), redb::Error> {
    let (mut table, mut forget) = (tx.open_table(JOINS)?, tx.open_table(FORGET_JOINS)?);
    let until_ms = now_ms.saturating_add(u64::try_from(keep.as_millis()).unwrap_or(u64::MAX));
    for Join { request_id, decision_id } in joins {
        let mut known = table.get(request_id.as_str())?.map(|row| ids(row.value().1)).transpose()?.unwrap_or_default();
        // More than one: a request that was sent again, or an id that somebody chose. Which is meant is not guessed.
        if !known.contains(decision_id) && known.len() < MOST_DECISIONS {
            known.push(decision_id.clone());
        }
        table.insert(request_id.as_str(), (until_ms, row(&known)?.as_str()))?;
        forget.insert((until_ms, request_id.as_str()), ())?;
    }
    // More than come in, so that it ends; no more, so that no upload waits long.
    let most = joins.len() * 2 + 64;
    let mut over = Vec::new();
    for row in forget.extract_from_if((0, "")..(now_ms, ""), |_, ()| true)?.take(most) {
        let (until_ms, request_id) = {
            let row = row?;
            (row.0.value().0, row.0.value().1.to_owned())
        };
        over.push((until_ms, request_id));
    }
    for (until_ms, request_id) in over {
        if table.get(request_id.as_str())?.is_some_and(|row| row.value().0 == until_ms) {
            table.remove(request_id.as_str())?;
        }
    }
    Ok(())
}

fn ids(row: &str) -> Result<Vec<String>, redb::Error> {
    serde_json::from_str(row).map_err(|error| redb::Error::Corrupted(format!("the decisions of a request: {error}")))
}

fn row(ids: &[String]) -> Result<String, redb::Error> {
    serde_json::to_string(ids).map_err(|error| redb::Error::Corrupted(format!("the decisions of a request: {error}")))
}

/// The most decisions that are kept of one request.
const MOST_DECISIONS: usize = 8;
/// The most bytes of an id.
const MOST_BYTES: usize = 512;
