//! The station that reads one feed: what it finds goes into the outbox with the place at which to go on.

use std::sync::Arc;
use std::time::Duration;

use super::{Feed, FeedError, Found};
use crate::failpoints;
use crate::names::Names;
use crate::outbox::{self, Decisions, HowFar, OutboxError, ReceiveError};
use crate::pump::{PumpError, Round, Shared};
use crate::world::World;

/// Reads a feed, round by round.
pub struct Reader {
    feed: Box<dyn Feed>,
    shared: Arc<Shared>,
    names: Arc<Names>,
    world: Arc<dyn World>,
    pub(super) hold: outbox::Limits,
    has_begun: bool,
    /// What was found and not kept yet.
    held: Option<Found>,
    /// Whether the last try failed: what stays wrong is said once.
    pub(super) fails: bool,
}

impl Reader {
    /// Makes one.
    #[must_use]
    pub fn new(
        mut feed: Box<dyn Feed>,
        shared: Arc<Shared>,
        names: Arc<Names>,
        world: Arc<dyn World>,
        hold: outbox::Limits,
    ) -> Self {
        feed.meet(Arc::clone(&shared.outbox) as Arc<dyn Decisions>);
        Self { feed, shared, names, world, hold, has_begun: false, held: None, fails: false }
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

    /// Reads what is there, once, and keeps it.
    ///
    /// # Errors
    ///
    /// The outbox is not well.
    pub fn round(&mut self) -> Result<Round, PumpError> {
        let found = match self.find()? {
            Ok(found) => found,
            Err(error) => return Ok(self.failed(&error)),
        };
        if let Err(error) = self.keep(&found) {
            self.held = Some(found);
            return match error {
                NotKept::Refused(ReceiveError::Outbox(error)) => Err(error.into()),
                NotKept::Injected(error) => Err(error.into()),
                NotKept::Refused(error) => {
                    self.shared.found_room(!matches!(error, ReceiveError::Full { .. }));
                    Ok(self.failed(&FeedError::new(error)))
                }
            };
        }
        if self.fails {
            self.fails = false;
            tracing::info!(route = self.feed.route(), reads = self.feed.reads(), "it is read again");
        }
        self.shared.telemetry.feed(self.feed.route(), self.feed.reads(), true);
        for alarm in &found.alarms {
            tracing::error!(alarm = alarm.kind, route = self.feed.route(), "{}", alarm.what);
            self.shared.telemetry.alarm(alarm.kind);
        }
        Ok(if found.more { Round::Worked } else { Round::Later(found.again) })
    }

    /// Gives what was not kept the last time, or reads on.
    fn find(&mut self) -> Result<Result<Found, FeedError>, PumpError> {
        if let Some(found) = self.held.take() {
            return Ok(Ok(found));
        }
        if let Err(error) = self.begin()? {
            return Ok(Err(error));
        }
        Ok(self.feed.read(self.world.now_ms()))
    }

    fn keep(&self, found: &Found) -> Result<(), NotKept> {
        let (feed, outbox, now_ms) = (&self.feed, &self.shared.outbox, self.world.now_ms());
        let (place, notes) = (found.place.as_deref(), found.notes.as_slice());
        let how_far = HowFar { of: feed.reads(), place, notes_of: feed.remembers(), notes };
        let source = (feed.system(), feed.route());
        if !found.arrivals.is_empty() || found.place.is_some() || !found.notes.is_empty() {
            failpoints::hit("feed::before_write")?;
            let taken = self.names.naming(source, |name| {
                outbox.receive_read(feed.route(), &found.arrivals, Some(how_far), self.hold, now_ms, name)
            })?;
            failpoints::hit("feed::after_write")?;
            self.shared.found_room(true);
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

    fn failed(&mut self, error: &FeedError) -> Round {
        let (route, reads) = (self.feed.route(), self.feed.reads());
        if !self.fails {
            tracing::warn!(%error, route, reads, "it cannot be read now; it is tried again");
        }
        self.fails = true;
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
