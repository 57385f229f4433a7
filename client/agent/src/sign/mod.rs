//! Signing: what waits becomes statements of streams, durable before the first of their bytes is sent.
//!
//! ```text
//! waiting ─▶ Draft (a decision, or a quarantine of what cannot be mapped) ─▶ statement ─▶ signed
//! ```
//!
//! Whoever changes what is signed holds the [`Signer`]: the station that signs what is new, and the one that learns from the log that
//! something must be signed anew.

mod anew;
mod batch;
mod chain;
mod own;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use govlog_client::openings::{DocumentError, Openings};
use govlog_formats::digest::Digest;
use govlog_formats::statement::{SignedStatement, StatementError};

pub use anew::Replaced;
pub use chain::Identity;

use batch::{Candidate, Held};
use chain::Chain;
use own::{Op, Quarantined, Told};

use crate::adapter::{Adapter, Adapters, Kept};
use crate::capture::Capture;
use crate::failpoints;
use crate::keys::{Credential, Unsigned};
use crate::names::Names;
use crate::opa::xfcc::Unknown;
use crate::outbox::{self, Content, Counters, Outbox, OutboxError, Signed, Stream, StreamNumber, Waiting};
use crate::seal::{Draft, Sealer};
use crate::world::World;

/// When streams say that they live, and when they are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Between two heartbeats of a stream.
    pub heartbeat: Duration,
    /// How long a source must be silent before its stream is closed.
    pub idle_close: Duration,
}

/// Signs for one issuer.
pub struct Signer {
    identity: Identity,
    adapters: Adapters,
    outbox: Arc<Outbox>,
    world: Arc<dyn World>,
    beat: Beat,
    head: Option<Digest>,
    capture: Option<Capture>,
    /// What waits for its batch to close. Nothing is lost with it: what is held is in the outbox, and is looked at again.
    held: RefCell<HashMap<StreamNumber, Held>>,
}

/// Why nothing more is signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The outbox is not well.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// A record of the agent's own, or one that was signed before, is refused: a mistake in this program.
    #[error("a record that this program wrote cannot be signed: {0}")]
    Own(String),
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Random,
    /// No X.509-SVID is valid now. One comes, or somebody sees to it: until then everything stays as it is.
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
    /// Injected by a test.
    #[error(transparent)]
    Injected(#[from] failpoints::Injected),
}

/// What one step made of what waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Events that became records of their own kind.
    pub emitted: u64,
    /// Inputs that became a quarantine.
    pub quarantined: u64,
    /// Records about the stream, and capture rules.
    pub told: u64,
    /// Statements that are batches.
    pub batches: u64,
    /// Events whose client certificate was named by a proxy that is not believed.
    pub untrusted: u64,
    /// Events whose client certificate was named in another form.
    pub malformed: u64,
}

impl Signer {
    /// Makes a signer.
    #[must_use]
    pub fn new(identity: Identity, adapters: Adapters, outbox: Arc<Outbox>, world: Arc<dyn World>, beat: Beat) -> Self {
        Self { identity, adapters, outbox, world, beat, head: None, capture: None, held: RefCell::default() }
    }

    /// Makes it batch what a rule lets it; without one each event is an entry of its own.
    #[must_use]
    pub fn with_capture(self, capture: Option<Capture>) -> Self {
        Self { capture, ..self }
    }

    /// Who signs.
    #[must_use]
    pub fn iss(&self) -> &str {
        &self.identity.iss
    }

    /// What is signed with now.
    ///
    /// # Errors
    ///
    /// No X.509-SVID is valid now.
    pub fn credential(&self) -> Result<Credential, Unsigned> {
        self.identity.keys.at(self.world.now_ms())
    }

    /// Notes the newest archived checkpoint note seen. Every later statement names it, and so was made after it.
    pub fn saw_head(&mut self, note: Digest) {
        self.head = Some(note);
    }

