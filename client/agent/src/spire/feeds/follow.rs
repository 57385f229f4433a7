//! The feed that follows a server's log.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::event::Event;
use super::super::known::Known;
use super::super::log::{Counters, Reading};
use super::super::{SYSTEM, Settings};
use super::arrival;
use crate::feed::{Feed, FeedError, Found};
use crate::lost;
use crate::outbox::Arrival;
use crate::tail::{Limits, Line, Place, Tail, What};

/// Follows a log.
#[derive(Debug)]
pub(super) struct Follow {
    settings: Arc<Settings>,
    known: Arc<Known>,
    reads: String,
    tail: Tail,
    reading: Reading,
    /// Where to go on behind what was given.
    place: Option<Place>,
    /// The place that was last given.
    told: Vec<u8>,
    heard_ms: u64,
    /// How often it was waited for the first answer of the server.
    waited: u32,
}

/// How far a log was read, and what of it waits.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stand {
    tail: Option<Place>,
    reading: Reading,
}

impl Follow {
    /// Follows a log from its beginning, until it is told where to go on.
    #[must_use]
    pub(super) fn new(settings: Arc<Settings>, known: Arc<Known>, log: &Path) -> Self {
        let tail = Tail::new(log, LIMITS, None);
        let (reads, reading) = (log.display().to_string(), Reading::default());
        Self { settings, known, reads, tail, reading, place: None, told: Vec::new(), heard_ms: 0, waited: 0 }
    }

    fn item(&mut self, what: What, now_ms: u64) -> Vec<Arrival> {
        let events = match what {
            What::Line(Line::Whole(bytes)) => self.reading.line(&bytes, &self.known, now_ms),
            What::Line(Line::Long { digest, size }) => vec![self.reading.long(digest, size)],
            What::Lost(lost) => return vec![lost::arrival(&lost, SYSTEM, self.settings.name(), now_ms)],
        };
        self.arrivals(events)
    }

    fn arrivals(&self, events: Vec<Event>) -> Vec<Arrival> {
        events.into_iter().map(|event| arrival(&self.settings, event)).collect()
    }

    /// Gives the place behind what was given, if it is another than before.
    fn stand(&mut self) -> Result<Option<Vec<u8>>, FeedError> {
        let stand = Stand { tail: self.place.clone(), reading: self.reading.clone() };
        let bytes = serde_json::to_vec(&stand).map_err(FeedError::new)?;
        if bytes == self.told {
            return Ok(None);
        }
        self.told.clone_from(&bytes);
        Ok(Some(bytes))
    }

    /// Says that the server lives, now and then: each time is a write.
    fn heard(&mut self, has_events: bool, now_ms: u64) -> Vec<(String, BTreeMap<String, String>)> {
        if !has_events && now_ms.abs_diff(self.heard_ms) < HEARD_MS {
            return Vec::new();
        }
        self.heard_ms = now_ms;
        let Counters { lines, passed_over, unreadable, events, unjoined } = *self.reading.counters();
        let counters = [
            ("lines", lines),
            ("passed_over", passed_over),
            ("unreadable", unreadable),
            ("events", events),
            ("unjoined", unjoined),
        ];
        let counters = counters.into_iter().map(|(name, count)| (name.to_owned(), count.to_string())).collect();
        vec![(self.settings.name().to_owned(), counters)]
    }
}

impl Feed for Follow {
    fn route(&self) -> &str {
        &self.settings.route
    }

    fn system(&self) -> &'static str {
        SYSTEM
    }

    fn reads(&self) -> &str {
        &self.reads
    }

    fn remembers(&self) -> &str {
        self.settings.name()
    }

    fn resume(&mut self, place: Option<&[u8]>) -> Result<(), FeedError> {
        let Some(bytes) = place else { return Ok(()) };
        let stand: Stand =
            serde_json::from_slice(bytes).map_err(|error| FeedError::new(format!("its place: {error}")))?;
        self.tail = Tail::new(Path::new(&self.reads), LIMITS, stand.tail.clone());
        (self.place, self.reading, self.told) = (stand.tail, stand.reading, bytes.to_vec());
        Ok(())
    }

    fn read(&mut self, now_ms: u64) -> Result<Found, FeedError> {
        // What is asked of the server is asked first, so that the first lines find what they are about; but not for ever.
        if self.known.polls() == Some(0) && self.waited < WAITS {
            self.waited += 1;
            return Ok(Found { again: SOON, ..Found::default() });
        }
        let read = self.tail.read().map_err(FeedError::new)?;
        if read.absent && read.items.is_empty() && self.reading.is_settled() {
            return Err(FeedError::new("there is no such file; it is waited for"));
        }
        let is_at_end = read.items.is_empty() && !read.more;
        let mut arrivals: Vec<Arrival> = Vec::new();
        for item in read.items {
            arrivals.extend(self.item(item.what, now_ms));
        }
        if is_at_end {
            let settled = self.reading.settle(&self.known, now_ms);
            arrivals.extend(self.arrivals(settled));
        }
        if let Some(place) = read.place {
            self.place = Some(place);
        }
        let heard = self.heard(!arrivals.is_empty(), now_ms);
        // A crash here leaves neither the place behind a line nor that the line told of something: the line is read again.
        let (place, notes) = (self.stand()?, self.known.notes_of_lines());
        Ok(Found { arrivals, place, notes, heard, more: read.more, again: AGAIN, ..Found::default() })
    }
}

/// A line of the audit log has a kilobyte, with a bundle in it some more. A step's lines are one write of the outbox.
const LIMITS: Limits = Limits { line_bytes: 256 << 10, read_bytes: 1 << 20, lines: 1_024 };
const SOON: Duration = Duration::from_millis(100);
/// Ten seconds in all: nobody asks, or nobody can.
const WAITS: u32 = 100;
const AGAIN: Duration = Duration::from_millis(500);
const HEARD_MS: u64 = 30_000;
