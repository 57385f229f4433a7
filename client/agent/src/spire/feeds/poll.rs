//! The feed that asks what a server has.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::super::api::Listing;
use super::super::api::changes::Before;
use super::super::known::Known;
use super::super::{SYSTEM, Settings};
use super::arrival;
use crate::feed::{Feed, FeedError, Found};

/// Somebody who can be asked what a server has.
pub(super) trait Look: Send {
    /// Asks.
    ///
    /// # Errors
    ///
    /// What is wrong, for people; it is tried again.
    fn look(&mut self) -> Result<Looked, FeedError>;
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
    /// The place that was last given.
    told: Vec<u8>,
    trouble: Option<FeedError>,
}

impl<L: Look> Poll<L> {
    /// Asks whoever can be asked; `reads` is where that is.
    #[must_use]
    pub(super) fn new(settings: Arc<Settings>, known: Arc<Known>, look: L, reads: &Path) -> Self {
        let reads = reads.display().to_string();
        Self { settings, known, look, reads, before: Before::default(), told: Vec::new(), trouble: None }
    }

    fn find(&mut self, now_ms: u64) -> Result<Found, FeedError> {
        // Said when what could be seen is kept.
        if let Some(trouble) = self.trouble.take() {
            return Err(trouble);
        }
        let Looked { listing, is_whole, trouble } = self.look.look()?;
        self.trouble = trouble;
        if let Some(entries) = &listing.entries {
            self.known.entries(entries);
        }
        self.known.authorities(&listing.authorities, now_ms);
        let events = self.before.compare(&listing, &self.known, is_whole);
        let arrivals = events.into_iter().map(|event| arrival(&self.settings, event)).collect();
        let bytes = serde_json::to_vec(&self.before).map_err(FeedError::new)?;
        let place = (bytes != self.told).then(|| bytes.clone());
        self.told = bytes;
        // The log says that the server lives; without one, this does.
        let is_heard = self.settings.log.is_none() && place.is_some();
        let heard = if is_heard { vec![(self.settings.name().to_owned(), BTreeMap::new())] } else { Vec::new() };
        let more = self.trouble.is_some();
        Ok(Found { arrivals, place, heard, more, again: self.settings.poll, ..Found::default() })
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

    fn resume(&mut self, place: Option<&[u8]>) -> Result<(), FeedError> {
        let Some(bytes) = place else { return Ok(()) };
        self.before = serde_json::from_slice(bytes).map_err(|error| FeedError::new(format!("its place: {error}")))?;
        self.told = bytes.to_vec();
        Ok(())
    }

    fn read(&mut self, now_ms: u64) -> Result<Found, FeedError> {
        let found = self.find(now_ms);
        self.known.asked();
        found
    }
}

impl<L> std::fmt::Debug for Poll<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poll").field("reads", &self.reads).finish_non_exhaustive()
    }
}
