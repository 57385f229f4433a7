//! Opening a log: every station made, in the order in which each needs the one before.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use govlog_daemon::tls::ExposureError;
use govlog_formats::cose::SigningKey;
use govlog_formats::note::Vkey;
use govlog_formats::tlog_policy::Policy;
use tokio::sync::watch;

use crate::Log;
use crate::admission::Admission;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, ConfigError, Roles};
use crate::disk::{DiskGuard, Reserve};
use crate::http::{self, App};
use crate::index::{self, Index, Indexer};
use crate::init::{self, InitError};
use crate::keys::{KeyFileError, LogKeys};
use crate::proof::Prover;
use crate::publication::{self, LogSigner, PublicationError, Publisher};
use crate::recovery::{self, Configured, Paths, Recovered, StartRefused};
use crate::sequencer::{self, Fatal, Limits, Running, Sequencer};
use crate::store::{Bounds, LogStore, RocksStore};
use crate::telemetry::Telemetry;
use crate::tree::{Pace, Scrubber};

/// The epoch of every log there is; succession is to come.
const EPOCH: u64 = 1;

/// Why a log does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The configuration can not be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address can be reached from outside, and should not.
    #[error(transparent)]
    Exposed(#[from] ExposureError),
    /// `init` has not finished.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The keys can not be used.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// Store and head do not prove what they must.
    #[error(transparent)]
    Refused(#[from] StartRefused),
    /// The unsigned tail can not be adopted, or the head not be signed.
    #[error("{0} (runbook {runbook})", runbook = .0.runbook())]
    Sequencer(#[from] Fatal),
    /// The receipt key is none that the admission policy names.
    #[error("{path}: the admission policy names another receipt key for size {size} (runbook foreign-store)", path = .path.display())]
    ReceiptKey {
        /// The key's file.
        path: PathBuf,
        /// The size at which receipts would be signed.
        size: u64,
    },
    /// Publication can not start.
    #[error(transparent)]
    Publication(#[from] PublicationError),
    /// The system gives no threads.
    #[error("threads: {0}")]
    Threads(#[from] std::io::Error),
    /// The metrics registry can not be made.
    #[error("metrics: {0}")]
    Metrics(String),
    /// Opening was interrupted.
    #[error("opening the log: {0}")]
    Interrupted(String),
}

impl Log {
    /// Proves what start-up must prove, adopts an unsigned tail, and begins to publish.
    ///
    /// # Errors
    /// [`OpenError`] names what is wrong, and the runbook where there is one.
    pub async fn open(config: Config) -> Result<Self, OpenError> {
        Self::open_with_clock(config, Arc::new(SystemClock)).await
    }

    /// As [`open`](Self::open), with a clock of the caller's.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with_clock(config: Config, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        // Tasks are spawned from a blocking thread, which knows its runtime.
        let opened = tokio::task::spawn_blocking(move || open(config, clock));
        opened.await.unwrap_or_else(|error| Err(OpenError::Interrupted(error.to_string())))
    }
}

fn open(config: Config, clock: Arc<dyn Clock>) -> Result<Log, OpenError> {
    check_reach(&config)?;
    init::check_finished(&config)?;
    let policy = config.load_policy()?;
    let LogKeys { checkpoint, receipt } = LogKeys::load(&config)?;
    let vkey = checkpoint.vkey().clone();
    let telemetry = Telemetry::new().map_err(|error| OpenError::Metrics(error.to_string()))?;
    let (tell, fatal) = watch::channel(None);
    let (store, sequencer, running) =
        commit(&config, LogSigner::new(checkpoint), Arc::clone(&clock), &telemetry, tell)?;
    let rest = || -> Result<_, OpenError> {
        check_receipt_key(&config, &receipt, &sequencer)?;
        let publisher = publish(&config, policy, vkey, &sequencer, &telemetry)?;
        let scrubber: Scrubber = sequencer.scrub(Pace::default())?;
        let (index, indexer) = search(&config, &store, &sequencer, &telemetry)?;
        let app = serve(&config, &store, clock, receipt, &sequencer, &publisher, index, &telemetry)?;
        Ok((publisher, app, scrubber, indexer))
    };
    match rest() {
        Ok((publisher, app, scrubber, indexer)) => {
            Ok(Log { app, config, telemetry, sequencer, running, publisher, scrubber, indexer, store, fatal })
        }
        Err(error) => {
            // Nothing was taken; the threads end, the store is closed, and then the lock is let go.
            let head = running.stop();
            drop((sequencer, store));
            drop(head);
            Err(error)
        }
    }
}

/// Opens store and head file, and proves what start-up must prove.
pub(crate) fn prove(config: &Config, vkey: Vkey) -> Result<(Arc<RocksStore>, Recovered), OpenError> {
    let configured = Configured { origin: config.origin.to_string(), epoch: EPOCH, vkey };
    let paths = Paths { store: config.files.store.clone(), head: config.files.head_file() };
    let bounds =
        Bounds { memtables: config.store.memtables, block_cache: config.store.block_cache, wal: config.store.wal };
    Ok(recovery::open(&paths, &bounds, &configured)?)
}

/// Opens the store, and starts the sequencer.
fn commit(
    config: &Config,
    signer: LogSigner,
    clock: Arc<dyn Clock>,
    telemetry: &Telemetry,
    tell: watch::Sender<Option<String>>,
) -> Result<(Arc<RocksStore>, Sequencer, Running), OpenError> {
    let (store, recovered) = prove(config, signer.vkey().clone())?;
    let reserve = Reserve { bytes: config.store.reserve_bytes, percent: config.store.reserve_percent };
    let limits =
        Limits { bytes: config.limits.in_flight_bytes, tile_cache: config.store.tile_cache, ..Limits::default() };
    let parts = sequencer::Parts {
        signer: Box::new(signer),
        clock,
        disk: DiskGuard::new(vec![config.files.store.clone(), config.files.head.clone()], reserve),
        limits,
        telemetry: telemetry.clone(),
        on_fatal: Box::new(move |cause| {
            tracing::error!(%cause, "the sequencer is poisoned");
            tell.send_replace(Some(cause.to_string()));
        }),
    };
    let (sequencer, running) = Sequencer::start(recovered, parts)?;
    Ok((store, sequencer, running))
}

fn publish(
    config: &Config,
    policy: Policy,
    log: Vkey,
    sequencer: &Sequencer,
    telemetry: &Telemetry,
) -> Result<Publisher, OpenError> {
    let settings = config.publication.clone();
    let (sequencer, telemetry) = (sequencer.clone(), telemetry.clone());
    Ok(Publisher::start(publication::Parts { policy, log, settings, sequencer, telemetry })?)
}

/// Opens the index beside all else: nothing that is wrong with it keeps a log from starting.
fn search(
    config: &Config,
    store: &Arc<RocksStore>,
    sequencer: &Sequencer,
    telemetry: &Telemetry,
) -> std::io::Result<(Index, Indexer)> {
    let load = sequencer.clone();
    Index::start(index::Parts {
        path: config.files.index.clone(),
        store: Arc::clone(store) as Arc<dyn LogStore>,
        heads: sequencer.committed(),
        busy: Box::new(move || load.load().statements > 0),
        telemetry: telemetry.clone(),
    })
}

#[expect(clippy::too_many_arguments, reason = "every station that the routes speak with")]
fn serve(
    config: &Config,
    store: &Arc<RocksStore>,
    clock: Arc<dyn Clock>,
    receipt: SigningKey,
    sequencer: &Sequencer,
    publisher: &Publisher,
    index: Index,
    telemetry: &Telemetry,
) -> Result<App, OpenError> {
    let store = Arc::clone(store) as Arc<dyn LogStore>;
    let admission =
        Admission::new(sequencer.policy(), sequencer.collided(), store, clock, config.limits.verify_threads)?;
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let parts = http::Parts {
        epoch: EPOCH,
        admission,
        sequencer: sequencer.clone(),
        published: publisher.published(),
        prover: Prover::new(receipt, config.origin.as_str(), cores, telemetry.clone()),
        index,
        telemetry: telemetry.clone(),
        access: config.access.clone(),
        limits: config.limits.clone(),
    };
    Ok(App::new(parts, http::Times::default()))
}

/// "default: loopback open, anything else closed until configured" (DESIGN §8.1): an address that others can reach, and nobody may use, is a
/// mistake that is told at once, and so is a role for those who can not prove that they have it.
fn check_reach(config: &Config) -> Result<(), ExposureError> {
    let Roles { read, search, submit, operate } = &config.access;
    for (name, role) in [("read", read), ("search", search), ("submit", submit), ("operate", operate)] {
        config.tls.check_provable(name, role)?;
    }
    config.tls.check_reach("listen", config.listen, &[read, search, submit], "read, search or submit")?;
    config.tls.check_reach("admin", config.admin, &[operate], "operate")
}

/// A receipt under a key that the policy does not name would count with no verifier.
fn check_receipt_key(config: &Config, receipt: &SigningKey, sequencer: &Sequencer) -> Result<(), OpenError> {
    let head = sequencer.committed().borrow().clone();
    let size = head.size().get().max(2);
    let (policy, public) = (head.policy(), receipt.public());
    if policy.receipt_keys_at(size).any(|key| *key == public) {
        return Ok(());
    }
    Err(OpenError::ReceiptKey { path: config.files.receipt_key.clone(), size })
}
