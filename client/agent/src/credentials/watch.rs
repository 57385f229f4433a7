//! Tells what is new from what was seen before: each distinct credential once, for as long as it stays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use govlog_formats::digest::Digest;
use serde::{Deserialize, Serialize};

use super::adapter::FORM;
use super::observation::Sight;
use super::read::Seen;
use super::{SYSTEM, Watched};
use crate::feed::{Feed, FeedError, Found};
use crate::outbox::{Arrival, Content, idempotency_key};

/// Looks at a place.
pub trait Look: Send {
    /// What is looked at, as an operator knows it.
    fn reads(&self) -> &str;

    /// What [`Looked::unreadable`] counts, as heartbeats name it.
    fn unreadable(&self) -> &'static str {
        "files that cannot be read"
    }

    /// Gives all that can be seen there now, and how much could not be read.
    ///
    /// # Errors
    ///
    /// Nothing can be seen now.
    fn look(&mut self, now_ms: u64) -> Result<Looked, FeedError>;
}

/// What was seen in one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// What, and where.
    pub seen: Vec<(String, Seen)>,
    /// How much could not be read.
    pub unreadable: u64,
    /// Whether something that may be there was not answered yet since the first look: what the last process saw may still be there.
    pub is_partial: bool,
}

/// Watches a place.
#[derive(Debug)]
pub struct Watcher<L> {
    watched: Arc<Watched>,
    look: L,
    /// The names of what was seen and is still there.
    known: BTreeSet<String>,
    /// The names that the last process knew, until all that may be there was seen once.
    carried: BTreeSet<String>,
    observed: u64,
    told: Option<(u64, u64, u64)>,
}

/// A place, as it is kept.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    known: BTreeSet<String>,
}

impl<L: Look> Watcher<L> {
    /// Watches a place by looking at it.
    #[must_use]
    pub fn new(watched: Arc<Watched>, look: L) -> Self {
        Self { watched, look, known: BTreeSet::new(), carried: BTreeSet::new(), observed: 0, told: None }
    }

    fn arrival(&self, name: &str, sight: &Sight) -> Arrival {
        let instance = self.watched.name.clone();
        let key = idempotency_key(SYSTEM, &instance, name);
        // Whenever and wherever it is seen: it is the same.
        let semantic = Digest::sha256(name.as_bytes());
        let bytes = serde_json::to_vec(sight).unwrap_or_default();
        Arrival { instance, key, semantic, content: Content::Formed { form: FORM.to_owned(), bytes } }
    }

    /// Says that somebody still looks: now and then, and when a count changed.
    fn heard(&mut self, unreadable: u64, now_ms: u64) -> Vec<(String, BTreeMap<String, String>)> {
        let is_told = self.told.is_some_and(|(told_ms, observed, was)| {
            (observed, was) == (self.observed, unreadable) && now_ms.abs_diff(told_ms) < LIVES_MS
        });
        if is_told {
            return Vec::new();
        }
        self.told = Some((now_ms, self.observed, unreadable));
        let counts = [
            ("credentials observed", self.observed),
            ("credentials there", self.known.len() as u64),
            (self.look.unreadable(), unreadable),
        ];
        let counters = counts.into_iter().map(|(name, count)| (name.to_owned(), count.to_string())).collect();
        vec![(self.watched.name.clone(), counters)]
    }
}

impl<L: Look> Feed for Watcher<L> {
    fn route(&self) -> &str {
        &self.watched.route
    }

    fn system(&self) -> &'static str {
        SYSTEM
    }

    fn reads(&self) -> &str {
        self.look.reads()
    }

    fn resume(&mut self, place: Option<&[u8]>) -> Result<(), FeedError> {
        let place = place.map(serde_json::from_slice::<Place>).transpose().map_err(FeedError::new)?;
        self.known = place.unwrap_or_default().known;
        self.carried.clone_from(&self.known);
        Ok(())
    }

    fn read(&mut self, now_ms: u64) -> Result<Found, FeedError> {
        let Looked { seen, unreadable, is_partial } = self.look.look(now_ms)?;
        let (mut known, mut arrivals, mut more) = (BTreeSet::new(), Vec::new(), false);
        for (at, seen) in seen {
            let name = seen.name();
            if known.contains(&name) {
                continue;
            }
            if !self.known.contains(&name) {
                if arrivals.len() == AT_ONCE {
                    more = true;
                    continue;
                }
                arrivals.push(self.arrival(&name, &Sight { seen, at, seen_ms: now_ms }));
            }
            known.insert(name);
        }
        if !is_partial {
            self.carried.clear();
        }
        known.extend(self.carried.iter().cloned());
        self.observed += arrivals.len() as u64;
        let place = (known != self.known).then(|| Place { known: known.clone() });
        self.known = known;
        let place = place.map(|place| serde_json::to_vec(&place).unwrap_or_default());
        Ok(Found {
            arrivals,
            place,
            heard: self.heard(unreadable, now_ms),
            more,
            again: LOOK_AGAIN,
            ..Found::default()
        })
    }
}

/// The most new ones at a time.
const AT_ONCE: usize = 500;
const LOOK_AGAIN: Duration = Duration::from_secs(2);
const LIVES_MS: u64 = 60_000;
