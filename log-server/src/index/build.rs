//! The thread that keeps the index: opens it, follows the committed head, and builds it anew when it is wrong.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use govlog_formats::merkle::{LeafIndex, TreeSize};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::fault::Fault;
use super::rows::Segment;
use super::segments;
use super::shared::{Progress, Shared};
use super::tail::{Room, Tail, Taken};
use crate::sequencer::CommittedHead;
use crate::store::{LogStore, StoreError};
use crate::telemetry::{Station, Telemetry};

pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) heads: watch::Receiver<CommittedHead>,
    pub(super) busy: Box<dyn Fn() -> bool + Send>,
    pub(super) telemetry: Telemetry,
    pub(super) stopped: watch::Receiver<bool>,
    pub(super) runtime: Handle,
}

/// Why the index is not followed any further.
enum Ended {
    Stopped,
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

/// What was built.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Built {
    /// The entries in it.
    pub entries: u64,
    /// How long it took.
    pub took: Duration,
    /// What it takes on disk.
    pub bytes: u64,
}

/// Builds the index of a store anew, with nobody else at work on either; `on` is told now and then how many entries of how many are done.
///
/// # Errors
/// [`Fault`]: the directory is none of an index, the disk is full, or the store can not be read.
pub fn rebuild(path: &Path, store: Arc<dyn LogStore>, mut on: impl FnMut(u64, u64)) -> Result<Built, Fault> {
    let (begun, size) = (Instant::now(), store.head()?.size.get());
    segments::clear(path)?;
    let shared = Shared::new(path.to_owned(), store, Room::default());
    shared.open(size)?;
    let mut done = 0;
    while done < size {
        done = advance(&shared, size)?;
        on(done, size);
    }
    // The tail as well, so that the next start has nothing to read again.
    if !shared.read().tail.is_empty() {
        rotate(&shared)?;
    }
    let bytes = shared.read().segments.as_ref().map_or(0, |segments| segments.bytes());
    shared.close();
    Ok(Built { entries: size, took: begun.elapsed(), bytes })
}

impl Worker {
    /// Keeps the index until it is told to stop.
    pub(super) fn run(mut self) {
        let mut pause = PAUSE;
        loop {
            let mut was_ready = false;
            let Err(ended) = self.follow(&mut was_ready);
            self.shared.close();
            self.measure();
            match ended {
                Ended::Stopped => return,
                Ended::Fault(Fault::Store(error)) => {
                    tracing::warn!(%error, "the index waits: the store could not be read");
                }
                Ended::Fault(fault @ Fault::NotOurs { .. }) => tracing::error!("{fault}; there is no search"),
                Ended::Fault(fault) => {
                    tracing::warn!(%fault, "the index is built anew");
                    self.telemetry.index_rebuilt();
                    if let Err(error) = segments::clear(&self.shared.path) {
                        tracing::error!(%error, "the index could not be removed");
                    }
                }
            }
            // What is wrong again and again, a full disk for one, is not to keep the machine busy.
            pause = if was_ready { PAUSE } else { (2 * pause).min(MAX_PAUSE) };
            if self.rests(pause) {
                return;
            }
        }
    }

    /// Opens the index and follows the committed head.
    fn follow(&mut self, was_ready: &mut bool) -> Result<Infallible, Ended> {
        let begun = Instant::now();
        // What was found wrong with an index that is gone is no matter any more.
        drop(self.shared.reported());
        let committed = self.heads.borrow().size().get();
        self.shared.open(committed)?;
        let found = self.shared.read().tail.end();
        self.catch_up(begun)?;
        let size = self.shared.read().tail.end();
        tracing::info!(size, read = size - found, took = ?begun.elapsed(), "the index is ready");
        self.telemetry.index_built(begun.elapsed());
        *was_ready = true;
        loop {
            self.shared.advanced(|progress| progress.ready = true);
            self.measure();
            self.wait()?;
            self.catch_up(Instant::now())?;
        }
    }

