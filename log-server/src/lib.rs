//! The party that orders signed statements into an append-only Merkle tree and publishes it.
//!
//! ```text
//! bytes ─▶ submission ─▶ admission ─▶ sequencer ─▶ store ─▶ publication ─▶ proof
//!                                                      └──▶ index
//! ```
//!
//! One direction, one type per station. Only this file knows every station; [`run`] is the whole of it in one call.

pub mod admission;
mod blocking;
pub mod cli;
pub mod clock;
pub mod config;
pub mod disk;
pub mod failpoints;
pub mod files;
pub mod head;
pub mod http;
pub mod index;
pub mod init;
pub mod keys;
pub mod proof;
pub mod publication;
pub mod recovery;
pub mod refusal;
pub mod sequencer;
mod start;
pub mod store;
pub mod submission;
pub mod telemetry;
pub mod tree;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use govlog_daemon::serve::{Limits, bind, serve};
use govlog_daemon::tls::Tls;
use tokio::net::TcpListener;
use tokio::sync::watch;

use config::Config;
use index::Indexer;
use publication::Publisher;
use sequencer::{Running, Sequencer};
use store::RocksStore;
use telemetry::Telemetry;
use tree::Scrubber;

pub use start::OpenError;

/// The sockets a log is reached on.
#[derive(Debug)]
pub struct Listeners {
    /// The public interface.
    pub public: TcpListener,
    /// Health, readiness, metrics.
    pub admin: TcpListener,
    /// What both make handshakes with, if they do.
    pub tls: Option<Tls>,
}

impl Listeners {
    /// Binds the configured addresses; port 0 takes a free one.
    ///
    /// # Errors
    /// Names the address that can not be had, or what is wrong with the TLS material.
    pub async fn bind(config: &Config) -> io::Result<Self> {
        let tls = Tls::start(&config.tls).await.map_err(io::Error::other)?;
        Ok(Self { public: bind(config.listen).await?, admin: bind(config.admin).await?, tls })
    }

    /// Returns the addresses of the public and the admin interface.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.public.local_addr()?, self.admin.local_addr()?))
    }
}

/// Why a log ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// It did not start.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The sequencer was poisoned: it is not known what is on disk, or somebody holds proof against the log. A start is the only recovery.
    #[error("the log has stopped for good: {0}")]
    Poisoned(String),
}

/// A log that runs: it commits and publishes, and is to be served.
pub struct Log {
    app: http::App,
    config: Config,
    telemetry: Telemetry,
    sequencer: Sequencer,
    running: Running,
    publisher: Publisher,
    scrubber: Scrubber,
    indexer: Indexer,
    store: Arc<RocksStore>,
    fatal: watch::Receiver<Option<String>>,
}

/// Opens the log that `config` describes and serves it until `shutdown` resolves; then ends in good order, within 10 seconds.
///
/// # Errors
/// [`RunError`]; after a poisoning the process is to end.
pub async fn run(
    config: Config,
    listeners: Listeners,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), RunError> {
    Log::open(config).await?.serve(listeners, shutdown).await
}

impl Log {
    /// Serves the log until `shutdown` resolves or the sequencer is poisoned.
    ///
    /// In the end new statements are refused with 503 while those under way are answered, connections are closed, what was taken is committed,
    /// and the store is closed.
    ///
    /// # Errors
    /// [`RunError::Poisoned`].
    pub async fn serve(self, listeners: Listeners, shutdown: impl Future<Output = ()> + Send) -> Result<(), RunError> {
        let (stop, stopping) = watch::channel(false);
        let limits = limits(self.config.limits.connections);
        let public =
            serve((listeners.public, listeners.tls.clone()), http::router(self.app.clone()), limits, stopping.clone());
        let admin = http::admin::admin_router(self.app.clone(), listeners.tls.clone());
        let admin_limits = Limits { connections: ADMIN_CONNECTIONS, ..limits };
        let admin = serve((listeners.admin, listeners.tls), admin, admin_limits, stopping);
        // Two tasks, so that neither waits for what goes on here.
        let (public, admin) = (tokio::spawn(public), tokio::spawn(admin));
        let mut fatal = self.fatal.clone();
        tokio::select! {
            () = shutdown => {
                tracing::info!("shutting down");
                self.drain().await;
            }
            () = fold(&self.telemetry) => {}
            () = poisoned(&mut fatal) => {}
        }
        stop.send_replace(true);
        for served in [public, admin] {
            if let Err(error) = served.await {
                tracing::error!(%error, "serving ended badly");
            }
        }
        self.close().await
    }

