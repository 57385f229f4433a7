//! Which decisions belong to a request: what one source says, kept for a while so that what another says can be joined to it.
//!
//! It is written in the transaction that takes the events, so a decision that is acknowledged can be found.
//!
//! Trust: a request's id is the caller's to choose, so with each decision is kept what it was asked for; whoever joins compares.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redb::{ReadableTable as _, ReadableTableMetadata as _, Table, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::heard::{Awaited, Question};
use super::lately::Joined;
use super::receive::{Arrival, Content, Limits};
use super::tables::{FORGET_JOINS, JOINED, JOINS};
use super::{Outbox, OutboxError};
use crate::world::millis;

/// A decision, and the request it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The request's id.
    pub request_id: String,
    /// The decision.
    pub decided: Decided,
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
    /// When it was made, by the clock of who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_ms: Option<u64>,
    /// Whether one with its id was made for another request before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_reused: bool,
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

/// What is to be kept of an upload, each with the place of its arrival, and for how long.
pub(super) type Joins = (Vec<(usize, Join)>, Duration);

/// How decisions are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Until when these are.
    pub(super) kept_ms: u64,
    /// Those whose time was over then are forgotten.
    pub(super) until_ms: u64,
    /// How many there may be.
    pub(super) most: u64,
}

/// Knows which decisions belong to requests, and keeps what waits for one.
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

    /// Gives the requests that had a decision since it was asked with another number. What it gives can be looked up.
    fn joined_since(&self, so_far: u64) -> Joined;

    /// Gives what one who looks for decisions holds, from a number on, at most so many.
    ///
    /// # Errors
    ///
    /// The store is not well.
    fn held_of(&self, reader: &str, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, OutboxError>;

    /// Gives what it holds under some numbers, in their order.
    ///
    /// # Errors
    ///
    /// The store is not well, or one of them is not there.
    fn held_rows(&self, reader: &str, numbers: &[u64]) -> Result<Vec<Vec<u8>>, OutboxError>;
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
        let of_route = |join: Join| Join { decided: Decided { route: route.to_owned(), ..join.decided }, ..join };
        let find = |(at, arrival): (usize, &Arrival)| match &arrival.content {
            Content::Event(bytes) => Some((at, finder.find(bytes).filter(Join::is_short).map(of_route)?)),
            _ => None,
        };
        Some((arrivals.iter().enumerate().filter_map(find).collect(), joining.keep))
    }

    /// On which terms decisions are kept that come now.
    pub(super) fn terms(&self, keep: Duration, limits: Limits, now_ms: u64) -> Terms {
        Terms {
            kept_ms: now_ms.saturating_add(millis(keep)),
            until_ms: self.forget_joins_until(now_ms),
            most: (limits.bytes / BYTES_EACH).max(LEAST),
        }
    }

    /// Up to when joins are forgotten: not what a reader may not have come to, but for one that has not for very long.
    fn forget_joins_until(&self, now_ms: u64) -> u64 {
        let reached_ms = self.heard.reached_ms().unwrap_or(now_ms);
        reached_ms.min(now_ms).max(now_ms.saturating_sub(LONGEST_MS))
    }
}

impl Decisions for Outbox {
    fn decisions_of(&self, request_ids: &[&str]) -> Result<Vec<Vec<Decided>>, OutboxError> {
        self.look(|tx| {
            let joins = tx.open_table(JOINS)?;
            let known = |id: &&str| {
                let kept = joins.get(*id)?.map(|row| read(row.value())).transpose()?.unwrap_or_default();
                Ok(kept.into_iter().map(|(_, decided)| decided).collect())
            };
            request_ids.iter().map(known).collect()
        })
    }

    fn awaited(&self, question: &Question<'_>) -> Awaited {
        self.heard.awaited(question)
    }

    fn reached(&self, reader: &str, at_ms: u64) {
        self.heard.reached(reader, at_ms);
    }

    fn joined_since(&self, so_far: u64) -> Joined {
        self.lately.since(so_far)
    }

