//! The parts of an agent put together, served, and ended.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use govlog_client::key_file::{self, KeyFileError};
use govlog_client::openings::{Folder, StoreError};
use govlog_client::source::{Http, Source, SourceError};
use govlog_client::trust::TrustError;
use govlog_daemon::access::Denied;
use govlog_daemon::routes::guard;
use govlog_daemon::serve;
use govlog_daemon::stop::stopped;
use govlog_daemon::tls::{Tls, TlsError};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::adapter::Adapters;
use crate::config::Config;
use crate::feed::{Feed, Reader};
use crate::forward::{self, Forwarder, Queue, QueueError, Queues};
use crate::http::{self, Health, Intake};
use crate::keys::{self, Keys, Rotating, SvidError};
use crate::names::Names;
use crate::outbox::{self, Outbox, OutboxError};
use crate::pump::{Confirmer, PumpError, Sender, Shared, Terms};
use crate::sign::{Identity, Signer};
use crate::sources::{Sources, joining};
use crate::telemetry::Telemetry;
use crate::trusted::Trusted;
use crate::world::{Machine, World};

/// The exit code when what is on disk is not known any more: a new start finds out.
pub const EXIT_POISONED: u8 = 70;

/// An agent with its outbox open.
pub struct Agent {
    config: Arc<Config>,
    shared: Arc<Shared>,
    world: Arc<dyn World>,
    log: Arc<Http>,
    trust: Arc<Trusted>,
    names: Arc<Names>,
    openings: Arc<Folder>,
    readers: Vec<Reader>,
    queues: Queues,
}

/// The sockets an agent is reached on.
#[derive(Debug)]
pub struct Listeners {
    /// Where sources upload to.
    pub public: TcpListener,
    /// The admin interface.
    pub admin: TcpListener,
    /// What both make handshakes with, if they do.
    pub tls: Option<Tls>,
}

