//! What the outbox keeps of a stream, and how it is written.

use std::collections::BTreeMap;

use govlog_formats::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::hex;

/// The number of a stream in this outbox.
pub type StreamNumber = u64;

/// A stream of this agent in the log, and what is known of the source whose events it carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// The ingest route the source speaks on; empty for the agent's own stream.
    pub route: String,
    /// The source's instance; empty for the agent's own stream.
    pub instance: String,
    /// The stream's name in the log.
    pub name: String,
    /// The stream that this one continues.
    pub predecessor: Option<String>,
    /// The position that the next statement takes; 0: not even its opening is signed.
    pub next_seq: u64,
    /// The identity of the statement before it.
    #[serde(with = "hex::one")]
    pub prev: Digest,
    /// When the source was last heard, POSIX milliseconds.
    pub heard_ms: u64,
    /// When the last `stream` record was signed, POSIX milliseconds.
    pub told_ms: u64,
    /// What happened since then.
    pub counters: Counters,
    /// The source's own counters, as it last reported them.
    #[serde(default)]
    pub source_counters: BTreeMap<String, String>,
    /// Whether its closing is signed: nothing more is put into it.
    #[serde(default)]
    pub closed: bool,
    /// The capture rule that was last logged in it; none: no batch stands in it yet.
    #[serde(default, with = "hex::maybe")]
    pub capture: Option<Digest>,
}

/// What happened in a stream since its last `stream` record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// Events that came in, repeated ones too.
    pub received: u64,
    /// Events that became records of their own kind.
    pub emitted: u64,
    /// Events that had come before.
    pub duplicate: u64,
    /// Inputs that became a `quarantine`.
    pub quarantined: u64,
}

impl Stream {
    /// Makes the row of a stream that is yet to be opened.
    #[must_use]
    pub fn new(route: &str, instance: &str, name: String, predecessor: Option<String>, now_ms: u64) -> Self {
        Self {
            route: route.to_owned(),
            instance: instance.to_owned(),
            name,
            predecessor,
            next_seq: 0,
            prev: Digest::ZERO,
            heard_ms: now_ms,
            told_ms: now_ms,
            counters: Counters::default(),
            source_counters: BTreeMap::new(),
            closed: false,
            capture: None,
        }
    }
}

impl std::ops::AddAssign for Counters {
    fn add_assign(&mut self, more: Self) {
        self.received += more.received;
        self.emitted += more.emitted;
        self.duplicate += more.duplicate;
        self.quarantined += more.quarantined;
    }
}

impl std::ops::SubAssign for Counters {
    fn sub_assign(&mut self, told: Self) {
        self.received = self.received.saturating_sub(told.received);
        self.emitted = self.emitted.saturating_sub(told.emitted);
        self.duplicate = self.duplicate.saturating_sub(told.duplicate);
        self.quarantined = self.quarantined.saturating_sub(told.quarantined);
    }
}