    fn held_of(&self, reader: &str, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, OutboxError> {
        Self::held_of(self, reader, from, most)
    }

    fn held_rows(&self, reader: &str, numbers: &[u64]) -> Result<Vec<Vec<u8>>, OutboxError> {
        Self::held_rows(self, reader, numbers)
    }
}

impl Join {
    fn is_short(&self) -> bool {
        [&self.request_id, &self.decided.id].into_iter().all(|id| (1..=MOST_BYTES).contains(&id.len()))
    }
}

/// Keeps decisions, and forgets some whose time is over, or for which there is no room; gives how many of the latter.
pub(super) fn keep<'a>(
    tx: &WriteTransaction,
    joins: impl Iterator<Item = &'a Join>,
    terms: Terms,
) -> Result<u64, redb::Error> {
    let joined = tx.open_table(JOINED)?;
    let mut tables = Tables { joins: tx.open_table(JOINS)?, forget: tx.open_table(FORGET_JOINS)?, joined };
    // More than come in, so that it ends; no more, so that no upload waits long.
    let mut at_once = 64;
    for join in joins {
        tables.put(join, terms)?;
        at_once += 2;
    }
    tables.forget(terms, at_once)
}

/// What is kept, while it is written.
struct Tables<'tx> {
    joins: Table<'tx, &'static str, (u64, &'static str)>,
    /// One row for each of `joins`.
    forget: Table<'tx, (u64, &'static str), ()>,
    joined: Table<'tx, &'static str, &'static str>,
}

impl Tables<'_> {
    fn put(&mut self, Join { request_id, decided }: &Join, terms: Terms) -> Result<(), redb::Error> {
        let mut known = self.take(request_id)?;
        // More than one: calls that pass a request's id on, a request that was sent again, or an id that somebody chose. Which is meant is
        // not guessed here.
        if let Some((kept_ms, _)) = known.iter_mut().find(|(_, known)| known.id == decided.id) {
            *kept_ms = terms.kept_ms;
        } else {
            let is_reused = self.joined.get(decided.id.as_str())?.is_some_and(|of| of.value() != request_id);
            if !is_reused {
                self.joined.insert(decided.id.as_str(), request_id.as_str())?;
            }
            // What it was asked for is kept to be compared, and this one joins nothing, whatever that says. It is no row of `joined`, which counts.
            let asked = if is_reused { Asked::default() } else { decided.asked.clone() };
            known.push((terms.kept_ms, Decided { is_reused, asked, ..decided.clone() }));
        }
        // Each has its own time, or whoever goes on with an id would keep all that was ever decided under it.
        let mut room = known.len().saturating_sub(MOST_DECISIONS);
        let (over, known): (Vec<Kept>, Vec<Kept>) = known.into_iter().partition(|(kept_ms, _)| {
            let puts_out = room > 0;
            room = room.saturating_sub(1);
            puts_out || *kept_ms < terms.until_ms
        });
        self.leave(request_id, &over)?;
        self.joins.insert(request_id.as_str(), (terms.kept_ms, write(&known)?.as_str()))?;
        self.forget.insert((terms.kept_ms, request_id.as_str()), ())?;
        Ok(())
    }

    /// Takes out what is known of a request.
    fn take(&mut self, request_id: &str) -> Result<Vec<Kept>, redb::Error> {
        let Some((kept_ms, known)) = self.joins.get(request_id)?.map(|row| (row.value().0, read(row.value()))) else {
            return Ok(Vec::new());
        };
        self.forget.remove((kept_ms, request_id))?;
        known
    }

    /// Makes the ids of decisions that are gone free.
    fn leave(&mut self, request_id: &str, gone: &[Kept]) -> Result<(), redb::Error> {
        for (_, decided) in gone.iter().filter(|(_, decided)| !decided.is_reused) {
            if self.joined.get(decided.id.as_str())?.is_some_and(|of| of.value() == request_id) {
                self.joined.remove(decided.id.as_str())?;
            }
        }
        Ok(())
    }

    fn forget(&mut self, terms: Terms, at_once: usize) -> Result<u64, redb::Error> {
        let mut early = 0;
        for _ in 0..at_once {
            let first = self.forget.first()?.map(|(row, _)| (row.value().0, row.value().1.to_owned()));
            let Some((kept_ms, request_id)) = first else { break };
            let is_over = kept_ms < terms.until_ms;
            if !is_over && self.joins.len()?.max(self.joined.len()?) <= terms.most {
                break;
            }
            self.forget.remove((kept_ms, request_id.as_str()))?;
            // An older version left several rows of one request here: the last counts.
            if self.joins.get(request_id.as_str())?.is_none_or(|row| row.value().0 != kept_ms) {
                continue;
            }
            let known = self.take(&request_id)?;
            self.leave(&request_id, &known)?;
            self.joins.remove(request_id.as_str())?;
            if !is_over {
                early += u64::try_from(known.len()).unwrap_or(u64::MAX);
            }
        }
        Ok(early)
    }
}