/// Why an agent does not run, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The key cannot be used.
    #[error("key: {0}")]
    Key(#[from] KeyFileError),
    /// The X.509-SVID cannot be had.
    #[error("x509: {0}")]
    Svid(#[from] SvidError),
    /// The trust directory cannot be used.
    #[error("trust: {0}")]
    Trust(#[from] TrustError),
    /// The log's address is none.
    #[error("log: {0}")]
    Log(#[from] SourceError),
    /// The opening store cannot be used.
    #[error("openings: {0}")]
    Openings(#[from] StoreError),
    /// What is kept beside the key cannot be used.
    #[error("names of streams: {0}")]
    Names(io::Error),
    /// The TLS material cannot be used.
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
    /// The outbox cannot be used.
    #[error("outbox: {0}")]
    Outbox(#[from] OutboxError),
    /// A queue for another sink cannot be used.
    #[error("forward: {0}")]
    Forward(#[from] QueueError),
    /// Events wait for a source that is configured no more.
    #[error(
        "outbox: {count} events of {route} wait, and nothing in the configuration has that route; put it back until they are logged"
    )]
    Orphans {
        /// How many at least.
        count: u64,
        /// Its route: the prefix of an `[[opa]]` table, or as `envoy:edge-1` kind and name of another one.
        route: String,
    },
    /// Two tables of the configuration have one route.
    #[error("{0} stands twice in the configuration; each source needs a prefix, or a name, of its own")]
    Route(String),
    /// A metric has no buckets.
    #[error("metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// An address cannot be had, a thread cannot be started.
    #[error("{what}: {cause}")]
    System {
        /// What was asked for.
        what: String,
        /// What the system says.
        cause: io::Error,
    },
    /// A station ended.
    #[error("{0}")]
    Pump(#[from] PumpError),
    /// The outbox was found not to be well.
    #[error("the outbox is not well; see what was said before; a new start finds out what is on disk")]
    Poisoned,
}

impl RunError {
    /// Whether what is on disk is not known any more.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        matches!(self, Self::Pump(_) | Self::Poisoned)
    }
}

impl Listeners {
    /// Binds the configured addresses.
    ///
    /// # Errors
    ///
    /// Names the address that cannot be had, or what is wrong with the TLS material.
    pub async fn bind(config: &Config) -> Result<Self, RunError> {
        let tls = Tls::start(&config.tls).await?;
        Ok(Self { public: bind(config.listen).await?, admin: bind(config.admin).await?, tls })
    }

    /// Gives the addresses they got: for uploads, for the admin interface.
    ///
    /// # Errors
    ///
    /// As [`TcpListener::local_addr`].
    pub fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.public.local_addr()?, self.admin.local_addr()?))
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|cause| RunError::System { what: format!("listen on {address}"), cause })
}

impl Agent {
    /// Opens everything that a configuration names.
    ///
    /// Not to be called from async code: the log's client brings threads of its own.
    ///
    /// # Errors
    ///
    /// [`RunError`] names what cannot be used.
    pub fn open(config: Config) -> Result<Self, RunError> {
        let keys = match &config.x509 {
            None => Keys::from(key_file::load(&config.key)?),
            // Not waited for: events are taken from the start, and signed when it is there.
            Some(settings) => Keys::Svids(Arc::new(Rotating::new(keys::open(settings, &config.iss)?))),
        };
        let signs = if let Keys::Svids(rotating) = &keys { Some(Arc::clone(rotating)) } else { None };
        let world: Arc<dyn World> = Arc::new(Machine);
        let trust = Trusted::load(&config.trust, TRUST_EVERY, world.now_ms())?;
        let Source::Http(log) = Source::open_as(&config.log, &config.client)? else {
            return Err(SourceError::NotASource(config.log.clone()).into());
        };
        let origin = trust.trust().origin().to_owned();
        let outbox = Arc::new(Outbox::open(&config.outbox, &origin, &config.iss)?);
        if let Some(joining) = joining(&config) {
            outbox.join(joining, world.now_ms())?;
        }
        let sources = Sources::of(&config, signs.as_ref()).map_err(RunError::Route)?;
        check_routes(&outbox, &sources.adapters)?;
        let openings = Folder::open(&config.openings, config.keeping.clone())?;
        let names = Names::beside(&config.key, Arc::clone(&world)).map_err(RunError::Names)?;
        let identity = Identity { iss: config.iss.clone(), origin, keys };
        let signer = Signer::new(identity, sources.adapters, Arc::clone(&outbox), Arc::clone(&world), config.beat)
            .with_capture(config.capture.clone());
        let shared = Arc::new(Shared::new(outbox, signer, Arc::new(Telemetry::new()?)));
        let names = Arc::new(names);
        let queues = queues(&config)?;
        let readers = readers(sources.feeds, (&shared, &names, &world), config.hold)?;
        Ok(Self {
            config: Arc::new(config),
            shared,
            world,
            log: Arc::new(log),
            trust: Arc::new(trust),
            names,
            openings: Arc::new(openings),
            readers,
            queues,
        })
    }

    /// Serves until `shutdown` resolves, and ends within seconds, whoever is away: what is not proved to be in the log is on disk.
    ///
    /// # Errors
    ///
    /// [`RunError`], when something fails whose effect on disk is not known.
    pub async fn serve(
        mut self,
        listeners: Listeners,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), RunError> {
        let (fatal, mut failed) = watch::channel(false);
        let threads = self.start(&fatal)?;
        let (stop, stopping) = watch::channel(false);
        let (shared, names, world) = (Arc::clone(&self.shared), Arc::clone(&self.names), Arc::clone(&self.world));
        let intake = Intake::new(shared, names, world, &self.config, fatal).with_queues(self.queues.clone());
        let (limits, Listeners { public, admin, tls }) = (self.config.connections, listeners);
        let roles = &self.config.access;
        let ingest = guard(http::ingest(&intake, &self.config.doors()), roles.submit.clone(), Denied::answer);
        let public = serve::serve((public, tls.clone()), ingest, limits, stopping.clone());
        let health = Health { shared: Arc::clone(&self.shared), world: Arc::clone(&self.world), tls: tls.clone() };
        let limits = serve::Limits { connections: ADMIN_CONNECTIONS, ..limits };
        let routes = guard(http::admin(health), roles.operate.clone(), Denied::answer);
        let admin = serve::serve((admin, tls), routes, limits, stopping);
        let telemetry = Arc::clone(&self.shared.telemetry);
        let fold = async {
            loop {
                tokio::time::sleep(FOLD_EVERY).await;
                telemetry.fold();
            }
        };
        let served = async { tokio::join!(public, admin) };
        let mut served = std::pin::pin!(served);
        tokio::select! {
            _ = served.as_mut() => {}
            () = fold => {}
            () = stopped(&mut failed) => {}
            () = shutdown => {}
        }
        self.shared.stop();
        stop.send_replace(true);
        served.await;
        let poisoned = *failed.borrow();
        self.end(threads).await?;
        if poisoned { Err(RunError::Poisoned) } else { Ok(()) }
    }

    /// Starts the three stations, and one for each feed.
    fn start(&mut self, fatal: &watch::Sender<bool>) -> Result<Vec<JoinHandle<Result<(), PumpError>>>, RunError> {
        let (shared, world, config) = (&self.shared, &self.world, &self.config);
        let sign = {
            let (shared, world, keep_closed) = (Arc::clone(shared), Arc::clone(world), config.beat.idle_close * 2);
            move || shared.run(|| shared.sign(&*world, keep_closed))
        };
        let send = {
            let (shared, world, log, trust) =
                (Arc::clone(shared), Arc::clone(world), Arc::clone(&self.log), Arc::clone(&self.trust));
            let (names, max_age, retry_most) = (Arc::clone(&self.names), config.max_age, config.retry_most);
            move || {
                trust.judge(&shared, &*world, |trust, goes_on| {
                    let terms = Terms { world: &*world, trust, names: &names, max_age, retry_most };
                    let mut sender = Sender::new(&shared, &*log, terms);
                    shared.run_while(goes_on, || sender.round())
                })
            }
        };
        let confirm = {
            let (shared, world, log, trust) =
                (Arc::clone(shared), Arc::clone(world), Arc::clone(&self.log), Arc::clone(&self.trust));
            let (openings, times) = (Arc::clone(&self.openings), (config.remember, config.retry_most));
            move || {
                trust.judge(&shared, &*world, |trust, goes_on| {
                    let mut confirmer = Confirmer::new(&shared, &*log, &*openings, &*world, trust, times);
                    shared.run_while(goes_on, || confirmer.round())
                })
            }
        };
        let mut stations =
            vec![station("sign", fatal, sign)?, station("send", fatal, send)?, station("confirm", fatal, confirm)?];
        for group in &config.groups {
            let Some((forward, queue)) = group.forward().zip(self.queues.get(group.prefix())) else { continue };
            let (shared, world) = (Arc::clone(&self.shared), Arc::clone(&self.world));
            let (telemetry, queue) = (Arc::clone(&shared.telemetry), Arc::clone(queue));
            let mut forwarder =
                Forwarder::new(group.prefix(), forward.clone(), queue, telemetry, world, config.retry_most);
            stations.push(station("forward", fatal, move || shared.run(|| forwarder.round()))?);
        }
        for mut reader in std::mem::take(&mut self.readers) {
            let shared = Arc::clone(&self.shared);
            stations.push(station("feed", fatal, move || shared.run(|| reader.round()))?);
        }
        Ok(stations)
    }

    /// Waits for the stations, but not for one that waits for the log: it changes nothing any more.
    async fn end(&self, threads: Vec<JoinHandle<Result<(), PumpError>>>) -> Result<(), RunError> {
        let end = Instant::now() + LAST_ROUND;
        while !threads.iter().all(JoinHandle::is_finished) && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for thread in threads.into_iter().filter(JoinHandle::is_finished) {
            match thread.join() {
                Ok(ended) => ended?,
                Err(_) => return Err(RunError::Poisoned),
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Opens the queues for other sinks.
fn queues(config: &Config) -> Result<Queues, QueueError> {
    let mut queues = Queues::new();
    for group in &config.groups {
        let Some(forward) = group.forward() else { continue };
        let queue = Queue::open(&forward::folder(&config.outbox, group.prefix()), forward.bytes)?;
        queues.insert(group.prefix().to_owned(), Arc::new(queue));
    }
    Ok(queues)
}

/// Makes the readers of feeds, and tells each feed where to go on before anything is signed.
fn readers(
    feeds: Vec<Box<dyn Feed>>,
    (shared, names, world): (&Arc<Shared>, &Arc<Names>, &Arc<dyn World>),
    hold: outbox::Limits,
) -> Result<Vec<Reader>, OutboxError> {
    let mut readers = Vec::new();
    for feed in feeds {
        let mut reader = Reader::new(feed, Arc::clone(shared), Arc::clone(names), Arc::clone(world), hold);
        // Why it does not take its place is said when it is read, and it is tried again then.
        drop(reader.begin()?);
        readers.push(reader);
    }
    Ok(readers)
}

/// Starts a station; when it ends by itself, in whatever way, the agent ends.
fn station(
    name: &str,
    fatal: &watch::Sender<bool>,
    run: impl FnOnce() -> Result<(), PumpError> + Send + 'static,
) -> Result<JoinHandle<Result<(), PumpError>>, RunError> {
    let ending = Ending { fatal: fatal.clone(), is_wanted: false };
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // All of it: a closure would take the flag alone, and leave the rest to be dropped now.
            let mut ending = ending;
            let ended = run();
            ending.is_wanted = ended.is_ok();
            ended
        })
        .map_err(|cause| RunError::System { what: format!("start the thread {name}"), cause })
}

/// Says when dropped that the agent must end: after an error, and when a station unwinds.
struct Ending {
    fatal: watch::Sender<bool>,
    is_wanted: bool,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.is_wanted {
            self.fatal.send_replace(true);
        }
    }
}

/// Refuses to begin where events wait that nobody could map.
pub(crate) fn check_routes(outbox: &Outbox, adapters: &Adapters) -> Result<(), RunError> {
    for (number, stream) in outbox.streams()? {
        let is_known = adapters.of(&stream.route).is_some();
        let count = if is_known { 0 } else { outbox.count_waiting(number)? };
        if count > 0 {
            return Err(RunError::Orphans { count, route: stream.route });
        }
    }
    let mut held = outbox.holding()?.into_iter();
    let of_nobody = held.find(|(route, _)| adapters.of(route).is_none());
    of_nobody.map_or(Ok(()), |(route, count)| Err(RunError::Orphans { count, route }))
}

const ADMIN_CONNECTIONS: usize = 16;
/// How often it is looked whether the trust directory was updated.
const TRUST_EVERY: Duration = Duration::from_secs(5);
const FOLD_EVERY: Duration = Duration::from_secs(5);
/// What a station may take for the round it is in; one that waits for the log is left behind.
const LAST_ROUND: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Fresh;
    use crate::outbox::HowFar;

    #[test]
    fn lines_that_wait_for_an_envoy_that_is_configured_no_more_are_not_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(&dir.path().join("outbox"), "log.example", "spiffe://prod.example/agent").unwrap();
        check_routes(&outbox, &Adapters::default()).unwrap();
        let held = [0, 1].map(|number| outbox::Held::Now { number, row: b"line".to_vec() });
        let how_far = HowFar { of: "log", place: None, notes_of: "log", notes: &[], held: &held };
        let name = |instance: &str| Fresh { name: instance.to_owned(), predecessor: None };
        let limits = outbox::Limits { bytes: 1 << 20, streams: 8 };
        outbox.receive_read("envoy:gone", &[], Some(how_far), limits, 0, &name).unwrap();
        let said = check_routes(&outbox, &Adapters::default()).unwrap_err().to_string();
        assert!(said.contains("2 events of envoy:gone wait"), "{said}");
    }
}
