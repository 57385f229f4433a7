//! The pump: from waiting to published, in three stations that share the outbox and nothing else of weight.
//!
//! ```text
//! waiting ─▶ sign ─▶ signed ─▶ send ─▶ committed ─▶ confirm ─▶ published: openings stored, deleted
//!           Signer             Sender              Confirmer
//! ```
//!
//! [`Sender`] hands statements over in order and waits for `committed` only, so that the log is kept busy. [`Confirmer`] asks for the same
//! statements again, by their very bytes, until each is proved under a checkpoint that meets the quorum. How far the sender got is not
//! kept on disk: after a restart everything signed is sent again, and the log knows it.

mod backoff;
mod bell;
mod confirm;
mod log;
mod resync;
mod send;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use backoff::Backoff;
pub use bell::Bell;
pub use confirm::Confirmer;
pub use log::Log;
pub use send::{Sender, Terms};

use govlog_formats::limits::MAX_BATCH_STATEMENTS;

use crate::failpoints::Injected;
use crate::keys::Credential;
use crate::outbox::{Outbox, OutboxError, Signed, Stream, StreamNumber};
use crate::sign::{SignError, Signer};
use crate::telemetry::Telemetry;
use crate::world::{World, millis};

/// What the stations share.
#[derive(Debug)]
pub struct Shared {
    /// What is not proved to be in the log.
    pub outbox: Arc<Outbox>,
    /// Rung when there is something to do.
    pub bell: Bell,
    /// What is counted.
    pub telemetry: Arc<Telemetry>,
    signer: Mutex<Signer>,
    /// For each stream the first position that the log has not confirmed as committed.
    unsent: Mutex<HashMap<StreamNumber, u64>>,
    /// The newest time at which all witnesses of a verified checkpoint had cosigned something, POSIX milliseconds; 0: none yet. It does not jump as
    /// a clock does; without witnesses it is the clock.
    witnessed_ms: AtomicU64,
    /// Whether the last upload found no room.
    is_full: AtomicBool,
    /// Whether nothing can be signed, for want of an X.509-SVID.
    is_unsigned: AtomicBool,
    stop: AtomicBool,
}

/// What a station did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Something: there may be more.
    Worked,
    /// Nothing was there to do.
    Idle,
    /// Nothing was there to do, but something is due after this time, whoever rings or not.
    IdleFor(Duration),
    /// The log did not take it now; to be tried again after this time.
    Later(Duration),
}