    /// Reads on until everything that is committed is in the index.
    fn catch_up(&mut self, begun: Instant) -> Result<(), Ended> {
        let first = self.shared.read().tail.end();
        loop {
            let size = self.heads.borrow_and_update().size().get();
            let chunk = Instant::now();
            let end = self.shared.read().tail.end();
            if end >= size {
                return Ok(());
            }
            if *self.stopped.borrow() {
                return Err(Ended::Stopped);
            }
            if let Some(fault) = self.shared.reported() {
                return Err(fault.into());
            }
            let end = advance(&self.shared, size)?;
            let retry_after_s = remaining_s(begun.elapsed(), end - first, size - end);
            self.shared.advanced(|progress| *progress = Progress { size: end, of: size, retry_after_s, ..*progress });
            self.telemetry.passed(Station::Index, chunk);
            if end < size {
                self.measure();
                if (self.busy)() {
                    // "gives way to the writer": at most half of a core while statements wait.
                    thread::sleep(chunk.elapsed().min(MAX_NAP));
                }
            }
        }
    }

    /// Waits for more entries.
    fn wait(&mut self) -> Result<(), Ended> {
        let Self { shared, heads, stopped, runtime, .. } = self;
        let stopped = runtime.block_on(async {
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => true,
                () = shared.wake.notified() => false,
                changed = heads.changed() => changed.is_err(),
            }
        });
        if stopped {
            return Err(Ended::Stopped);
        }
        self.shared.reported().map_or(Ok(()), |fault| Err(fault.into()))
    }

    /// Rests before the next attempt; true when it is told to stop meanwhile.
    fn rests(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while Instant::now() < until {
            // Whoever could tell is gone.
            if *self.stopped.borrow() || self.stopped.has_changed().is_err() {
                return true;
            }
            thread::sleep(MAX_NAP.min(time));
        }
        false
    }

    fn measure(&self) {
        let Progress { ready, size, .. } = *self.shared.progress().borrow();
        self.telemetry.index(size, self.heads.borrow().size().get().saturating_sub(size), ready);
    }
}

/// Takes the next entries in, below `size`; returns where the index ends then.
pub(super) fn advance(shared: &Shared, size: u64) -> Result<u64, Fault> {
    let first = shared.read().tail.end();
    let mut is_full = false;
    // One by one, for an entry can have thousands of terms.
    let mut take = |index: LeafIndex, entry: &[u8]| {
        if is_full {
            return;
        }
        let taken = Taken::of(index, entry);
        let mut state = shared.write();
        state.tail.push(taken);
        is_full = state.tail.is_full();
    };
    let end = TreeSize::new(size.min(first + CHUNK));
    shared.store.read_entries(LeafIndex::new(first), end, &mut take)?;
    let end = shared.read().tail.end();
    if is_full {
        rotate(shared)?;
    }
    Ok(end)
}

/// Writes the tail as a segment and begins a new one.
fn rotate(shared: &Shared) -> Result<Segment, Fault> {
    // Nobody but this thread writes, and who searches sees the tail until the segment is there.
    let state = shared.read();
    let closed = || StoreError::Missing { family: "index", key: "the open index".into() };
    let segments = Arc::clone(state.segments.as_ref().ok_or_else(closed)?);
    let segment = segments.write(&state.tail)?;
    drop(state);
    let mut state = shared.write();
    Arc::make_mut(&mut state.listed).push(segment);
    let written = std::mem::replace(&mut state.tail, Tail::new(segment.end, shared.room));
    drop(state);
    // A million postings, which nobody is to wait for.
    drop(written);
    Ok(segment)
}

/// Estimates when so many entries are done, from how long others took.
fn remaining_s(took: Duration, done: u64, left: u64) -> u32 {
    let millis = took.as_millis() * u128::from(left) / u128::from(done.max(1));
    u32::try_from(millis.div_ceil(1000)).unwrap_or(MAX_RETRY_S).clamp(1, MAX_RETRY_S)
}

/// Entries that are read and taken in at a time.
const CHUNK: u64 = 256;
/// Longest pause in favour of the writer.
const MAX_NAP: Duration = Duration::from_millis(50);
/// Before the index is opened again after a fault.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest pause before that.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// Whoever waits asks now and then.
const MAX_RETRY_S: u32 = 60;