/// A decision, and until when it is kept.
type Kept = (u64, Decided);

/// The decisions of a row. Up to version 3 of the outbox they were ids alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Row {
    Id(String),
    Kept(u64, Decided),
}

fn read((kept_ms, row): (u64, &str)) -> Result<Vec<Kept>, redb::Error> {
    let rows: Vec<Row> = serde_json::from_str(row).map_err(damaged)?;
    let kept = |row| match row {
        Row::Id(id) => (kept_ms, Decided { id, ..Decided::default() }),
        Row::Kept(kept_ms, decided) => (kept_ms, decided),
    };
    Ok(rows.into_iter().map(kept).collect())
}

fn write(kept: &[Kept]) -> Result<String, redb::Error> {
    serde_json::to_string(kept).map_err(damaged)
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
fn damaged(error: serde_json::Error) -> redb::Error {
    redb::Error::Corrupted(format!("the decisions of a request: {error}"))
}

/// The most decisions that are kept of one request: of a call that passes its id on to others, those that were decided last.
const MOST_DECISIONS: usize = 32;
/// About what one takes in the store: all of them may take as much as the outbox.
const BYTES_EACH: u64 = 1_024;
/// As many as there is room for however small the outbox is. In tests few.
const LEAST: u64 = if cfg!(test) { 256 } else { 65_536 };
/// The most bytes of an id.
const MOST_BYTES: usize = 512;
/// A day: a reader that has not come to something by then has other trouble.
const LONGEST_MS: u64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Fresh;
    use crate::outbox::{Taken, idempotency_key};
    use govlog_formats::digest::Digest;

    const SECOND: u64 = 1_000;

    /// Reads events as `request decision`.
    #[derive(Debug)]
    struct Words;

    impl Finds for Words {
        fn find(&self, event: &[u8]) -> Option<Join> {
            let (request_id, id) = std::str::from_utf8(event).ok()?.split_once(' ')?;
            let asked = Asked::default().with_method("GET");
            let decided = Decided { id: id.to_owned(), asked, ..Decided::default() };
            Some(Join { request_id: request_id.to_owned(), decided })
        }
    }

    struct Site {
        _folder: tempfile::TempDir,
        outbox: Outbox,
        now_ms: u64,
    }

    impl Site {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let outbox =
                Outbox::open(&folder.path().join("outbox"), "log.example", "spiffe://prod.example/agent").unwrap();
            let finders: Vec<(String, Arc<dyn Finds>)> = vec![("/r".to_owned(), Arc::new(Words))];
            let (keep, late_after) = (Duration::from_secs(900), Duration::from_secs(15));
            outbox.join(Joining { finders, readers: Vec::new(), keep, late_after }, 0).unwrap();
            Self { _folder: folder, outbox, now_ms: 0 }
        }

        /// Instances upload decisions, each as `request decision`.
        fn uploads(&self, instance: &str, events: &[&str]) -> Taken {
            let arrival = |event: &&str| Arrival {
                instance: instance.to_owned(),
                key: idempotency_key("opa", instance, event.split_once(' ').unwrap().1),
                semantic: Digest::sha256(event.as_bytes()),
                content: Content::Event(event.as_bytes().to_vec()),
            };
            let arrivals: Vec<Arrival> = events.iter().map(arrival).collect();
            let name = |instance: &str| Fresh { name: instance.to_owned(), predecessor: None };
            let limits = Limits { bytes: 1 << 16, streams: 8 };
            self.outbox.receive("/r", &arrivals, limits, self.now_ms, &name).unwrap()
        }

        fn of(&self, request_id: &str) -> Vec<Decided> {
            self.outbox.decisions_of(&[request_id]).unwrap().remove(0)
        }

        fn ids(&self, request_id: &str) -> Vec<String> {
            self.of(request_id).into_iter().map(|decided| decided.id).collect()
        }
    }

    #[test]
    fn of_an_id_that_many_calls_pass_on_the_last_decisions_are_kept_and_each_has_its_time() {
        let mut site = Site::new();
        let names: Vec<String> = (0..MOST_DECISIONS + 3).map(|number| format!("d-{number}")).collect();
        for name in &names {
            site.uploads("a", &[&format!("r {name}")]);
        }
        assert_eq!(site.ids("r"), names[3..]);
        // Whoever goes on with that id keeps nothing of what was decided long ago.
        site.now_ms += 600 * SECOND;
        site.uploads("a", &["r later"]);
        assert_eq!(site.ids("r").len(), MOST_DECISIONS);
        site.now_ms += 600 * SECOND;
        site.uploads("a", &["r last"]);
        assert_eq!(site.ids("r"), ["later", "last"]);
        site.now_ms += 901 * SECOND;
        site.uploads("a", &["other d"]);
        assert_eq!((site.ids("r"), site.ids("other")), (vec![], vec!["d".to_owned()]));
    }

    #[test]
    fn what_becomes_no_decision_joins_nothing_and_an_id_is_one_requests() {
        let site = Site::new();
        site.uploads("a", &["r-1 d"]);
        assert_eq!(site.uploads("a", &["r-2 d"]).conflicting, 1);
        assert_eq!(site.uploads("a", &["r-2 d"]).duplicate, 1, "the same once more");
        assert_eq!((site.ids("r-1"), site.ids("r-2")), (vec!["d".to_owned()], vec![]));
        // Another instance used the id: which of the two decisions a link would name, nobody knows.
        assert_eq!(site.uploads("b", &["r-3 d", "r-1 d"]).new, 1);
        assert!(site.of("r-3")[0].is_reused && !site.of("r-1")[0].is_reused);
        let asked = |request_id| site.of(request_id)[0].asked.clone();
        let nothing = Asked::default();
        assert_eq!((asked("r-3"), asked("r-1")), (nothing.clone(), nothing.with_method("GET")), "it is never compared");
        assert_eq!(site.ids("r-1"), ["d"]);
    }

    #[test]
    fn a_decision_that_comes_again_is_joined_again() {
        let mut site = Site::new();
        site.uploads("a", &["r d"]);
        site.now_ms += 2_000 * SECOND;
        site.uploads("a", &["other d-2"]);
        assert_eq!(site.ids("r"), [""; 0]);
        assert_eq!(site.uploads("a", &["r d"]).duplicate, 1);
        assert_eq!(site.ids("r"), ["d"]);
        assert!(!site.of("r")[0].is_reused, "what is forgotten is free");
    }

    #[test]
    fn where_there_is_no_room_the_oldest_go_and_it_is_said() {
        let (mut site, mut forgotten) = (Site::new(), 0);
        for number in 0..LEAST + 10 {
            site.now_ms += 1;
            forgotten += site.uploads("a", &[&format!("r-{number} d-{number}")]).forgotten;
        }
        assert_eq!(forgotten, 10);
        assert_eq!((site.ids("r-0"), site.ids("r-9"), site.ids("r-10")), (vec![], vec![], vec!["d-10".to_owned()]));
    }

    #[test]
    fn rows_of_older_versions_are_read() {
        let ids = |row: &str| -> Vec<(u64, String)> {
            read((7, row)).unwrap().into_iter().map(|(kept_ms, decided)| (kept_ms, decided.id)).collect()
        };
        assert_eq!(ids(r#"["d"]"#), [(7, "d".to_owned())]);
        assert_eq!(
            ids(&write(&[(9, Decided { id: "e".to_owned(), ..Decided::default() })]).unwrap()),
            [(9, "e".to_owned())]
        );
    }
}
