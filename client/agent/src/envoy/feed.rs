//! An access log, followed: each line waits until the decision of its request is known, or none can come any more.
//!
//! Lines are handed on in their order, and the place that is kept is that of the last one handed on: after a crash those that were held are
//! read again, and wait again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use govlog_formats::digest::Digest;

use super::adapter::{KNOWN, join};
use super::counts::Counts;
use super::effect::Known;
use super::held::{Held, Settled, Waits};
use super::line::Line;
use super::occurrence::Occurrences;
use super::{Envoy, SYSTEM};
use crate::feed::{Feed, FeedError, Found};
use crate::lost;
use crate::outbox::{Arrival, Content, Decided, Decisions, Note, idempotency_key};
use crate::tail::{self, Item, Limits, Place, Tail, What};

/// The access log of one Envoy.
pub struct AccessLog {
    envoy: Arc<Envoy>,
    reads: String,
    tail: Tail,
    decisions: Option<Arc<dyn Decisions>>,
    held: VecDeque<Held>,
    held_bytes: usize,
    /// Whether there was no more to be read the last time.
    is_at_end: bool,
    /// The place behind all that is held.
    end: Option<Place>,
    /// The place before all that was ever read, until it is handed on.
    begins: Option<Place>,
    occurrences: Occurrences,
    counts: Counts,
    /// When, and with which counts, it was last said that this Envoy lives.
    told: (u64, Counts),
}