    /// Signs what waits in a stream, `most` inputs at a time, and what the stream has to say of itself.
    ///
    /// # Errors
    ///
    /// [`SignError`]; nothing is lost, and nothing was signed for good.
    pub fn step(&self, number: StreamNumber, most: usize) -> Result<Step, SignError> {
        let Some(stream) = self.outbox.stream(number)?.filter(|stream| !stream.closed) else {
            return Ok(Step::default());
        };
        let now_ms = self.world.now_ms();
        let mut look = self.look(number, most, now_ms)?;
        self.hold_back(&stream, &mut look.waiting, now_ms);
        let page = Page { chain: Chain::behind(&self.identity, &stream, self.head, now_ms)?, rows: Vec::new() };
        let mut work =
            Work { page, step: Step::default(), taken: Vec::new(), permits: Vec::new(), capture: stream.capture };
        if stream.next_seq == 0 {
            self.tell(&mut work.page, &stream, Op::Open, Counters::default(), 0)?;
            work.step.told += 1;
        }
        let opened = work.step.told > 0;
        for waiting in &look.waiting {
            self.record(&mut work, &stream, waiting)?;
            // Of what is held it is counted when its batch closes.
            if look.closes || work.taken.last() == Some(&waiting.arrival) {
                self.count_doubts(&stream, waiting, &mut work.step);
            }
        }
        let held = Held::of(look.held, &work.permits).filter(|_| !look.closes);
        if look.closes {
            self.close_batches(&mut work, &stream)?;
        }
        let done = Counters { emitted: work.step.emitted, quarantined: work.step.quarantined, ..Counters::default() };
        let due = self.due(&stream, now_ms, look.waiting.is_empty() && held.is_none());
        let mut told = Counters::default();
        if let Some(op) = due {
            told = stream.counters;
            told += done;
            let left = self.outbox.count_waiting(number)?.saturating_sub(count(&work.taken));
            self.tell(&mut work.page, &stream, op, told, left)?;
            work.step.told += 1;
        }
        let said = Said { done, told, has_told: opened || due.is_some(), closes: due == Some(Op::Close), now_ms };
        if !work.page.rows.is_empty() && !self.write(number, &stream, &work, &said)? {
            return Ok(Step::default());
        }
        self.hold(number, held);
        Ok(work.step)
    }

    /// Makes a step durable; says whether it was.
    fn write(&self, number: StreamNumber, before: &Stream, work: &Work<'_>, said: &Said) -> Result<bool, SignError> {
        failpoints::hit("sign::before_write")?;
        let written = self.outbox.write(number, before.next_seq, &work.page.rows, &work.taken, |stream| {
            // The source spoke meanwhile: its stream is not closed.
            if said.closes && stream.heard_ms != before.heard_ms {
                return false;
            }
            (stream.next_seq, stream.prev) = (work.page.chain.next_seq, work.page.chain.prev);
            stream.capture = work.capture;
            // Heard by a clock that was ahead.
            stream.heard_ms = stream.heard_ms.min(said.now_ms);
            stream.counters += said.done;
            stream.counters -= said.told;
            if said.has_told {
                stream.told_ms = said.now_ms;
            }
            stream.closed = said.closes;
            true
        })?;
        failpoints::hit("sign::after_write")?;
        Ok(written)
    }

    /// Says after which time a stream must be looked at again, because the batch of what it holds closes.
    #[must_use]
    pub fn closes_in(&self, number: StreamNumber, now_ms: u64) -> Option<Duration> {
        let (held, capture) = (self.held.borrow().get(&number).copied()?, self.capture.as_ref()?);
        let waited = Duration::from_millis(now_ms.saturating_sub(held.first_ms));
        // One millisecond at least, or it would be looked at again and again in the last one.
        Some(capture.window.saturating_sub(waited).max(Duration::from_millis(1)))
    }

