//! An access log, followed: a line whose decision is not known yet waits in the outbox, and those behind it are read meanwhile.
//!
//! What is known at once is handed on with the place behind it, and what waits is put there with the same place: after a crash each line is one of
//! the two, or is read again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use govlog_formats::digest::Digest;

use super::adapter::{KNOWN, join, split};
use super::counts::Counts;
use super::effect::Known;
use super::held::Held;
use super::line::Line;
use super::occurrence::Occurrences;
use super::settle::{Settled, settled};
use super::{Envoy, SYSTEM};
use crate::feed::{Feed, FeedError, Found};
use crate::lost;
use crate::outbox::{self, Arrival, Content, Decided, Decisions, Note, idempotency_key};
use crate::tail::{self, Limits, Place, Tail, What};

/// The access log of one Envoy.
pub struct AccessLog {
    pub(super) envoy: Arc<Envoy>,
    reads: String,
    tail: Tail,
    pub(super) decisions: Option<Arc<dyn Decisions>>,
    pub(super) held: Held,
    occurrences: Occurrences,
    pub(super) counts: Counts,
    /// Whether it could be read the last time.
    is_there: bool,
    /// When, and with which counts, it was last said that this Envoy lives.
    told: (u64, Counts),
}

/// What was read.
pub(super) enum Waits {
    /// It waits for nothing: it is no line.
    Ready(Arrival),
    /// It waits for nothing: here it is not known any more what was read.
    Lost(Arrival),
    /// A line, which waits for the decision of a request where one is named.
    Line { bytes: Vec<u8>, digest: Digest, request_id: Option<String> },
}