    /// Refuses new statements, and gives those under way time to be answered.
    async fn drain(&self) {
        self.sequencer.hold(refusal::Unavailable::ShuttingDown);
        self.app.close();
        if tokio::time::timeout(DRAIN, self.app.quiet()).await.is_err() {
            tracing::warn!("submissions that did not finish in time are cut off");
        }
    }

    /// Ends the stations in the order in which entries pass them, and closes the store last.
    async fn close(self) -> Result<(), RunError> {
        let Self { app, sequencer, running, publisher, scrubber, indexer, store, fatal, .. } = self;
        publisher.stop().await;
        drop((app, sequencer));
        let closed = tokio::task::spawn_blocking(move || {
            scrubber.stop();
            indexer.stop();
            let head = running.stop();
            let closed = store.close();
            // The head file's lock is let go when the store is closed.
            drop(head);
            closed
        });
        let poisoned = fatal.borrow().clone();
        if let Some(cause) = poisoned {
            // A thread that is still in the store while the process tears its libraries down would end it by a signal, and nobody would see
            // the exit code. The disk may be one that does not answer, though: then the process ends without its threads.
            if tokio::time::timeout(CLOSE_POISONED, closed).await.is_err() {
                tracing::warn!("the store does not close");
            }
            return Err(RunError::Poisoned(cause));
        }
        match closed.await {
            Ok(Ok(())) => tracing::info!("the store is closed"),
            Ok(Err(error)) => tracing::warn!(%error, "the store closes with its last reader"),
            Err(error) => tracing::error!(%error, "closing failed"),
        }
        let poisoned = fatal.borrow().clone();
        match poisoned {
            Some(cause) => Err(RunError::Poisoned(cause)),
            None => Ok(()),
        }
    }
}

/// Returns what the connections of the public interface may take, `connections` of them at a time.
fn limits(connections: NonZeroUsize) -> Limits {
    Limits { connections: connections.get(), head_bytes: HEAD_BYTES, drain: CUT, ..Limits::default() }
}

/// Resolves when the sequencer is poisoned.
async fn poisoned(fatal: &mut watch::Receiver<Option<String>>) {
    if fatal.wait_for(Option::is_some).await.is_err() {
        // Whoever could tell is gone: the sequencer has ended without being poisoned.
        std::future::pending::<()>().await;
    }
}

/// Folds gathered samples together for ever.
async fn fold(telemetry: &Telemetry) {
    loop {
        tokio::time::sleep(FOLD_EVERY).await;
        telemetry.fold();
    }
}

/// Between two foldings of samples.
const FOLD_EVERY: Duration = Duration::from_secs(5);
/// For submissions under way when the log is told to end.
const DRAIN: Duration = Duration::from_secs(4);
/// For connections that are busy even after that.
const CUT: Duration = Duration::from_secs(3);
/// Request heads have a few hundred bytes, or a few thousand with a long query.
const HEAD_BYTES: usize = 32 * 1024;
/// For threads that a poisoned sequencer leaves behind.
const CLOSE_POISONED: Duration = Duration::from_secs(2);
/// A scraper, a prober, and a person or two.
const ADMIN_CONNECTIONS: usize = 32;

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