/// Why a station ends: what is on disk is not known any more, or this program is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PumpError {
    /// The outbox is not well.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// Nothing can be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A statement of the outbox cannot be read.
    #[error("a statement in the outbox: {0}")]
    Statement(#[from] govlog_formats::statement::StatementError),
    /// Injected by a test.
    #[error(transparent)]
    Injected(#[from] Injected),
}

impl Shared {
    /// Puts the parts together.
    #[must_use]
    pub fn new(outbox: Arc<Outbox>, signer: Signer, telemetry: Arc<Telemetry>) -> Self {
        Self {
            outbox,
            bell: Bell::default(),
            telemetry,
            signer: Mutex::new(signer),
            unsent: Mutex::default(),
            witnessed_ms: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
            is_unsigned: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        }
    }

    /// Tells all stations to end after what they do now.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.bell.ring();
    }

    /// Notes whether an upload found room.
    pub fn found_room(&self, found: bool) {
        self.is_full.store(!found, Ordering::Relaxed);
    }

    /// Whether the last upload found no room in the outbox.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Whether the stations are to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether something can be signed; it is told once when that changes, for whoever must see to it.
    fn can_sign(&self) -> bool {
        let credential = self.signer().credential();
        self.telemetry.signs_until(credential.as_ref().map(Credential::not_after_s).map_err(|_| ()));
        let was_unsigned = self.is_unsigned.swap(credential.is_err(), Ordering::Relaxed);
        match credential {
            Err(why) if !was_unsigned => {
                self.telemetry.alarm("svid");
                tracing::error!(alarm = "svid", %why, "nothing is signed until there is one; what comes is kept");
            }
            Ok(_) if was_unsigned => tracing::info!("there is an X.509-SVID again: what waited is signed"),
            _ => {}
        }
        !self.is_unsigned.load(Ordering::Relaxed)
    }

    pub(crate) fn signer(&self) -> MutexGuard<'_, Signer> {
        // Signing changes nothing in memory that a panic could leave half done.
        self.signer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a test ask the signer for what the sender asks for.
    #[cfg(test)]
    pub(crate) fn with_signer<T>(&self, ask: impl FnOnce(&Signer) -> T) -> T {
        ask(&self.signer())
    }

    fn unsent(&self, number: StreamNumber) -> Option<u64> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner).get(&number).copied()
    }

    /// Drops what is remembered of streams that are gone.
    fn forget_others(&self, streams: &[(StreamNumber, Stream)]) {
        let mut unsent = self.unsent.lock().unwrap_or_else(PoisonError::into_inner);
        if unsent.len() > streams.len() {
            unsent.retain(|number, _| streams.iter().any(|(there, _)| there == number));
        }
    }

    fn set_unsent(&self, number: StreamNumber, seq: u64) {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner).insert(number, seq);
    }

    /// Runs a station until it is told to stop, or fails.
    ///
    /// # Errors
    ///
    /// As the station says.
    pub fn run(&self, round: impl FnMut() -> Result<Round, PumpError>) -> Result<(), PumpError> {
        self.run_while(&|| true, round)
    }

    /// As [`run`](Self::run), and only for as long as it is to go on.
    ///
    /// # Errors
    ///
    /// As a round.
    pub fn run_while(
        &self,
        goes_on: &dyn Fn() -> bool,
        mut round: impl FnMut() -> Result<Round, PumpError>,
    ) -> Result<(), PumpError> {
        while !self.is_stopping() && goes_on() {
            // Heard before the look, so that what comes during it wakes at once.
            let heard = self.bell.heard();
            match round()? {
                Round::Worked => {}
                Round::Idle => self.bell.wait(heard, LONGEST_IDLE),
                Round::IdleFor(time) => self.bell.wait(heard, time.min(LONGEST_IDLE)),
                Round::Later(time) => self.pause(time, goes_on),
            }
        }
        Ok(())
    }

    /// Waits, whatever rings meanwhile, but for the end.
    fn pause(&self, time: Duration, goes_on: &dyn Fn() -> bool) {
        let end = Instant::now() + time;
        while !self.is_stopping() && goes_on() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            self.bell.wait(self.bell.heard(), left.min(LONGEST_IDLE));
        }
    }

    /// One round of signing: every stream gets a turn, as long as not too much is signed ahead.
    ///
    /// What is signed late has a young `iat` and is less to sign anew, so a backlog is kept unsigned. `keep_closed`: how long after it was last
    /// heard of a closed stream is forgotten, which makes room for others.
    ///
    /// # Errors
    ///
    /// The outbox is not well, or nothing can be signed.
    pub fn sign(&self, world: &dyn World, keep_closed: Duration) -> Result<Round, PumpError> {
        let (mut worked, mut due_in) = (false, None::<Duration>);
        if !self.can_sign() {
            return Ok(Round::Idle);
        }
        let streams = self.outbox.streams()?;
        self.forget_others(&streams);
        for (number, stream) in streams {
            let ahead = self.outbox.signed_ahead(number);
            // What is signed takes more room than what it is made of, so a full outbox is signed only as far as one batch needs.
            let most = if self.is_full() { SIGNED_AHEAD_FULL } else { SIGNED_AHEAD };
            let is_enough = ahead.count >= most || ahead.bytes >= SIGNED_AHEAD_BYTES;
            if stream.closed || self.is_stopping() || is_enough {
                continue;
            }
            let (step, closes_in) = {
                let signer = self.signer();
                match signer.step(number, SIGNED_AT_ONCE) {
                    // It has ended since it was looked at: the next round says so.
                    Err(SignError::Unsigned(_)) => break,
                    step => (step?, signer.closes_in(number, world.now_ms())),
                }
            };
            due_in = due_in.into_iter().chain(closes_in).min();
            self.telemetry.signed(step);
            worked |= step != crate::sign::Step::default();
        }
        let witnessed_ms = self.witnessed_ms.load(Ordering::Relaxed);
        let forgotten = self.outbox.forget(witnessed_ms, world.now_ms().saturating_sub(millis(keep_closed)))?;
        if worked {
            self.bell.ring();
        }
        Ok(match due_in {
            _ if worked || forgotten > 0 => Round::Worked,
            Some(time) => Round::IdleFor(time),
            None => Round::Idle,
        })
    }
}

/// A signed statement on its way.
#[derive(Debug)]
struct Item {
    number: StreamNumber,
    /// The stream's name, for people.
    stream: Arc<str>,
    seq: u64,
    row: Signed,
}

/// Statements collected for one batch, within its bounds: of what the log takes, and of what is held in memory.
#[derive(Debug, Default)]
struct Items {
    items: Vec<Item>,
    bytes: u64,
}

impl Items {
    /// Adds the statements of a stream from a position on, as many as there is room for.
    fn add(
        &mut self,
        outbox: &Outbox,
        (number, name): (StreamNumber, &str),
        seqs: std::ops::Range<u64>,
    ) -> Result<(), OutboxError> {
        let left = MAX_BATCH_STATEMENTS.saturating_sub(self.items.len());
        if left == 0 || self.bytes >= BATCH_BYTES {
            return Ok(());
        }
        let stream: Arc<str> = name.into();
        for (seq, row) in outbox.signed(number, seqs.start, left, BATCH_BYTES - self.bytes)? {
            if seq < seqs.end {
                self.bytes += u64::try_from(row.entry.len() + row.openings.len()).unwrap_or(u64::MAX);
                self.items.push(Item { number, stream: Arc::clone(&stream), seq, row });
            }
        }
        Ok(())
    }
}

/// What one batch holds in memory: statements and their openings. Half of what the log allows for the statements alone.
const BATCH_BYTES: u64 = 4 * 1024 * 1024;
/// How many statements of a stream may be signed and not published. Of each: one that the log refuses holds none of the others.
const SIGNED_AHEAD: u64 = 4_096;
const SIGNED_AHEAD_FULL: u64 = 512;
/// And how many bytes of them, openings included: what is signed anew is read into memory whole.
const SIGNED_AHEAD_BYTES: u64 = 32 * 1024 * 1024;
/// How many inputs of a stream are signed in one transaction.
const SIGNED_AT_ONCE: usize = 512;
/// Heartbeats are looked after this often.
const LONGEST_IDLE: Duration = Duration::from_secs(1);
