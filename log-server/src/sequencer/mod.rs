//! The single owner of the tree: it orders admitted statements, writes them, and signs what a restart would still show.
//!
//! Two threads. The **writer** takes what has gathered, gives it places, computes tiles and root, and writes one synced
//! batch. The **finisher** reads that batch back, hashes it again on a right edge of its own, advances the head file, has
//! the head signed, makes it visible and releases the acknowledgements. While one batch is finished the next is written;
//! while that goes on the one after gathers. There is no tick.
//!
//! ```text
//! submit ─▶ pool ─▶ writer ─▶ store (synced) ─▶ finisher ─▶ head file (synced) ─▶ signer ─▶ CommittedHead ─▶ answers
//! ```
//!
//! Whenever the effect of a step on the disk is unknown, the sequencer is *poisoned*: all that waits is answered that the
//! log has stopped, an alarm is called once, and a start of the process, through [`crate::recovery`], is the only way on.

mod batch;
mod committed;
mod conflicts;
mod finisher;
mod ledger;
mod poison;
mod pool;
#[cfg(test)]
pub(crate) mod testing;
mod writer;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{Builder, JoinHandle};

use arc_swap::ArcSwap;
use bytes::Bytes;
use govlog_formats::admission::PolicyState;
use tokio::sync::{oneshot, watch};

use crate::admission::{Admitted, Collided};
use crate::clock::Clock;
use crate::disk::DiskGuard;
use crate::head::HeadStore;
use crate::recovery::Recovered;
use crate::refusal::{Refusal, Unavailable};
use crate::store::{ArchivedNote, LogStore};
use crate::telemetry::Telemetry;
use crate::tree::{Pace, Scrubber, TileCache};

#[cfg(test)]
pub(crate) use batch::Flip;
pub use batch::{Batch, EntryRow, MAX_BATCH_BYTES, MAX_BATCH_ENTRIES};
pub use committed::{Committed, CommittedHead, Ticket};
pub use finisher::HeadSigner;
pub use poison::{EXIT_POISONED, Fatal};
pub use pool::Limits;

use conflicts::Conflicts;
use finisher::{Announce, Finisher};
use ledger::Ledger;
use poison::Poison;
use pool::{ArchiveOrder, Pending, Pool, Reply};
use writer::Writer;

/// What a sequencer is started with, beside what recovery found.
pub struct Parts {
    /// Signs heads.
    pub signer: Box<dyn HeadSigner>,
    /// Tells commit times.
    pub clock: Arc<dyn Clock>,
    /// Watches the disks.
    pub disk: DiskGuard,
    /// Bounds what is under way.
    pub limits: Limits,
    /// Where batches are counted and timed.
    pub telemetry: Telemetry,
    /// Called once, from any thread, when the sequencer is poisoned. The process is to end with [`EXIT_POISONED`].
    pub on_fatal: Box<dyn FnOnce(&Fatal) + Send>,
}

/// The way to the sequencer, for all other stations. Cheap to clone; nothing here blocks on the store.
#[derive(Clone)]
pub struct Sequencer {
    shared: Arc<Shared>,
}

struct Shared {
    pool: Arc<Pool>,
    poison: Arc<Poison>,
    heads: watch::Receiver<CommittedHead>,
    policy: Arc<ArcSwap<PolicyState>>,
    collided: Collided,
    store: Arc<dyn LogStore>,
    disk: DiskGuard,
    strained: Arc<AtomicBool>,
}

/// The sequencer's threads: whoever holds this ends them.
pub struct Running {
    pool: Arc<Pool>,
    writer: JoinHandle<Option<()>>,
    finisher: JoinHandle<Option<Box<dyn HeadStore>>>,
}

/// How much is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Statements submitted and not answered.
    pub statements: usize,
    /// Bytes of their entries.
    pub bytes: usize,
}

