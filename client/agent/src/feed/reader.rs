//! The station that reads one feed: what it finds goes into the outbox with the place at which to go on; what waited there becomes an event.

use std::sync::Arc;
use std::time::Duration;

use super::{Feed, FeedError, Found};
use crate::failpoints;
use crate::names::Names;
use crate::outbox::{Decisions, HowFar, Limits, OutboxError, ReceiveError};
use crate::pump::{PumpError, Round, Shared};
use crate::world::World;

/// Reads a feed, round by round.
pub struct Reader {
    feed: Box<dyn Feed>,
    shared: Arc<Shared>,
    names: Arc<Names>,
    world: Arc<dyn World>,
    pub(super) hold: Limits,
    has_begun: bool,
    /// What was read and not kept yet.
    read: Option<Found>,
    /// What was settled and not kept yet.
    settled: Option<Found>,
    /// Why the last try failed, if it did: what stays wrong is said once.
    pub(super) wrong: Option<FeedError>,
}

impl Reader {
    /// Makes one.
    #[must_use]
    pub fn new(
        mut feed: Box<dyn Feed>,
        shared: Arc<Shared>,
        names: Arc<Names>,
        world: Arc<dyn World>,
        hold: Limits,
    ) -> Self {
        feed.meet(Arc::clone(&shared.outbox) as Arc<dyn Decisions>);
        Self { feed, shared, names, world, hold, has_begun: false, read: None, settled: None, wrong: None }
    }

    /// Gives the feed its place, if it has not got it; says why it does not take it. Before the first event is signed, so that what is known
    /// from the last process is known to it.
    ///
    /// # Errors
    ///
    /// The outbox is not well.
    pub fn begin(&mut self) -> Result<Result<(), FeedError>, OutboxError> {
        if !self.has_begun {
            let route = self.feed.route();
            let place = self.shared.outbox.place(route, self.feed.reads())?;
            let notes = self.shared.outbox.notes(route, self.feed.remembers())?;
            if let Err(error) = self.feed.resume(place.as_deref()).and_then(|()| self.feed.recall(notes)) {
                return Ok(Err(error));
            }
            self.has_begun = true;
        }
        Ok(Ok(()))
    }

    /// Reads what is there, once, and settles what waits no more; keeps both.
    ///
    /// # Errors
    ///
    /// The outbox is not well.
    pub fn round(&mut self) -> Result<Round, PumpError> {
        if let Err(error) = self.begin()? {
            return Ok(self.failed(error));
        }
        // As long as that is not kept nothing more is read: it would be held on top.
        if self.settled.is_some()
            && let Err(error) = self.turn(Turn::Settle)?
        {
            return Ok(self.failed(error));
        }
        // However the one goes, so that what is held by a full outbox makes room.
        let (read, settled) = (self.turn(Turn::Read)?, self.turn(Turn::Settle)?);
        let (worked, again) = both(read, settled);
        let again = match again {
            Ok(again) => {
                self.is_well();
                Round::Later(again)
            }
            Err(error) => self.failed(error),
        };
        Ok(if worked { Round::Worked } else { again })
    }

