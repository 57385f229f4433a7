//! An access log, followed: each line waits until the decision of its request is known, or has had its time.
//!
//! Lines are handed on in their order, and the place that is kept is that of the last one handed on: after a crash those that were held are
//! read again, and wait again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use govlog_formats::digest::Digest;
use govlog_formats::record::effect::Outcome;

use super::adapter::{KNOWN, join};
use super::effect::{Known, decisions};
use super::line::Line;
use super::outcome::outcome;
use super::{Envoy, SYSTEM};
use crate::feed::{Alarm, Feed, FeedError, Found};
use crate::lost;
use crate::outbox::{Arrival, Content, Decisions, idempotency_key};
use crate::tail::{self, Item, Limits, Place, Tail, What};

/// The access log of one Envoy.
pub struct AccessLog {
    envoy: Arc<Envoy>,
    reads: String,
    tail: Tail,
    decisions: Option<Arc<dyn Decisions>>,
    held: VecDeque<Held>,
    held_bytes: usize,
    /// The place behind all that is held.
    end: Option<Place>,
    /// The place before all that was ever read, until it is handed on.
    begins: Option<Place>,
    counts: Counts,
    /// When, and with which counts, it was last said that this Envoy lives.
    told: (u64, Counts),
}

/// What was read and not handed on yet.
struct Held {
    what: Waits,
    /// When it was read.
    since_ms: u64,
    /// The place behind it.
    place: Place,
}

/// What it waits for.
enum Waits {
    /// For nothing.
    Ready(Arrival),
    /// For the decision of a request.
    Line { bytes: Vec<u8>, known: Known, request_id: Option<String> },
}

/// What was handed on, since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counts(BTreeMap<&'static str, u64>);

impl AccessLog {
    /// Follows the log of an Envoy.
    #[must_use]
    pub fn new(envoy: Arc<Envoy>) -> Self {
        Self {
            tail: tail(&envoy, None),
            reads: envoy.log.display().to_string(),
            envoy,
            decisions: None,
            held: VecDeque::new(),
            held_bytes: 0,
            end: None,
            begins: None,
            counts: Counts::default(),
            told: (0, Counts::default()),
        }
    }

    /// Reads more, if there is room for it; says whether there is more.
    fn fill(&mut self, now_ms: u64) -> Result<bool, FeedError> {
        if self.held.len() >= MOST_HELD || self.held_bytes >= MOST_HELD_BYTES {
            return Ok(false);
        }
        let read = self.tail.read().map_err(FeedError::new)?;
        let is_absent = read.absent && read.items.is_empty();
        for Item { what, place } in read.items {
            let what = self.take(what, &place, now_ms);
            self.held_bytes += what.bytes();
            self.held.push_back(Held { what, since_ms: now_ms, place });
        }
        self.end = read.place.or(self.end.take());
        self.begins = read.begins.or(self.begins.take());
        if is_absent {
            Err(FeedError(format!("{}: no such file; it is waited for", self.reads)))
        } else {
            Ok(read.more)
        }
    }

    /// Makes of what was found what is held.
    fn take(&self, what: What, place: &Place, now_ms: u64) -> Waits {
        let bytes = match what {
            What::Line(tail::Line::Whole(bytes)) => bytes,
            What::Line(tail::Line::Long { digest, size }) => {
                let reason = format!("a line of more than {} bytes; only its digest is kept", self.envoy.line_bytes);
                return Waits::Ready(self.input(&digest, Content::Digest { reason, digest, size }));
            }
            What::Lost(lost) => return Waits::Ready(lost::arrival(&lost, SYSTEM, &self.envoy.node, now_ms)),
        };
        let line = match Line::read(&bytes, &self.envoy.names) {
            Ok(line) => line,
            Err(unread) => {
                let digest = Digest::sha256(&bytes);
                return Waits::Ready(self.input(&digest, Content::Input { reason: unread.to_string(), bytes }));
            }
        };
        let request_id = line.request_id().map(std::borrow::Cow::into_owned);
        let at = request_id.is_none().then(|| format!("{}:{}", place.inode(), place.offset()));
        let known = Known { at, ..Known::default() };
        let path = line.path();
        let needs = path.is_none_or(|path| self.envoy.needs_decision(&path)) && line.decision_id().is_none();
        let request_id = request_id.filter(|_| needs);
        Waits::Line { bytes, known, request_id }
    }

