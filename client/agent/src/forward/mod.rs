//! The sink that OPA's uploads went to before: it gets them as before, from the agent.
//!
//! ```text
//! upload ─▶ http ─┬─▶ outbox ─▶ …
//!                 └─▶ queue ─▶ forwarder ─▶ the other sink
//! ```
//!
//! OPA has one remote sink for its decision log. With `forward` the agent is that sink and hands on what it gets, byte for byte, so that who
//! installs it loses nothing. What happens here neither delays nor refuses an upload: who does not take it gets it again, and a full queue
//! drops its oldest uploads, which is counted and told.
//!
//! An upload is handed on at least once: after a crash, or when the other sink's answer got lost, it comes again, as it does from OPA itself.
//!
//! Trust: the other sink gets what OPA sent, in clear, as it did before; its answers decide nothing but whether it gets an upload again. The queue
//! holds uploads in clear; its folder is its owner's alone.

mod queue;
mod sender;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use govlog_client::source::Outbound;
use govlog_formats::digest::Digest;

pub use queue::{Pushed, Queue, QueueError, Upload};
pub use sender::Forwarder;

/// Where a group's uploads go as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The address in front of `/logs` and `/status`.
    pub url: String,
    /// How the agent shows itself there, and which authorities speak for it.
    pub client: Outbound,
    /// Bytes of uploads that may wait.
    pub bytes: u64,
}

/// The queues of an agent, by the prefix of their group's routes.
pub type Queues = BTreeMap<String, Arc<Queue>>;

/// The folder of a group's queue, beneath that of the outbox.
#[must_use]
pub fn folder(outbox: &Path, prefix: &str) -> PathBuf {
    let name: String = Digest::sha256(prefix.as_bytes()).to_string().chars().take(16).collect();
    outbox.join("forward").join(name)
}
