//! What all sources have in common: where their events are filed, how records name them, and who makes records of their events.
//!
//! ```text
//! a source uploads ─▶ http ─┐
//!                           ├─▶ outbox ─▶ Adapter::draft ─▶ Draft
//! the agent reads  ─▶ feed ─┘
//! ```
//!
//! An adapter is one module with one shape: bytes in, events, records. It knows no clock, file or socket; what it must remember between two
//! events it takes from the event itself, or from what its [`feed`](crate::feed) keeps beside the events.

use std::fmt;
use std::sync::Arc;

use crate::opa::xfcc::Unknown;
use crate::seal::{Draft, Sealer};

/// Makes records of the events of one configured source.
pub trait Adapter: fmt::Debug + Send + Sync {
    /// Under which its events stand in the outbox: the prefix of a path, as `/ingest/opa/v1`, or a kind and a name, as `envoy:edge-1`.
    fn route(&self) -> &str;

    /// How records name the system that the events come from: `source.system`.
    fn system(&self) -> &'static str;

    /// The kinds of its records, so that it can be said before a start which of them this issuer may not sign.
    fn kinds(&self) -> Vec<&'static str>;

    /// Makes a record of an event.
    ///
    /// # Errors
    ///
    /// Why there is none, for a quarantine. It is in clear for ever, so it repeats nothing of what the event says.
    fn draft(&self, event: &Kept<'_>, sealer: Sealer<'_>) -> Result<Draft, String>;

    /// Says whether it is worth waiting, for a moment, until more is known, before a record is made of an event. What came behind it in its
    /// stream waits too; nobody may wait for ever.
    fn waits(&self, _event: &Kept<'_>, _now_ms: u64) -> bool {
        false
    }

    /// Says of an event that names a client's certificate and is not believed why it is not, for counting.
    fn doubt(&self, _event: &Kept<'_>) -> Option<Unknown> {
        None
    }
}

/// An event as the outbox kept it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept<'a> {
    /// Which instance of the source; empty where it is the agent that says it.
    pub instance: &'a str,
    /// What it is: empty for the events that the source itself writes, else a name that the adapter gave it.
    pub form: &'a str,
    /// When it came, POSIX milliseconds.
    pub received_ms: u64,
    /// The event.
    pub bytes: &'a [u8],
}

/// The adapters of an agent, by route.
#[derive(Clone, Debug, Default)]
pub struct Adapters(Vec<Arc<dyn Adapter>>);

impl Adapters {
    /// Adds one; gives its route back if there is one of that route already.
    ///
    /// # Errors
    ///
    /// The route is taken.
    pub fn add(&mut self, adapter: Arc<dyn Adapter>) -> Result<(), String> {
        if self.of(adapter.route()).is_some() {
            return Err(adapter.route().to_owned());
        }
        self.0.push(adapter);
        Ok(())
    }

    /// Finds the adapter of a route.
    #[must_use]
    pub fn of(&self, route: &str) -> Option<&dyn Adapter> {
        self.0.iter().find(|adapter| adapter.route() == route).map(|adapter| &**adapter)
    }

    /// All of them, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Adapter> {
        self.0.iter().map(|adapter| &**adapter)
    }
}
