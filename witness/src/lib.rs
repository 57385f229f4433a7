//! The party that remembers: cosigns a log's checkpoint only when it is consistent with the last one it cosigned.
//!
//! **In scope**: C2SP tlog-witness (`add-checkpoint` and the monitoring route), one remembered note for each log, evidence against logs that
//! contradict themselves, an admin interface.
//!
//! **Out of scope**: entries and tiles, which it never sees; which logs deserve a witness, which its operator decides (`logs.txt`); whether
//! enough witnesses cosigned, which verifiers decide (`govlog_formats::tlog_policy`).
//!
//! ```text
//! bytes ─▶ decision::Request ─▶ decision::Authentic ─▶ decision::Grant ─▶ note on disk ─▶ cosignature line
//!             form (400)           log's key (404, 403)    sizes, tree, time (400, 409, 422, 503)
//! ```
//!
//! [`decision`] is a function of values; [`state`] promises durability and atomicity; [`witness`] joins them; [`http`] only translates.

pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod decision;
mod durable;
pub mod evidence;
pub mod http;
pub mod init;
mod key;
mod lock;
pub mod logs;
pub mod remembered;
pub mod state;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod witness;

use std::{future::Future, io, net::SocketAddr, sync::Arc};

use govlog_daemon::{
    serve::{Limits, bind, serve},
    tls::Tls,
};
use tokio::{net::TcpListener, sync::watch};

use clock::Clock;
use config::Config;
use witness::{FOLD_EVERY, OpenError, Witness};

pub use key::KeyFileError;
pub use lock::LockError;

/// The sockets a witness is reached on.
#[derive(Debug)]
pub struct Listeners {
    /// The public interface.
    pub public: TcpListener,
    /// The admin interface.
    pub admin: TcpListener,
    /// What both make handshakes with, if they do.
    pub tls: Option<Tls>,
}

impl Listeners {
    /// Binds the configured addresses.
    ///
    /// # Errors
    /// Names the address that cannot be had, or should not be, or what is wrong with the TLS material.
    pub async fn bind(config: &Config) -> io::Result<Self> {
        config.check_reach().map_err(io::Error::other)?;
        let tls = Tls::start(&config.tls).await.map_err(io::Error::other)?;
        Ok(Self { public: bind(config.listen).await?, admin: bind(config.admin).await?, tls })
    }

    /// Returns the address the public interface got.
    ///
    /// # Errors
    /// As [`TcpListener::local_addr`].
    pub fn public_address(&self) -> io::Result<SocketAddr> {
        self.public.local_addr()
    }

    /// Returns the address the admin interface got.
    ///
    /// # Errors
    /// As [`TcpListener::local_addr`].
    pub fn admin_address(&self) -> io::Result<SocketAddr> {
        self.admin.local_addr()
    }
}

/// Opens the witness that `config` describes and serves it until `shutdown` resolves and requests under way are answered.
///
/// # Errors
/// [`OpenError`] when it does not start.
pub async fn run(
    config: Config,
    listeners: Listeners,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), OpenError> {
    run_with_clock(config, Clock::system(), listeners, shutdown).await
}

/// As [`run`], with a clock of the caller's, for tests.
///
/// # Errors
/// [`OpenError`] when the witness does not start.
pub async fn run_with_clock(
    config: Config,
    clock: Clock,
    listeners: Listeners,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), OpenError> {
    let witness = Arc::new(Witness::open(&config, clock)?);
    serve_witness(witness, &config, listeners, shutdown).await;
    Ok(())
}

/// Serves an open witness until `shutdown` resolves and requests under way are answered.
pub async fn serve_witness(
    witness: Arc<Witness>,
    config: &Config,
    listeners: Listeners,
    shutdown: impl Future<Output = ()> + Send,
) {
    let (stop, stopped) = watch::channel(false);
    let (limits, Listeners { public, admin, tls }) = (config.limits, listeners);
    let router = http::router(Arc::clone(&witness), config.access.clone(), limits.body);
    let public = serve((public, tls.clone()), router, limits, stopped.clone());
    let admin_limits = Limits { connections: ADMIN_CONNECTIONS, ..limits };
    let router = admin::router(Arc::clone(&witness), config.access.clone(), tls.clone());
    let admin = serve((admin, tls), router, admin_limits, stopped);
    let fold = async {
        loop {
            tokio::time::sleep(FOLD_EVERY).await;
            witness.telemetry().fold();
        }
    };
    let served = async { tokio::join!(public, admin) };
    let mut served = std::pin::pin!(served);
    tokio::select! {
        _ = served.as_mut() => return,
        () = fold => {}
        () = shutdown => tracing::info!("ending"),
    }
    stop.send_replace(true);
    served.await;
}

/// A scraper, a prober, and a person or two.
const ADMIN_CONNECTIONS: usize = 32;