    /// Does one of the two, once, and keeps what comes of it.
    fn turn(&mut self, turn: Turn) -> Result<Result<Turned, FeedError>, PumpError> {
        let now_ms = self.world.now_ms();
        // What was not kept the last time comes first.
        let found = match turn {
            Turn::Read => self.read.take().map_or_else(|| self.feed.read(now_ms), Ok),
            Turn::Settle => self.settled.take().map_or_else(|| self.feed.settle(now_ms), Ok),
        };
        let found = match found {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = self.keep(&found, turn) {
            match turn {
                Turn::Read => self.read = Some(found),
                Turn::Settle => self.settled = Some(found),
            }
            return match error {
                NotKept::Refused(ReceiveError::Outbox(error)) => Err(error.into()),
                NotKept::Injected(error) => Err(error.into()),
                NotKept::Refused(error) => {
                    // Who uploads may find room all the same, and is what lines wait for.
                    if matches!(error, ReceiveError::Full { held, .. } if held > self.hold.bytes) {
                        self.shared.found_room(false);
                    }
                    Ok(Err(FeedError::new(error)))
                }
            };
        }
        for alarm in &found.alarms {
            tracing::error!(alarm = alarm.kind, route = self.feed.route(), "{}", alarm.what);
            self.shared.telemetry.alarm(alarm.kind);
        }
        Ok(Ok(Turned { more: found.more, again: found.again }))
    }

    fn keep(&self, found: &Found, turn: Turn) -> Result<(), NotKept> {
        let (feed, outbox, now_ms) = (&self.feed, &self.shared.outbox, self.world.now_ms());
        let (place, notes, held) = (found.place.as_deref(), found.notes.as_slice(), found.held.as_slice());
        let how_far = HowFar { of: feed.reads(), place, notes_of: feed.remembers(), notes, held };
        let source = (feed.system(), feed.route());
        let (before, after, hold) = match turn {
            // What is read waits where it is; what is uploaded has nowhere else to wait for long.
            Turn::Read => {
                ("feed::before_write", "feed::after_write", Limits { bytes: self.hold.bytes / 2, ..self.hold })
            }
            // What is held has its room.
            Turn::Settle => ("feed::before_settle", "feed::after_settle", Limits { bytes: u64::MAX, ..self.hold }),
        };
        if !found.arrivals.is_empty() || place.is_some() || !notes.is_empty() || !held.is_empty() {
            failpoints::hit(before)?;
            let taken = self.names.naming(source, |name| {
                outbox.receive_read(feed.route(), &found.arrivals, Some(how_far), hold, now_ms, name)
            })?;
            failpoints::hit(after)?;
            // How far was read, and what is known already, finds its place in a full outbox too.
            let took_room = taken.new + taken.conflicting + taken.inputs > 0 || !held.is_empty();
            if turn == Turn::Read && took_room {
                self.shared.found_room(true);
            }
            self.shared.telemetry.received(taken);
            if taken.conflicting > 0 {
                let (route, events) = (feed.route(), taken.conflicting);
                tracing::error!(
                    alarm = "conflict",
                    route,
                    events,
                    "other content was read under the ids of earlier events"
                );
            }
        }
        for (instance, counters) in &found.heard {
            self.shared.telemetry.heard(feed.route(), instance, counters);
            self.names
                .naming(source, |name| outbox.heard(feed.route(), instance, counters, self.hold, now_ms, name))?;
        }
        if !found.arrivals.is_empty() {
            self.shared.bell.ring();
        }
        Ok(())
    }

    fn is_well(&mut self) {
        if self.wrong.take().is_some() {
            tracing::info!(route = self.feed.route(), reads = self.feed.reads(), "it is read again");
        }
        self.shared.telemetry.feed(self.feed.route(), self.feed.reads(), true);
    }

    fn failed(&mut self, error: FeedError) -> Round {
        let (route, reads) = (self.feed.route(), self.feed.reads());
        if self.wrong.is_none() {
            tracing::warn!(%error, route, reads, "it cannot be read now; it is tried again");
        }
        self.wrong = Some(error);
        self.shared.telemetry.feed(route, reads, false);
        Round::Later(AFTER_FAILURE)
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("route", &self.feed.route())
            .field("reads", &self.feed.reads())
            .finish_non_exhaustive()
    }
}

/// One of the two things that a round does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Read,
    Settle,
}

/// What came of one.
struct Turned {
    more: bool,
    again: Duration,
}

/// Whether there is more at once, however one of the two went, and after which time it is worth looking again.
fn both(read: Result<Turned, FeedError>, settled: Result<Turned, FeedError>) -> (bool, Result<Duration, FeedError>) {
    match (read, settled) {
        (Ok(read), Ok(settled)) => (read.more || settled.more, Ok(read.again)),
        (Err(error), Ok(other)) | (Ok(other), Err(error)) => (other.more, Err(error)),
        (Err(read), Err(settled)) => (false, Err(FeedError(format!("{read}; {settled}")))),
    }
}

/// Why what was found is not kept.
#[derive(Debug, thiserror::Error)]
enum NotKept {
    #[error(transparent)]
    Refused(#[from] ReceiveError),
    #[error(transparent)]
    Injected(#[from] failpoints::Injected),
}

/// Long enough not to be in the way of what is wrong, short enough for whoever mends it.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