impl Sequencer {
    /// Adopts the unsigned tail that recovery found, has the head signed, and starts the threads.
    ///
    /// Statements are held off until [`open`](Self::open): first enough witnesses must have confirmed the head.
    ///
    /// # Errors
    /// When the tail cannot be adopted, the head cannot be signed, or the system gives no threads.
    pub fn start(recovered: Recovered, parts: Parts) -> Result<(Self, Running), Fatal> {
        let Parts { signer, clock, disk, limits, telemetry, on_fatal } = parts;
        let Recovered { store, head, finished, finished_edge, stored, stored_edge, policy } = recovered;
        let mut finisher = Finisher {
            store: Arc::clone(&store),
            head,
            signer,
            tiles: Arc::new(TileCache::new(Arc::clone(&store), limits.tile_cache)),
            edge: finished_edge,
            finished,
            policy: Arc::clone(&policy),
        };
        let (sender, heads) = watch::channel(finisher.adopt(&stored)?);
        let conflicts = Conflicts::load(Arc::clone(&store), &policy)?;
        let (pool, strained) = (Arc::new(Pool::new(limits)), Arc::new(AtomicBool::new(false)));
        let in_force = Arc::new(ArcSwap::new(Arc::clone(&policy)));
        let poison = Arc::new(Poison::new(Arc::clone(&pool), on_fatal));
        let shared = Arc::new(Shared {
            pool: Arc::clone(&pool),
            poison: Arc::clone(&poison),
            heads,
            policy: Arc::clone(&in_force),
            collided: conflicts.known(),
            store: Arc::clone(&store),
            disk,
            strained: Arc::clone(&strained),
        });
        let (to_finisher, batches) = mpsc::channel();
        let announce = Announce {
            pool: Arc::clone(&pool),
            poison: Arc::clone(&poison),
            telemetry: telemetry.clone(),
            heads: sender,
            policy: in_force,
        };
        let writer = Writer {
            ledger: Ledger::new(Arc::clone(&store), policy),
            conflicts,
            store,
            pool: Arc::clone(&pool),
            poison: Arc::clone(&poison),
            clock,
            finisher: to_finisher,
            edge: stored_edge,
            time: stored.time,
            strained,
            telemetry,
        };
        let writer = spawn("writer", Arc::clone(&poison), move || writer.run())?;
        let finisher = spawn("finisher", poison, move || finisher.run(&batches, &announce))?;
        Ok((Self { shared }, Running { pool, writer, finisher }))
    }

    /// Hands in statements, in order; each gets a ticket on which its answer comes.
    ///
    /// Where one finds no room, neither do those after it, so that a stream never loses its middle to a full queue.
    #[must_use]
    pub fn submit(&self, statements: Vec<Admitted>) -> Vec<Ticket> {
        let mut refusal = self.shared.check().err();
        let mut tickets = Vec::with_capacity(statements.len());
        let mut taken = Vec::with_capacity(statements.len());
        for admitted in statements {
            let (to, ticket) = Ticket::new();
            tickets.push(ticket);
            let room = match &refusal {
                Some(refusal) => Err(refusal.clone()),
                None => self.shared.pool.reserve(admitted.statement().entry().len()),
            };
            match room {
                Ok(share) => {
                    taken.push(Pending { admitted, reply: Reply::new(to, share) });
                }
                // Whoever asked may have gone already.
                Err(why) => drop(to.send(Err(refusal.insert(why).clone()))),
            }
        }
        self.shared.pool.put(taken);
        tickets
    }

    /// Archives the first published note of a committed size, durable when the answer comes.
    ///
    /// The answer is the note that stands archived for that size: the one given, or an earlier one.
    ///
    /// # Errors
    /// [`Refusal::Stopped`] when the sequencer stops before.
    pub async fn archive(&self, head: &CommittedHead, note: Bytes) -> Result<ArchivedNote, Refusal> {
        let (to, answer) = oneshot::channel();
        let note = ArchivedNote { size: head.size(), time: head.time(), note };
        self.shared.pool.archive(ArchiveOrder { note, to });
        answer.await.map_err(|_| Refusal::Stopped)
    }

