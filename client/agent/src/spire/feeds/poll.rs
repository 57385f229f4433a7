//! The feed that asks what a server has.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::super::api::Listing;
use super::super::api::changes::{Before, Portion};
use super::super::known::Known;
use super::super::{SYSTEM, Settings};
use super::arrival;
use crate::feed::{Feed, FeedError, Found};
use crate::outbox::Note;

/// Somebody who can be asked what a server has.
pub(super) trait Look: Send {
    /// Asks.
    ///
    /// # Errors
    ///
    /// What is wrong, for people; it is tried again.
    fn look(&mut self, now_ms: u64) -> Result<Looked, FeedError>;
}

/// What there was to be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    /// What the server has.
    pub(super) listing: Listing,
    /// Whether all entries were listed at one time.
    pub(super) is_whole: bool,
    /// What could not be seen.
    pub(super) trouble: Option<FeedError>,
}

/// Asks again and again.
pub(super) struct Poll<L> {
    settings: Arc<Settings>,
    known: Arc<Known>,
    look: L,
    reads: String,
    before: Before,
    /// Whether its place is still one that an earlier version wrote; what is noted takes its place.
    is_older: bool,
    trouble: Option<FeedError>,
}

impl<L: Look> Poll<L> {
    /// Asks whoever can be asked; `reads` is where that is.
    #[must_use]
    pub(super) fn new(settings: Arc<Settings>, known: Arc<Known>, look: L, reads: &Path) -> Self {
        let reads = reads.display().to_string();
        Self { settings, known, look, reads, before: Before::default(), is_older: false, trouble: None }
    }

    /// Looks at what there is.
    fn look(&mut self, now_ms: u64) -> Result<(), FeedError> {
        // Said when what could be seen is kept.
        if let Some(trouble) = self.trouble.take() {
            return Err(trouble);
        }
        let looked = self.look.look(now_ms);
        if let Ok(Looked { listing, .. }) = &looked {
            if let Some(entries) = &listing.entries {
                self.known.entries(entries);
            }
            self.known.authorities(&listing.authorities, now_ms);
        }
        self.known.asked(now_ms);
        let Looked { listing, is_whole, trouble } = looked?;
        self.trouble = trouble;
        self.before.begin(listing, &self.known, is_whole);
        Ok(())
    }
}

impl<L: Look> Feed for Poll<L> {
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
        let Some(place) = place.filter(|place| *place != NO_PLACE) else { return Ok(()) };
        self.before.take_older(place).map_err(|error| FeedError::new(format!("its place: {error}")))?;
        self.is_older = true;
        Ok(())
    }

    fn recall(&mut self, notes: Vec<Note>) -> Result<(), FeedError> {
        let unreadable = |name| FeedError::new(format!("its note of {name} cannot be read"));
        let notes = self.known.recall(notes).map_err(unreadable)?;
        self.before.recall(notes).map_err(unreadable)
    }

    fn read(&mut self, now_ms: u64) -> Result<Found, FeedError> {
        if self.before.is_done() {
            self.look(now_ms)?;
        }
        // A crash here, or anywhere before the rest of a listing is given, leaves what was given and its notes: the next listing has the rest.
        let Portion { events, mut notes } = self.before.portion(&self.known, AT_ONCE, AT_ONCE_BYTES);
        notes.extend(self.known.notes_of_polls());
        let arrivals = events.into_iter().map(|event| arrival(&self.settings, event)).collect();
        // The log says that the server lives; without one, this does.
        let is_heard = self.settings.log.is_none() && !notes.is_empty();
        let heard = if is_heard { vec![(self.settings.name().to_owned(), BTreeMap::new())] } else { Vec::new() };
        let more = !self.before.is_done() || self.trouble.is_some();
        let place = std::mem::take(&mut self.is_older).then(|| NO_PLACE.to_vec());
        Ok(Found { arrivals, place, notes, heard, more, again: self.settings.poll, ..Found::default() })
    }
}

impl<L> std::fmt::Debug for Poll<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poll").field("reads", &self.reads).finish_non_exhaustive()
    }
}

/// What goes into one write of the outbox; all of a large server would keep everybody else waiting, and fill it at once.
const AT_ONCE: usize = 500;
const AT_ONCE_BYTES: usize = 1 << 20;
/// All of it stands in notes.
const NO_PLACE: &[u8] = b"{}";
