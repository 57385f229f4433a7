//! Which decisions belong to a request: what one source says, kept for a while so that what another says can be joined to it.
//!
//! It is written in the transaction that takes the events, so a decision that is acknowledged can be found.
//!
//! Trust: a request's id is the caller's to choose, so with each decision is kept what it was asked for; whoever joins compares.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redb::{ReadableTable as _, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::heard::{Awaited, Question};
use super::receive::{Arrival, Content};
use super::tables::{FORGET_JOINS, JOINS};
use super::{Outbox, OutboxError};

/// A decision, and the request it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The request's id.
    pub request_id: String,
    /// The decision.
    pub decided: Decided,
    /// When it was made, by the clock of who made it.
    pub decided_ms: Option<u64>,
}

/// A decision of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    /// The decision's id.
    pub id: String,
    /// The route of the group whose instance made it; empty: not known.
    #[serde(default)]
    pub route: String,
    /// What it was asked for.
    #[serde(default)]
    pub asked: Asked,
}

/// Finds what joins an event to its request.
pub trait Finds: fmt::Debug + Send + Sync {
    /// Reads a decision; `None`: there is no request to it.
    fn find(&self, event: &[u8]) -> Option<Join>;
}

/// What is kept, and for how long.
#[derive(Clone, Debug)]
pub struct Joining {
    /// The routes whose events are decisions, and who reads them.
    pub finders: Vec<(String, Arc<dyn Finds>)>,
    /// The routes of those who look for decisions. Nothing is forgotten that one of them may not have come to.
    pub readers: Vec<String>,
    /// How long they are kept.
    pub keep: Duration,
    /// A decision that is older when it comes says that more may be under way.
    pub late_after: Duration,
}

/// What is to be kept of an upload, and for how long.
pub(super) type Joins = (Vec<Join>, Duration);

/// Knows which decisions belong to requests.
pub trait Decisions: Send + Sync {
    /// Gives the decisions of each request, none where none is known.
    ///
    /// # Errors
    ///
    /// What knows them is not well.
    fn decisions_of(&self, request_ids: &[&str]) -> Result<Vec<Vec<Decided>>, OutboxError>;

    /// Says whether a decision that is not known may still be under way.
    fn awaited(&self, _question: &Question<'_>) -> Awaited {
        Awaited::Nobody
    }

    /// Is told by one who looks for decisions up to when it has looked at everything.
    fn reached(&self, _reader: &str, _at_ms: u64) {}
}

impl Outbox {
    /// Keeps decisions by their requests from now on. Where this is not called none are.
    ///
    /// # Errors
    ///
    /// The store is not well.
    pub fn join(&self, joining: Joining, now_ms: u64) -> Result<(), OutboxError> {
        let is_source = |route: &str| joining.finders.iter().any(|(of, _)| of == route);
        let streams = self.streams()?;
        let open = streams.iter().filter(|(_, stream)| !stream.closed && is_source(&stream.route));
        let known = open.map(|(_, stream)| (stream.route.as_str(), stream.instance.as_str()));
        self.heard.begin(now_ms, joining.late_after, known, &joining.readers);
        // Asked for once, before anything comes in.
        let _ = self.joining.set(joining);
        Ok(())
    }

    /// Finds what is to be kept of events that come in.
    pub(super) fn joins_of(&self, route: &str, arrivals: &[Arrival]) -> Option<Joins> {
        let joining = self.joining.get()?;
        let (_, finder) = joining.finders.iter().find(|(of, _)| of == route)?;
        let find = |arrival: &Arrival| match &arrival.content {
            Content::Event(bytes) => finder.find(bytes).filter(Join::is_short),
            _ => None,
        };
        let of_route = |join: Join| Join { decided: Decided { route: route.to_owned(), ..join.decided }, ..join };
        Some((arrivals.iter().filter_map(find).map(of_route).collect(), joining.keep))
    }