    /// Returns the newest committed head, and tells when there is a newer one.
    #[must_use]
    pub fn committed(&self) -> watch::Receiver<CommittedHead> {
        self.shared.heads.clone()
    }

    /// Returns the admission policy in force at the newest committed head; a change is in force before it is acknowledged.
    #[must_use]
    pub fn policy(&self) -> Arc<ArcSwap<PolicyState>> {
        Arc::clone(&self.shared.policy)
    }

    /// Returns which statements the table of conflicts holds, kept up to date.
    #[must_use]
    pub fn collided(&self) -> Collided {
        self.shared.collided.clone()
    }

    /// Lets statements in.
    pub fn open(&self) {
        self.shared.pool.open();
    }

    /// Holds statements off for now. What was taken is still finished, and notes are still archived.
    pub fn hold(&self, why: Unavailable) {
        self.shared.pool.hold(why);
    }

    /// Tells whether a statement would be taken now, but for the limits.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), Refusal> {
        self.shared.check()
    }

    /// Returns how much is under way.
    #[must_use]
    pub fn load(&self) -> Load {
        let (statements, bytes) = self.shared.pool.used();
        Load { statements, bytes }
    }

    /// Stops the sequencer for good: somebody holds proof that this log has signed another tree, or that its store is
    /// corrupt.
    pub fn poison(&self, why: impl Into<String>) {
        self.shared.poison.stop(Fatal::Reported(why.into()));
    }

    /// Returns why the sequencer was poisoned, if it was.
    #[must_use]
    pub fn poisoned(&self) -> Option<&Fatal> {
        self.shared.poison.cause()
    }

    /// Starts re-hashing all that is stored, over and over, below the head committed by then; a fault poisons.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn scrub(&self, pace: Pace) -> std::io::Result<Scrubber> {
        let heads = self.committed();
        let poison = Arc::clone(&self.shared.poison);
        let view = move || heads.borrow().tree().clone();
        Scrubber::start(view, pace, move |fault| poison.stop(Fatal::Reported(fault.to_string())))
    }
}

impl Running {
    /// Takes nothing new, finishes what was taken, ends the threads, and returns the head store.
    ///
    /// The head store holds the log's lock: it is dropped after the store is closed. After a poisoning there may be none.
    #[must_use]
    pub fn stop(self) -> Option<Box<dyn HeadStore>> {
        self.pool.close();
        // A thread that panicked has poisoned the sequencer, which has told so.
        let written = self.writer.join().ok().flatten();
        let head = self.finisher.join().ok().flatten();
        written.and(head)
    }
}

impl Shared {
    fn check(&self) -> Result<(), Refusal> {
        self.pool.check_door()?;
        if let Err(error) = self.disk.check() {
            tracing::warn!(%error, "no statements are taken");
            return Err(Refusal::unavailable(Unavailable::Disk));
        }
        if self.strained.load(Ordering::Relaxed) {
            // Only while the store was strained at the last write is it asked again here, for then nothing is written.
            let still = self.store.is_strained().unwrap_or(true);
            self.strained.store(still, Ordering::Relaxed);
            if still {
                return Err(Refusal::unavailable(Unavailable::Store));
            }
        }
        Ok(())
    }
}

/// Runs a thread; where it panics the sequencer is poisoned.
fn spawn<T: Send + 'static>(
    name: &'static str,
    poison: Arc<Poison>,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<Option<T>>, Fatal> {
    let guarded = move || {
        let ended = catch_unwind(AssertUnwindSafe(body));
        if ended.is_err() {
            poison.stop(Fatal::Panicked(name));
        }
        ended.ok()
    };
    Builder::new().name(name.into()).spawn(guarded).map_err(Fatal::Thread)
}

#[cfg(test)]
mod tests;