    fn hold(&self, number: StreamNumber, held: Option<Held>) {
        let mut all = self.held.borrow_mut();
        match held {
            Some(held) => drop(all.insert(number, held)),
            None => drop(all.remove(&number)),
        }
    }

    /// Leaves for later what is worth waiting for, and what came behind it.
    fn hold_back(&self, stream: &Stream, waiting: &mut Vec<Waiting>, now_ms: u64) {
        let Some(adapter) = self.adapters.of(&stream.route) else { return };
        let waits = |waiting: &Waiting| kept(stream, waiting).is_some_and(|event| adapter.waits(&event, now_ms));
        if let Some(until) = waiting.iter().position(waits) {
            waiting.truncate(until);
        }
    }

    /// Reads what is to be looked at: what is new since the last time; all of it, where batches close now.
    fn look(&self, number: StreamNumber, most: usize, now_ms: u64) -> Result<Look, OutboxError> {
        let Some(capture) = &self.capture else {
            let waiting = self.outbox.waiting(number, most, MAX_STEP_BYTES)?;
            return Ok(Look { waiting, held: None, closes: false });
        };
        let (most, held) = (most.max(capture.members), self.held.borrow().get(&number).copied());
        let new = self.outbox.waiting_from(number, held.map_or(0, |held| held.from), most, MAX_STEP_BYTES)?;
        let first_ms =
            new.first().map(|waiting| waiting.received_ms).into_iter().chain(held.map(|held| held.first_ms)).min();
        // A clock that was set back since would hold it for long.
        let is_over = |first_ms: u64| now_ms < first_ms || Duration::from_millis(now_ms - first_ms) >= capture.window;
        let bytes: u64 = new.iter().map(|waiting| waiting.content.bytes()).sum();
        let is_full = held.map_or(0, |held| held.count) + new.len() >= capture.members
            || held.map_or(0, |held| held.bytes).saturating_add(bytes) >= capture.bytes;
        if !first_ms.is_some_and(is_over) && !is_full {
            return Ok(Look { waiting: new, held, closes: false });
        }
        // What was held stands before what is new, and only the signer takes anything away.
        let waiting = if held.is_none() { new } else { self.outbox.waiting(number, most, MAX_STEP_BYTES)? };
        Ok(Look { waiting, held: None, closes: true })
    }

    /// Makes batches of the permits, behind the rule that lets it.
    fn close_batches(&self, work: &mut Work<'_>, stream: &Stream) -> Result<(), SignError> {
        let Some(capture) = &self.capture else { return Ok(()) };
        for permit in &work.permits {
            work.taken.push(permit.arrival);
        }
        for group in batch::groups(std::mem::take(&mut work.permits), capture) {
            let rule = Some(capture.digest());
            if group.is_batch() && work.capture != rule {
                let now_ms = self.world.now_ms();
                let draft = capture.draft(&self.identity.iss, now_ms).map_err(own)?;
                work.page.put(draft, outbox::OWN, now_ms, None).map_err(own)?;
                work.capture = rule;
                work.step.told += 1;
            }
            work.step.emitted += group.count();
            work.step.batches += u64::from(group.is_batch());
            work.page.put_group(group, capture, (self.system(stream), &stream.instance), &self.identity.iss)?;
        }
        Ok(())
    }

    /// Says what a stream should say of itself now.
    fn due(&self, stream: &Stream, now_ms: u64, nothing_waits: bool) -> Option<Op> {
        // A clock that was set back makes differences of 0.
        let since = |ms: u64| Duration::from_millis(now_ms.saturating_sub(ms));
        // The agent's own stream goes on as long as its route is there.
        let is_own = stream.instance.is_empty() && self.adapters.of(&stream.route).is_some();
        let idle = since(stream.heard_ms) >= self.beat.idle_close && !is_own;
        match () {
            () if stream.next_seq == 0 => None,
            () if idle && nothing_waits => Some(Op::Close),
            // After a clock that was ahead, or nothing would be told until it is as late again.
            () if stream.told_ms > now_ms || since(stream.told_ms) >= self.beat.heartbeat => Some(Op::Heartbeat),
            () => None,
        }
    }

