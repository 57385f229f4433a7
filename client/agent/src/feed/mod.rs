//! Sources that the agent reads itself: files that are followed, interfaces that are polled.
//!
//! What was read and how far is noted together or not at all, so a crash neither loses nor repeats: the file, or the system behind the
//! interface, is what a feed reads again. While half of the outbox is taken nothing more is read: what is uploaded has nowhere else to wait for long.
//!
//! What waits for something before it is an event waits in the outbox, where its feed reads on behind it. It takes its room when it is read, so
//! that it becomes an event however full the outbox is.
//!
//! A feed that cannot read says so and tries again; it stops no other part of the agent.

mod reader;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use reader::Reader;

use crate::outbox::{Arrival, Decisions, Held, Note};

/// Something that is read.
pub trait Feed: Send {
    /// The route of the adapter that makes records of what is found.
    fn route(&self) -> &str;

    /// How records name the system that is read.
    fn system(&self) -> &'static str;

    /// What is read, as an operator knows it: a file, an address. Of one route no two feeds read the same.
    fn reads(&self) -> &str;

    /// Under which name its notes are kept among those of its route: what it reads, unless what they are about may be read elsewhere as well.
    fn remembers(&self) -> &str {
        self.reads()
    }

    /// Begins where the last process ended: with the place that was last found, or none.
    ///
    /// # Errors
    ///
    /// It is no place that this feed wrote.
    fn resume(&mut self, place: Option<&[u8]>) -> Result<(), FeedError>;

    /// Is told, before anything is read, what the last process remembered of single things: what [`Found::notes`] made of them in the end.
    ///
    /// # Errors
    ///
    /// It is nothing that this feed wrote.
    fn recall(&mut self, _notes: Vec<Note>) -> Result<(), FeedError> {
        Ok(())
    }

    /// Is told, before anything is read, who knows the decisions that other sources tell of, and what it held itself.
    fn meet(&mut self, _decisions: Arc<dyn Decisions>) {}

    /// Reads what is new since the last call; called again only when what this gave is kept.
    ///
    /// # Errors
    ///
    /// What is wrong, for people; it is tried again.
    fn read(&mut self, now_ms: u64) -> Result<Found, FeedError>;

    /// Gives what was held and waits no more, beside what is read; called again only when what this gave is kept.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    fn settle(&mut self, _now_ms: u64) -> Result<Found, FeedError> {
        Ok(Found::default())
    }
}

/// What a feed found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// New events, and what is none.
    pub arrivals: Vec<Arrival>,
    /// How far was read, in the feed's own form, if that changed.
    pub place: Option<Vec<u8>>,
    /// What is to be remembered of single things, beside the place: a change costs as much as changed, however much there is.
    pub notes: Vec<Note>,
    /// What is held from now on, and what no more. What a feed [settles](Feed::settle) holds nothing more.
    pub held: Vec<Held>,
    /// Which instances live, and what they count themselves: their heartbeats repeat it.
    pub heard: Vec<(String, BTreeMap<String, String>)>,
    /// Whether there is more to be read at once.
    pub more: bool,
    /// After which time it is worth looking again.
    pub again: Duration,
    /// What somebody must look at; said when the rest is kept.
    pub alarms: Vec<Alarm>,
}

/// Something that somebody must look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// By which name it is counted.
    pub kind: &'static str,
    /// What was found, for people.
    pub what: String,
}

/// Why nothing can be read now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FeedError(pub String);

impl FeedError {
    /// Makes one of what a system, a library or a parser says.
    pub fn new(why: impl std::fmt::Display) -> Self {
        Self(why.to_string())
    }
}