/// What is handed on at a time.
#[derive(Default)]
pub(super) struct Handed {
    pub(super) arrivals: Vec<Arrival>,
    /// What is held, and what no more.
    pub(super) held: Vec<outbox::Held>,
    /// What changed of how often lines came.
    notes: Vec<Note>,
    /// How many effects have no decision because of what.
    pub(super) said: BTreeMap<String, u64>,
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
            held: Held::default(),
            occurrences: Occurrences::default(),
            counts: Counts::default(),
            is_there: false,
            told: (0, Counts::default()),
        }
    }

    /// Gives it room for so many bytes of lines that wait. While there are as many, the file keeps the rest.
    #[must_use]
    pub fn with_room(mut self, bytes: u64) -> Self {
        self.held = Held::at_most(bytes);
        self
    }

    /// Reads on; what was read and where to go on.
    fn read_on(&mut self, now_ms: u64) -> Result<Found, FeedError> {
        let read = self.tail.read().map_err(FeedError::new)?;
        if read.absent && read.items.is_empty() && read.place.is_none() {
            // There is nothing that could be looked for, and others forget nothing that may be looked for here.
            self.say_reached(now_ms);
            return Err(FeedError(format!("{}: no such file; it is waited for", self.reads)));
        }
        let what: Vec<Waits> = read.items.into_iter().map(|item| self.take(item.what, now_ms)).collect();
        let found = look_up(what.iter(), self.decisions.as_deref());
        let is_looked_up = found.is_ok();
        let mut found = found.unwrap_or_default().into_iter();
        let (before, mut handed) = (self.counts.clone(), Handed::default());
        for what in what {
            self.hand_on_or_hold(what, found.next().unwrap_or_default(), now_ms, &mut handed);
        }
        if !is_looked_up {
            // It is read already, so it waits, as what is not known does. Of its decisions nobody will tell any more.
            self.held.look_at_all();
        }
        if !read.more {
            self.say_reached(now_ms);
        }
        let alarms = self.counts.alarms(&before, &handed.said, &self.envoy);
        let Handed { arrivals, held, notes, .. } = handed;
        let place = read.place.map(|place| place.encode());
        Ok(Found { arrivals, held, notes, place, alarms, more: read.more, ..Found::default() })
    }

    /// Says that all was read: what is known of decisions before the first that waits is of no more use here. Not while some may have one that is
    /// known.
    fn say_reached(&self, now_ms: u64) {
        if let (Some(decisions), false) = (&self.decisions, self.held.is_sweeping()) {
            decisions.reached(&self.envoy.route, self.held.since_ms().unwrap_or(now_ms));
        }
    }

    /// Hands on what waits for nothing, or whose decision is known; puts the rest where it waits.
    fn hand_on_or_hold(&mut self, what: Waits, found: Vec<Decided>, now_ms: u64, handed: &mut Handed) {
        let before = match &what {
            Waits::Line { digest, .. } => self.occurrences.count(digest, &mut handed.notes),
            Waits::Ready(_) => 0,
            Waits::Lost(_) => {
                self.occurrences.clear(&mut handed.notes);
                0
            }
        };
        let is_over = self.decisions.is_none() || self.envoy.settle.is_zero();
        match (settled(&what, found, &self.envoy, is_over.then_some(false)), what) {
            (None, Waits::Line { bytes, request_id: Some(request_id), .. }) => {
                let row = join(&Known { before, ..Known::default() }, &bytes);
                let number = self.held.hold(&request_id, now_ms, row.len());
                handed.held.push(outbox::Held::Now { number, row });
            }
            (settled, what) => self.hand_on(what, before, settled.unwrap_or_default(), handed),
        }
    }

    /// Makes of what was found what is handed on, or waits.
    fn take(&self, what: What, now_ms: u64) -> Waits {
        match what {
            What::Line(tail::Line::Whole(bytes)) => self.line(bytes),
            What::Line(tail::Line::Long { digest, size }) => {
                let reason = format!("a line of more than {} bytes; only its digest is kept", self.envoy.line_bytes);
                Waits::Ready(self.input(&digest, Content::Digest { reason, digest, size }))
            }
            What::Lost(lost) => Waits::Lost(lost::arrival(&lost, SYSTEM, &self.envoy.node, now_ms)),
        }
    }

    /// The same of a line.
    pub(super) fn line(&self, bytes: Vec<u8>) -> Waits {
        let digest = Digest::sha256(&bytes);
        match Line::read(&bytes, &self.envoy.names).map(|line| self.request_id(&line)) {
            Ok(request_id) => Waits::Line { bytes, digest, request_id },
            Err(unread) => Waits::Ready(self.input(&digest, Content::Input { reason: unread.to_string(), bytes })),
        }
    }

    /// Names the request of a line that needs a decision.
    fn request_id(&self, line: &Line<'_>) -> Option<String> {
        let needs = line.path().is_none_or(|path| self.envoy.needs_decision(&path))
            && line.decision_id().is_none()
            && !self.envoy.is_decided_by_nobody();
        line.request_id().filter(|_| needs).map(std::borrow::Cow::into_owned)
    }

    fn input(&self, digest: &Digest, content: Content) -> Arrival {
        let instance = self.envoy.node.clone();
        let key = idempotency_key(SYSTEM, &instance, &digest.to_string());
        Arrival { instance, key, semantic: *digest, content }
    }

    /// Hands on what waits no more. `before`: how often a line of the same bytes came before.
    pub(super) fn hand_on(&mut self, what: Waits, before: u32, settled: Settled, handed: &mut Handed) {
        let (bytes, semantic) = match what {
            Waits::Line { bytes, digest, .. } => (bytes, digest),
            Waits::Ready(arrival) | Waits::Lost(arrival) => {
                self.counts.no_effect();
                handed.arrivals.push(arrival);
                return;
            }
        };
        let instance = self.envoy.node.clone();
        let Settled { mut known, is_early } = settled;
        known.before = before;
        let native_id = match Line::read(&bytes, &self.envoy.names) {
            Ok(line) => {
                if self.counts.effect(&line, &known, &self.envoy, is_early) {
                    for what in &known.contradictions {
                        *handed.said.entry(what.clone()).or_default() += 1;
                    }
                }
                known.native_id(&line, &semantic)
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
        handed.arrivals.push(Arrival { instance, key, semantic, content });
    }

    /// Finds the lines again that an earlier process held.
    fn recall_held(&mut self) -> Result<(), FeedError> {
        self.held = Held::at_most(self.held.most_bytes());
        let Some(decisions) = self.decisions.clone() else { return Ok(()) };
        let mut from = Some(0);
        while let Some(first) = from {
            let rows = decisions.held_of(&self.envoy.route, first, RECALLED).map_err(FeedError::new)?;
            from = rows.last().and_then(|(number, _)| number.checked_add(1));
            for (number, row) in rows {
                let (_, line) = split(&row).ok_or_else(|| FeedError::new("a line that waits cannot be read"))?;
                let request_id = Line::read(line, &self.envoy.names).ok().and_then(|line| self.request_id(&line));
                self.held.recall(number, request_id.as_deref(), row.len());
            }
        }
        Ok(())
    }

    /// Says that this Envoy lives, and what was counted: now and then.
    fn heard(&mut self, now_ms: u64) -> Vec<(String, BTreeMap<String, String>)> {
        let (last_ms, counts) = &self.told;
        let wait = if *counts == self.counts { LIVES_MS } else { TELL_MS };
        if !self.is_there || self.counts.is_empty() || now_ms.abs_diff(*last_ms) < wait {
            return Vec::new();
        }
        self.told = (now_ms, self.counts.clone());
        vec![(self.envoy.node.clone(), self.counts.shown(self.held.len()))]
    }
}

impl Waits {
    fn request_id(&self) -> Option<&str> {
        match self {
            Self::Ready(_) | Self::Lost(_) => None,
            Self::Line { request_id, .. } => request_id.as_deref(),
        }
    }
}

/// Asks for the decisions of what was read, in its order.
pub(super) fn look_up<'a>(
    what: impl Iterator<Item = &'a Waits>,
    decisions: Option<&dyn Decisions>,
) -> Result<Vec<Vec<Decided>>, FeedError> {
    let named: Vec<Option<&str>> = what.map(Waits::request_id).collect();
    let ids: Vec<&str> = named.iter().filter_map(|id| *id).collect();
    let found = match decisions {
        Some(decisions) if !ids.is_empty() => decisions.decisions_of(&ids).map_err(FeedError::new)?,
        _ => Vec::new(),
    };
    let mut found = found.into_iter();
    Ok(named.iter().map(|id| id.and_then(|_| found.next()).unwrap_or_default()).collect())
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
        self.recall_held()
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
        // What was read before is kept.
        self.held.are_kept();
        self.held.look(now_ms);
        let found = if self.held.has_room() { self.read_on(now_ms) } else { Ok(Found::default()) };
        self.is_there = found.is_ok();
        Ok(Found { again: LOOK_AGAIN, ..found? })
    }

    fn settle(&mut self, now_ms: u64) -> Result<Found, FeedError> {
        let found = self.settle_some(now_ms)?;
        Ok(Found { heard: self.heard(now_ms), ..found })
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

/// The most lines that are read, or handed on, at a time.
pub(super) const AT_ONCE: usize = 1_000;
pub(super) const READ_BYTES: usize = 4 << 20;
/// How many lines that wait are found again at a time.
const RECALLED: usize = 256;
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How often it is told that the Envoy lives, and how often at most what is counted.
const LIVES_MS: u64 = 60_000;
const TELL_MS: u64 = 5_000;