    fn tell(
        &self,
        page: &mut Page<'_>,
        stream: &Stream,
        op: Op,
        counters: Counters,
        waiting: u64,
    ) -> Result<(), SignError> {
        let now_ms = self.world.now_ms();
        let told = Told { op, stream, seq: page.chain.next_seq, counters, waiting, head: self.head, now_ms };
        let draft = told.draft().map_err(own)?;
        page.put(draft, outbox::OWN, now_ms, None).map_err(own)
    }

    /// Puts the record of an input on the page; a permit that may be batched is put with the others of its kind.
    fn record(&self, work: &mut Work<'_>, stream: &Stream, waiting: &Waiting) -> Result<(), SignError> {
        let reason = match &waiting.content {
            Content::Event(_) | Content::Formed { .. } => match self.draft(stream, waiting)? {
                Ok(draft) => match work.take_draft(waiting, draft, self.capture.as_ref()) {
                    Ok(()) => return Ok(()),
                    Err(error) => error.to_string(),
                },
                Err(reason) => reason,
            },
            Content::Input { reason, .. } | Content::Digest { reason, .. } => reason.clone(),
        };
        let what = &waiting.content;
        let quarantined = Quarantined {
            reason: &reason,
            what,
            source: (self.system(stream), &stream.instance),
            refused: None,
            received_ms: waiting.received_ms,
        };
        let draft = self.with_sealer(|sealer| quarantined.draft(sealer))?.map_err(own)?;
        work.page.put(draft, waiting.key, waiting.received_ms, None).map_err(own)?;
        work.taken.push(waiting.arrival);
        work.step.quarantined += 1;
        Ok(())
    }

    /// Counts what names a client's certificate and is not believed: somebody may be forging, or a proxy is not configured.
    fn count_doubts(&self, stream: &Stream, waiting: &Waiting, step: &mut Step) {
        let adapter = self.adapters.of(&stream.route);
        match adapter.zip(kept(stream, waiting)).and_then(|(adapter, event)| adapter.doubt(&event)) {
            Some(Unknown::NotTrusted) => step.untrusted += 1,
            Some(Unknown::Malformed(_)) => step.malformed += 1,
            Some(Unknown::Absent) | None => {}
        }
    }

    fn draft(&self, stream: &Stream, waiting: &Waiting) -> Result<Result<Draft, String>, SignError> {
        let Some(adapter) = self.adapters.of(&stream.route) else {
            return Ok(Err(format!("nothing in the configuration has the route {} any more", stream.route)));
        };
        let Some(event) = kept(stream, waiting) else { return Ok(Err("it is no event".to_owned())) };
        self.with_sealer(|sealer| adapter.draft(&event, sealer))
    }

    /// How records name the system that a stream's source is.
    fn system(&self, stream: &Stream) -> &'static str {
        self.adapters.of(&stream.route).map_or(UNKNOWN, Adapter::system)
    }

    /// Makes a new name for a stream.
    pub(crate) fn fresh(&self, names: &Names, stream: &Stream) -> String {
        names.fresh(self.system(stream), &stream.route, &stream.instance).name
    }

    /// Drafts something with sealed values under randomness of this machine.
    fn with_sealer<T>(&self, draft: impl FnOnce(Sealer<'_>) -> T) -> Result<T, SignError> {
        let mut is_random = true;
        let mut random = || {
            self.world.random().unwrap_or_else(|| {
                is_random = false;
                [0; 32]
            })
        };
        let drafted = draft(Sealer::new(&mut random));
        // What was drafted with zeros is thrown away: a salt that is known seals nothing.
        if is_random { Ok(drafted) } else { Err(SignError::Random) }
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("iss", &self.identity.iss).finish_non_exhaustive()
    }
}