/// What is handed on at a time.
#[derive(Default)]
struct Handed {
    arrivals: Vec<Arrival>,
    /// The place behind it.
    place: Option<Place>,
    /// What changed of how often lines came.
    notes: Vec<Note>,
    /// How many effects have no decision because of what.
    said: BTreeMap<String, u64>,
}

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
            is_at_end: false,
            end: None,
            begins: None,
            occurrences: Occurrences::default(),
            counts: Counts::default(),
            told: (0, Counts::default()),
        }
    }

    /// Reads more, if there is room for it; says whether there is more.
    fn fill(&mut self, now_ms: u64) -> Result<bool, FeedError> {
        self.is_at_end = false;
        if !self.has_room() {
            return Ok(false);
        }
        let read = self.tail.read().map_err(FeedError::new)?;
        let is_absent = read.absent && read.items.is_empty();
        self.is_at_end = !read.more;
        for Item { what, place } in read.items {
            let what = self.take(what, now_ms);
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

    /// Whether more may be held.
    fn has_room(&self) -> bool {
        self.held.len() < MOST_HELD && self.held_bytes < MOST_HELD_BYTES
    }

    /// Makes of what was found what is held.
    fn take(&self, what: What, now_ms: u64) -> Waits {
        let bytes = match what {
            What::Line(tail::Line::Whole(bytes)) => bytes,
            What::Line(tail::Line::Long { digest, size }) => {
                let reason = format!("a line of more than {} bytes; only its digest is kept", self.envoy.line_bytes);
                return Waits::Ready(self.input(&digest, Content::Digest { reason, digest, size }));
            }
            What::Lost(lost) => return Waits::Lost(lost::arrival(&lost, SYSTEM, &self.envoy.node, now_ms)),
        };
        let line = match Line::read(&bytes, &self.envoy.names) {
            Ok(line) => line,
            Err(unread) => {
                let digest = Digest::sha256(&bytes);
                return Waits::Ready(self.input(&digest, Content::Input { reason: unread.to_string(), bytes }));
            }
        };
        let needs = line.path().is_none_or(|path| self.envoy.needs_decision(&path))
            && line.decision_id().is_none()
            && !self.envoy.is_decided_by_nobody();
        let request_id = line.request_id().filter(|_| needs).map(std::borrow::Cow::into_owned);
        Waits::Line { bytes, request_id }
    }

    fn input(&self, digest: &Digest, content: Content) -> Arrival {
        let instance = self.envoy.node.clone();
        let key = idempotency_key(SYSTEM, &instance, &digest.to_string());
        Arrival { instance, key, semantic: *digest, content }
    }

    /// Hands on what waits no more, in order.
    fn hand_on(&mut self, now_ms: u64) -> Result<Handed, FeedError> {
        let (mut handed, mut looked_up) = (Handed::default(), VecDeque::new());
        while handed.arrivals.len() < AT_ONCE {
            match self.next(&mut looked_up, now_ms) {
                Ok(Some((held, settled))) => {
                    self.held_bytes = self.held_bytes.saturating_sub(held.what.bytes());
                    let arrival = self.arrival(held.what, settled, &mut handed);
                    handed.arrivals.push(arrival);
                    handed.place = Some(held.place);
                }
                Ok(None) => break,
                // What is taken out already is handed on first.
                Err(_) if !handed.arrivals.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        if self.held.is_empty() {
            handed.place = self.end.take().or(handed.place);
        }
        // Before anything is handed on, so that the file is known again should it be moved aside while its first lines wait.
        handed.place = handed.place.or(self.begins.take());
        self.begins = None;
        Ok(handed)
    }

    /// Takes out the first that is held, if it waits no more.
    fn next(
        &mut self,
        looked_up: &mut VecDeque<Vec<Decided>>,
        now_ms: u64,
    ) -> Result<Option<(Held, Settled)>, FeedError> {
        if looked_up.is_empty() {
            *looked_up = self.look_up()?;
        }
        let (Some(held), Some(found)) = (self.held.front_mut(), looked_up.pop_front()) else { return Ok(None) };
        // A clock that was set back starts the wait anew.
        held.since_ms = held.since_ms.min(now_ms);
        let Some(settled) = held.settled(found, &self.envoy, self.decisions.as_deref(), now_ms)? else {
            return Ok(None);
        };
        Ok(self.held.pop_front().map(|held| (held, settled)))
    }

    /// Asks for the decisions of the first that are held, in their order.
    fn look_up(&self) -> Result<VecDeque<Vec<Decided>>, FeedError> {
        let first: Vec<Option<&str>> = self.held.iter().take(LOOK_UP).map(|held| held.what.request_id()).collect();
        let ids: Vec<&str> = first.iter().filter_map(|id| *id).collect();
        let mut found = match &self.decisions {
            Some(decisions) if !ids.is_empty() => decisions.decisions_of(&ids).map_err(FeedError::new)?,
            _ => Vec::new(),
        }
        .into_iter();
        Ok(first.iter().map(|id| id.and_then(|_| found.next()).unwrap_or_default()).collect())
    }

    fn arrival(&mut self, what: Waits, settled: Settled, handed: &mut Handed) -> Arrival {
        let bytes = match what {
            Waits::Line { bytes, .. } => bytes,
            Waits::Ready(arrival) => {
                self.counts.no_effect();
                return arrival;
            }
            Waits::Lost(arrival) => {
                self.counts.no_effect();
                self.occurrences.clear(&mut handed.notes);
                return arrival;
            }
        };
        let (semantic, instance) = (Digest::sha256(&bytes), self.envoy.node.clone());
        let Settled { mut known, is_early } = settled;
        known.before = self.occurrences.count(&semantic, &mut handed.notes);
        let native_id = match Line::read(&bytes, &self.envoy.names) {
            Ok(line) => {
                if self.counts.effect(&line, &known, &self.envoy, is_early) {
                    for what in &known.contradictions {
                        *handed.said.entry(what.clone()).or_default() += 1;
                    }
                }
                known.native_id(&line, &bytes)
            }
            // It was read before.
            Err(_) => String::new(),
        };
        let key = idempotency_key(SYSTEM, &instance, &native_id);
        let content = if known == Known::default() {
            Content::Event(bytes)
        } else {
            Content::Formed { form: KNOWN.to_owned(), bytes: join(&known, &bytes) }
        };
        Arrival { instance, key, semantic, content }
    }

    /// Says up to when everything was looked at: what is known of decisions before that is of no more use here.
    fn tell_reached(&self, now_ms: u64) {
        if let (Some(decisions), true) = (&self.decisions, self.is_at_end) {
            let reached_ms = self.held.front().map_or(now_ms, |held| held.since_ms);
            decisions.reached(&self.envoy.route, reached_ms);
        }
    }

    /// Says that this Envoy lives, and what was counted: now and then.
    fn heard(&mut self, now_ms: u64) -> Vec<(String, BTreeMap<String, String>)> {
        let (last_ms, counts) = &self.told;
        let wait = if *counts == self.counts { LIVES_MS } else { TELL_MS };
        if self.counts.is_empty() || now_ms.abs_diff(*last_ms) < wait {
            return Vec::new();
        }
        self.told = (now_ms, self.counts.clone());
        vec![(self.envoy.node.clone(), self.counts.shown(self.held.len()))]
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

    fn recall(&mut self, notes: Vec<Note>) -> Result<(), FeedError> {
        self.occurrences =
            Occurrences::recalled(&notes).ok_or_else(|| FeedError::new("how often lines came cannot be read"))?;
        Ok(())
    }

    fn meet(&mut self, decisions: Arc<dyn Decisions>) {
        self.decisions = Some(decisions);
    }

    fn resume(&mut self, place: Option<&[u8]>) -> Result<(), FeedError> {
        let place = place.map(Place::decode).transpose().map_err(FeedError::new)?;
        self.tail = tail(&self.envoy, place);
        self.occurrences = Occurrences::default();
        Ok(())
    }

    fn read(&mut self, now_ms: u64) -> Result<Found, FeedError> {
        // What is held is handed on even while nothing can be read.
        let filled = self.fill(now_ms);
        let before = self.counts.clone();
        let Handed { arrivals, place, notes, said } = self.hand_on(now_ms)?;
        self.tell_reached(now_ms);
        if arrivals.is_empty() && place.is_none() {
            filled.clone()?;
        }
        let more = filled.unwrap_or(false) || arrivals.len() == AT_ONCE;
        let place = place.map(|place| place.encode());
        let (heard, alarms) = (self.heard(now_ms), self.counts.alarms(&before, &said, &self.envoy));
        Ok(Found { arrivals, place, notes, heard, more, again: LOOK_AGAIN, alarms })
    }
}

fn tail(envoy: &Envoy, place: Option<Place>) -> Tail {
    let limits = Limits { line_bytes: envoy.line_bytes, read_bytes: READ_BYTES, lines: AT_ONCE };
    Tail::new(&envoy.log, limits, place)
}

impl std::fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessLog").field("reads", &self.reads).field("held", &self.held.len()).finish_non_exhaustive()
    }
}

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