    /// Up to when joins are forgotten: not what a reader may not have come to, but for one that has not for very long.
    pub(super) fn forget_joins_until(&self, now_ms: u64) -> u64 {
        let reached_ms = self.heard.reached_ms().unwrap_or(now_ms);
        reached_ms.min(now_ms).max(now_ms.saturating_sub(LONGEST_MS))
    }
}

impl Decisions for Outbox {
    fn decisions_of(&self, request_ids: &[&str]) -> Result<Vec<Vec<Decided>>, OutboxError> {
        self.look(|tx| {
            let joins = tx.open_table(JOINS)?;
            let known = |id: &&str| Ok(joins.get(*id)?.map(|row| read(row.value().1)).transpose()?.unwrap_or_default());
            request_ids.iter().map(known).collect()
        })
    }

    fn awaited(&self, question: &Question<'_>) -> Awaited {
        self.heard.awaited(question)
    }

    fn reached(&self, reader: &str, at_ms: u64) {
        self.heard.reached(reader, at_ms);
    }
}

impl Join {
    fn is_short(&self) -> bool {
        [&self.request_id, &self.decided.id].into_iter().all(|id| (1..=MOST_BYTES).contains(&id.len()))
    }
}

/// Keeps joins for so long, and forgets some whose time was over at `until_ms`.
pub(super) fn keep(
    tx: &WriteTransaction,
    joins: &[Join],
    keep: Duration,
    now_ms: u64,
    until_ms: u64,
) -> Result<(), redb::Error> {
    let (mut table, mut forget) = (tx.open_table(JOINS)?, tx.open_table(FORGET_JOINS)?);
    let kept_ms = now_ms.saturating_add(u64::try_from(keep.as_millis()).unwrap_or(u64::MAX));
    for Join { request_id, decided, .. } in joins {
        let mut known = table.get(request_id.as_str())?.map(|row| read(row.value().1)).transpose()?.unwrap_or_default();
        // More than one: a request that was sent again, or an id that somebody chose. Which is meant is not guessed here.
        if known.iter().all(|known| known.id != decided.id) && known.len() < MOST_DECISIONS {
            known.push(decided.clone());
        }
        table.insert(request_id.as_str(), (kept_ms, write(&known)?.as_str()))?;
        forget.insert((kept_ms, request_id.as_str()), ())?;
    }
    // More than come in, so that it ends; no more, so that no upload waits long.
    let most = joins.len() * 2 + 64;
    let mut over = Vec::new();
    for row in forget.extract_from_if((0, "")..(until_ms, ""), |_, ()| true)?.take(most) {
        let (kept_ms, request_id) = {
            let row = row?;
            (row.0.value().0, row.0.value().1.to_owned())
        };
        over.push((kept_ms, request_id));
    }
    for (kept_ms, request_id) in over {
        if table.get(request_id.as_str())?.is_some_and(|row| row.value().0 == kept_ms) {
            table.remove(request_id.as_str())?;
        }
    }
    Ok(())
}

/// The decisions of a row. Up to version 4 of the outbox they were ids alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Row {
    Id(String),
    Decided(Decided),
}

fn read(row: &str) -> Result<Vec<Decided>, redb::Error> {
    let rows: Vec<Row> = serde_json::from_str(row).map_err(damaged)?;
    let decided = |row| match row {
        Row::Id(id) => Decided { id, ..Decided::default() },
        Row::Decided(decided) => decided,
    };
    Ok(rows.into_iter().map(decided).collect())
}

fn write(decided: &[Decided]) -> Result<String, redb::Error> {
    serde_json::to_string(decided).map_err(damaged)
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
fn damaged(error: serde_json::Error) -> redb::Error {
    redb::Error::Corrupted(format!("the decisions of a request: {error}"))
}

/// The most decisions that are kept of one request.
const MOST_DECISIONS: usize = 8;
/// The most bytes of an id.
const MOST_BYTES: usize = 512;
/// A day: a reader that has not come to something by then has other trouble.
const LONGEST_MS: u64 = 86_400_000;