    fn input(&self, digest: &Digest, content: Content) -> Arrival {
        let instance = self.envoy.node.clone();
        let key = idempotency_key(SYSTEM, &instance, &digest.to_string());
        Arrival { instance, key, semantic: *digest, content }
    }

    /// Hands on what waits no more, in order; gives the place behind it.
    fn hand_on(&mut self, now_ms: u64) -> Result<(Vec<Arrival>, Option<Place>), FeedError> {
        let (mut arrivals, mut place, mut looked_up) = (Vec::new(), None, VecDeque::new());
        while arrivals.len() < AT_ONCE {
            if looked_up.is_empty() {
                looked_up = match self.look_up() {
                    Ok(found) => found,
                    // What is taken out already is handed on first.
                    Err(_) if !arrivals.is_empty() => break,
                    Err(error) => return Err(error),
                };
            }
            let (Some(held), Some(found)) = (self.held.front_mut(), looked_up.pop_front()) else { break };
            // A clock that was set back starts the wait anew.
            held.since_ms = held.since_ms.min(now_ms);
            let has_had_its_time = now_ms - held.since_ms >= millis(self.envoy.settle);
            let waits = matches!(&held.what, Waits::Line { request_id: Some(_), .. });
            if waits && found.is_empty() && !has_had_its_time {
                break;
            }
            let Some(held) = self.held.pop_front() else { break };
            self.held_bytes = self.held_bytes.saturating_sub(held.what.bytes());
            arrivals.push(self.arrival(held.what, found));
            place = Some(held.place);
        }
        if self.held.is_empty() {
            place = self.end.take().or(place);
        }
        // Before anything is handed on, so that the file is known again should it be moved aside while its first lines wait.
        let place = place.or(self.begins.take());
        self.begins = None;
        Ok((arrivals, place))
    }

    /// Asks for the decisions of the first that are held, in their order.
    fn look_up(&self) -> Result<VecDeque<Vec<String>>, FeedError> {
        let first: Vec<Option<&str>> = self.held.iter().take(LOOK_UP).map(|held| held.what.request_id()).collect();
        let ids: Vec<&str> = first.iter().filter_map(|id| *id).collect();
        let mut found = match &self.decisions {
            Some(decisions) if !ids.is_empty() => decisions.decisions_of(&ids).map_err(FeedError::new)?,
            _ => Vec::new(),
        }
        .into_iter();
        Ok(first.iter().map(|id| id.and_then(|_| found.next()).unwrap_or_default()).collect())
    }

    fn arrival(&mut self, what: Waits, found: Vec<String>) -> Arrival {
        let (bytes, mut known) = match what {
            Waits::Ready(arrival) => {
                self.counts.add("no effects");
                return arrival;
            }
            Waits::Line { bytes, known, .. } => (bytes, known),
        };
        known.decisions = found;
        let instance = self.envoy.node.clone();
        let native_id = match Line::read(&bytes, &self.envoy.names) {
            Ok(line) => {
                self.counts.add(counted(&line, &known, &self.envoy));
                known.native_id(&line, &bytes)
            }
            // It was read before.
            Err(_) => String::new(),
        };
        let key = idempotency_key(SYSTEM, &instance, &native_id);
        let semantic = Digest::sha256(&bytes);
        let content = if known == Known::default() {
            Content::Event(bytes)
        } else {
            Content::Formed { form: KNOWN.to_owned(), bytes: join(&known, &bytes) }
        };
        Arrival { instance, key, semantic, content }
    }