fn kept<'a>(stream: &'a Stream, waiting: &'a Waiting) -> Option<Kept<'a>> {
    let (form, bytes) = waiting.content.event()?;
    Some(Kept { instance: &stream.instance, form, received_ms: waiting.received_ms, bytes })
}

/// Why a draft does not become a statement.
#[derive(Debug, thiserror::Error)]
enum NotSigned {
    #[error(transparent)]
    Statement(#[from] StatementError),
    #[error(transparent)]
    Openings(#[from] DocumentError),
}

/// What of a stream is looked at.
struct Look {
    waiting: Vec<Waiting>,
    /// What was looked at before, and waits for its batch.
    held: Option<Held>,
    /// Whether the batches of what is looked at close now.
    closes: bool,
}

/// What a step adds to a stream's counters, and what the stream says of itself.
struct Said {
    done: Counters,
    told: Counters,
    /// Whether it says that it was opened, or lives, or ends.
    has_told: bool,
    closes: bool,
    now_ms: u64,
}

/// One step in a stream.
struct Work<'a> {
    page: Page<'a>,
    step: Step,
    /// The arrivals whose records are on the page.
    taken: Vec<u64>,
    /// What may be batched.
    permits: Vec<Candidate>,
    /// The capture rule that was last logged in the stream.
    capture: Option<Digest>,
}

impl Work<'_> {
    fn take_draft(&mut self, waiting: &Waiting, draft: Draft, capture: Option<&Capture>) -> Result<(), NotSigned> {
        let alone = match capture {
            Some(capture) => match Candidate::new(waiting, draft, capture) {
                Ok(permit) => {
                    self.permits.push(permit);
                    return Ok(());
                }
                Err(draft) => draft,
            },
            None => draft,
        };
        self.page.put(alone, waiting.key, waiting.received_ms, None)?;
        self.taken.push(waiting.arrival);
        self.step.emitted += 1;
        Ok(())
    }
}

/// Statements being signed one behind the other.
struct Page<'a> {
    chain: Chain<'a>,
    rows: Vec<Signed>,
}

impl Page<'_> {
    fn put(
        &mut self,
        draft: Draft,
        key: [u8; 32],
        received_ms: u64,
        of_refused: Option<Vec<u8>>,
    ) -> Result<(), NotSigned> {
        let statement = self.chain.sign(draft.kind, draft.sub.as_deref(), &draft.payload)?;
        let openings = Openings { refused: of_refused, ..Openings::new(draft.kind, draft.openings) };
        let openings = if openings.is_empty() { Vec::new() } else { openings.encode()? };
        self.rows.push(Signed { received_ms, key, members: Vec::new(), entry: statement.into_entry(), openings });
        Ok(())
    }

    /// Signs the content of a statement anew, for the next place.
    fn put_again(&mut self, old: &SignedStatement, row: &Signed) -> Result<(), SignError> {
        let sub = Some(old.claims().sub.as_str()).filter(|_| !is_about_its_stream(old.kind()));
        // An agent that has seen none yet since its start still knows what it had seen by then.
        let head = self.chain.head().or(old.claims().head);
        let statement = self.chain.sign_naming(head, old.kind(), sub, old.payload()).map_err(own)?;
        self.rows.push(Signed { entry: statement.into_entry(), ..row.clone() });
        Ok(())
    }
}

/// exact.md §2: "A `stream`, `gap` or `quarantine` record" has its stream as `sub`.
fn is_about_its_stream(kind: &str) -> bool {
    matches!(kind, "stream" | "gap" | "quarantine")
}

fn own(error: impl std::fmt::Display) -> SignError {
    SignError::Own(error.to_string())
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

/// The system of a source that is configured no more.
const UNKNOWN: &str = "unknown";
/// What one step reads and writes at a time.
const MAX_STEP_BYTES: u64 = 8 * 1024 * 1024;
