//! The index: where to look for entries, by what [`govlog_formats::search`] says they are found by.
//!
//! ```text
//! committed entries ─▶ tail (memory, the open segment) ─▶ segments (D/index, sorted files) ─▶ search ─▶ entries re-read and judged
//! ```
//!
//! It is derived from the store, never the other way round, and stands beside the path of an acknowledgement: a thread of its own follows the
//! committed head and gives way to the writer. It may be deleted at any time, also under a running log, and a crash anywhere costs no more than
//! the open segment, which is read again from the store. Whatever is found to be wrong with it (a checksum, another store's id, other rules,
//! a hole, an entry that has not what it is listed under) makes it be built anew in the background; until that is done a search is answered
//! with how far it is.
//!
//! **Trust**: none. Hits are re-read from the store and judged by the same [`Filter`] that the client judges them by, so a wrong index can
//! hide entries and never make one up; that none is hidden is for a client to find out by reading the log.

mod build;
mod fault;
mod rows;
mod search;
mod segments;
mod shared;
mod tail;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use govlog_formats::merkle::TreeSize;
use govlog_formats::search::Filter;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::blocking::Pool;
use crate::sequencer::CommittedHead;
use crate::store::LogStore;
use crate::telemetry::Telemetry;

pub use build::{Built, rebuild};
pub use fault::Fault;
pub(crate) use search::{Page, SearchError};
pub(crate) use shared::Progress;

use self::build::Worker;
use self::shared::Shared;
use self::tail::Room;

/// What the index is made of.
pub(crate) struct Parts {
    /// Its directory.
    pub(crate) path: PathBuf,
    /// Where the entries are.
    pub(crate) store: Arc<dyn LogStore>,
    /// The newest committed head.
    pub(crate) heads: watch::Receiver<CommittedHead>,
    /// Says whether statements wait to be committed: the index is built more slowly then.
    pub(crate) busy: Box<dyn Fn() -> bool + Send>,
    /// Counts and times.
    pub(crate) telemetry: Telemetry,
}

/// Asks the index. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Index {
    shared: Arc<Shared>,
    pool: Pool,
}

/// The thread that keeps the index. Dropping it tells the thread to end; [`stop`](Self::stop) waits for that.
#[derive(Debug)]
pub(crate) struct Indexer {
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Index {
    /// Opens the index, or begins to build it, on a thread of its own. Called on a thread that knows its runtime.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(parts: Parts) -> std::io::Result<(Self, Indexer)> {
        Self::start_within(parts, Room::default())
    }

    fn start_within(parts: Parts, room: Room) -> std::io::Result<(Self, Indexer)> {
        let Parts { path, store, heads, busy, telemetry } = parts;
        let shared = Arc::new(Shared::new(path, store, room));
        let (stop, stopped) = watch::channel(false);
        let worker =
            Worker { shared: Arc::clone(&shared), heads, busy, telemetry, stopped, runtime: Handle::current() };
        let thread = std::thread::Builder::new().name("index".into()).spawn(move || worker.run())?;
        let index = Self { shared, pool: Pool::new("the index", SEARCHES, SEARCHES_WAITING) };
        Ok((index, Indexer { stop, thread }))
    }

    /// Tells how far the index is, and when it is further.
    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.shared.progress()
    }

    /// Finds the entries from index `from` on, below `end`, that a filter asks for, at most `limit` of them, in the order of the log.
    ///
    /// Where much must be looked at for little, the page ends early, and says where the next one begins.
    ///
    /// # Errors
    /// [`SearchError`].
    pub(crate) async fn search(
        &self,
        filter: Filter,
        from: u64,
        end: TreeSize,
        limit: usize,
    ) -> Result<Page, SearchError> {
        let shared = Arc::clone(&self.shared);
        self.pool.run(move || search::page(&shared, &filter, from, end.get(), limit)).await?
    }
}

impl Indexer {
    /// Ends the thread and waits for it.
    pub(crate) fn stop(self) {
        self.stop.send_replace(true);
        // That it panicked was reported by then.
        drop(self.thread.join());
    }
}

/// Searches at a time; each decompresses blocks and parses entries.
const SEARCHES: usize = 2;
/// Searches that wait for that.
const SEARCHES_WAITING: usize = 64;