    /// Says that this Envoy lives, and what was counted: now and then.
    fn heard(&mut self, now_ms: u64) -> Vec<(String, BTreeMap<String, String>)> {
        let (last_ms, counts) = &self.told;
        let wait = if *counts == self.counts { LIVES_MS } else { TELL_MS };
        if self.counts == Counts::default() || now_ms.abs_diff(*last_ms) < wait {
            return Vec::new();
        }
        self.told = (now_ms, self.counts.clone());
        let counters = self.counts.0.iter().map(|(name, count)| ((*name).to_owned(), count.to_string())).collect();
        vec![(self.envoy.node.clone(), counters)]
    }
}

impl AccessLog {
    /// Says that something was done without a decision.
    fn alarms(&self, before: u64) -> Vec<Alarm> {
        let count = self.counts.of(WITHOUT) - before;
        let what = format!(
            "{count} effects of {} have no decision; see no_decision for paths that need none",
            self.envoy.node
        );
        if count > 0 { vec![Alarm { kind: "effect-without-decision", what }] } else { Vec::new() }
    }
}

impl Feed for AccessLog {
    fn route(&self) -> &str {
        &self.envoy.route
    }

    fn system(&self) -> &'static str {
        SYSTEM
    }

    fn reads(&self) -> &str {
        &self.reads
    }

    fn meet(&mut self, decisions: Arc<dyn Decisions>) {
        self.decisions = Some(decisions);
    }

    fn resume(&mut self, place: Option<&[u8]>) -> Result<(), FeedError> {
        let place = place.map(Place::decode).transpose().map_err(FeedError::new)?;
        self.tail = tail(&self.envoy, place);
        Ok(())
    }

    fn read(&mut self, now_ms: u64) -> Result<Found, FeedError> {
        // What is held is handed on even while nothing can be read.
        let filled = self.fill(now_ms);
        let before = self.counts.of(WITHOUT);
        let (arrivals, place) = self.hand_on(now_ms)?;
        if arrivals.is_empty() && place.is_none() {
            filled.clone()?;
        }
        let more = filled.unwrap_or(false) || arrivals.len() == AT_ONCE;
        let place = place.map(|place| place.encode());
        let (heard, alarms) = (self.heard(now_ms), self.alarms(before));
        Ok(Found { arrivals, place, heard, more, again: LOOK_AGAIN, alarms, ..Found::default() })
    }
}

impl Waits {
    fn bytes(&self) -> usize {
        match self {
            Self::Ready(arrival) => usize::try_from(arrival.content.bytes()).unwrap_or(usize::MAX),
            Self::Line { bytes, .. } => bytes.len(),
        }
    }

    fn request_id(&self) -> Option<&str> {
        match self {
            Self::Ready(_) => None,
            Self::Line { request_id, .. } => request_id.as_deref(),
        }
    }
}

impl Counts {
    fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    fn of(&self, what: &'static str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }
}

/// Under which name an effect is counted.
fn counted(line: &Line<'_>, known: &Known, envoy: &Envoy) -> &'static str {
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

fn tail(envoy: &Envoy, place: Option<Place>) -> Tail {
    let limits = Limits { line_bytes: envoy.line_bytes, read_bytes: READ_BYTES, lines: AT_ONCE };
    Tail::new(&envoy.log, limits, place)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl std::fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessLog").field("reads", &self.reads).field("held", &self.held.len()).finish_non_exhaustive()
    }
}

/// Something was done, and nobody is known to have decided it.
const WITHOUT: &str = "effects without a decision";
/// The most lines that wait, and their bytes: while they do, the file keeps the rest.
const MOST_HELD: usize = 65_536;
const MOST_HELD_BYTES: usize = 64 << 20;
/// The most lines that are read, or handed on, at a time.
const AT_ONCE: usize = 1_000;
const READ_BYTES: usize = 4 << 20;
/// How many requests are asked for at a time.
const LOOK_UP: usize = 256;
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How often it is told that the Envoy lives, and how often at most what is counted.
const LIVES_MS: u64 = 60_000;
const TELL_MS: u64 = 5_000;
