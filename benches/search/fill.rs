//! Loading: days are made and signed by some threads and handed in, while the log's index is watched.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, anyhow};
use clap::Args;
use common::shown;
use govlog_client::source::{Http, Source};
use govlog_formats::admission::PolicyState;
use govlog_formats::cose::SigningKey;
use govlog_formats::record::Record;
use govlog_formats::statement::SignedStatement;
use govlog_scenario::Scenario;
use govlog_scenario::history::History;
use govlog_scenario::load::{admit, load};

use crate::facts::Facts;
use crate::measure::{cpu_of, peak_of, row, size_of};

#[derive(Debug, Args)]
pub(crate) struct Fill {
    /// The log's address; on this machine only
    #[arg(long, value_name = "URL")]
    log: String,
    /// Its admin address
    #[arg(long, value_name = "URL")]
    admin: String,
    /// Its directory
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Its process
    #[arg(long)]
    pid: u32,
    /// Its origin
    #[arg(long)]
    origin: String,
    /// How many entries to load
    #[arg(long)]
    entries: usize,
    /// How many decisions are made under the stolen credential
    #[arg(long, default_value_t = 10_000)]
    stolen: usize,
    /// How many threads sign and hand in
    #[arg(long, default_value_t = 4)]
    threads: usize,
    /// Where to write what is to be asked for
    #[arg(long, value_name = "FILE")]
    facts: PathBuf,
}

/// What is seen of the index while the log is filled.
#[derive(Debug, Default)]
struct Watched {
    most_lag: AtomicU64,
    is_done: AtomicBool,
}

impl Fill {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let host = self.log.strip_prefix("http://").unwrap_or_default();
        anyhow::ensure!(host.starts_with("127."), "{}: only a log on this machine is filled", self.log);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let now_ms = u64::try_from(now.as_millis())?;
        let history = History::new(SEED, &self.origin, self.entries, self.stolen.min(self.entries / 10), now_ms);
        let (source, admin) = (Source::open(&self.log)?, Source::open(&self.admin)?);
        let http = source.http().context("an address is needed")?;
        self.let_in(http, now.as_secs())?;

        let started = Instant::now();
        let cpu = [None, Some(INDEX)].map(|thread| cpu_of(self.pid, thread));
        let watched = Watched::default();
        let loaded = std::thread::scope(|scope| {
            scope.spawn(|| watch(&admin, &watched));
            let loaded = self.load(http, &history);
            watched.is_done.store(true, Ordering::Relaxed);
            loaded
        })?;
        let took = started.elapsed();
        let behind = Instant::now();
        let patience = Duration::from_secs(600);
        while metric(&admin, "govlog_index_lag_entries")? > 0 {
            anyhow::ensure!(behind.elapsed() < patience, "the index is still behind after {patience:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let behind = behind.elapsed();
        let [all, index] = [None, Some(INDEX)].map(|thread| cpu_of(self.pid, thread));
        let cpu = [all.saturating_sub(cpu[0]), index.saturating_sub(cpu[1])];
        self.report(loaded, took, cpu, &watched, behind);
        Ok(())
    }

    /// Lets the organisation's issuers submit.
    fn let_in(&self, http: &Http, now_s: u64) -> anyhow::Result<()> {
        let genesis = std::fs::read(self.dir.join("genesis.cose"))?;
        let state = PolicyState::genesis(&SignedStatement::parse_entry(&genesis)?)?;
        let operator = SigningKey::from_pkcs8_pem(&std::fs::read_to_string(self.dir.join("operator.key"))?)?;
        // One small day has every kind that anybody signs.
        let rows = Scenario::generate(SEED, 1_500).rows();
        admit(http, &self.origin, &state, &operator, rows, now_s).map_err(|why| anyhow!(why))
    }

    /// Makes the days and hands them in; gives how many entries that were.
    fn load(&self, http: &Http, history: &History) -> anyhow::Result<u64> {
        let (next, loaded, facts) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::new(None));
        let stolen = Mutex::new(None);
        let work = || -> anyhow::Result<()> {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= history.days() {
                    return Ok(());
                }
                let day = history.day(number);
                load(http, &day.entries).map_err(|why| anyhow!("day {number}: {why}"))?;
                let count = loaded.fetch_add(day.entries.len() as u64, Ordering::Relaxed);
                eprint!("\r{} entries …", count + day.entries.len() as u64);
                if number + 1 == history.days()
                    && let Ok(mut slot) = stolen.lock()
                {
                    *slot = revoked(&day);
                }
                if number == history.days() / 2
                    && let Ok(mut slot) = facts.lock()
                {
                    *slot = Some(day);
                }
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
        })?;
        eprintln!();
        let day = facts.into_inner().ok().flatten().context("no day was made")?;
        let stolen = stolen.into_inner().ok().flatten().context("nothing was revoked on the last day")?;
        Facts::pick(&day, stolen)?.write(&self.facts)?;
        Ok(loaded.into_inner())
    }

    fn report(&self, loaded: u64, took: Duration, [all, index]: [Duration; 2], watched: &Watched, behind: Duration) {
        let each = |time: Duration| format!("{:.1} µs", time.as_secs_f64() * 1e6 / loaded as f64);
        row("entries loaded", &format!("{loaded} in {}, {:.0}/s", shown(took), loaded as f64 / took.as_secs_f64()));
        row("index lag, most while loading", &format!("{} entries", watched.most_lag.load(Ordering::Relaxed)));
        row("index lag, gone after the last entry", &shown(behind));
        row("log, processor time per entry", &format!("{}, of it the index's thread {}", each(all), each(index)));
        row("log, peak memory", &format!("{} MiB", peak_of(self.pid)));
        let bytes = size_of(&self.dir.join("index"));
        row("D/index", &format!("{} MiB, {:.0} bytes per entry", bytes >> 20, bytes as f64 / loaded as f64));
    }
}

const SEED: u64 = 7;

/// The thread of the log that takes entries into the index.
const INDEX: &str = "index";

/// The handle that the last day's revocation of a credential names.
fn revoked(day: &Scenario) -> Option<String> {
    let handle = day.entries.iter().filter(|entry| entry.kind == "revocation").find_map(|entry| {
        let record = Record::parse(entry.kind, &entry.payload).ok()?;
        record.body()?.handle(&["target", "handle"]).present()
    })?;
    Some(format!("{}:{}", handle.name, handle.digest()?))
}

/// Looks at the index's lag until the log is filled.
fn watch(admin: &Source, watched: &Watched) {
    while !watched.is_done.load(Ordering::Relaxed) {
        if let Ok(lag) = metric(admin, "govlog_index_lag_entries") {
            watched.most_lag.fetch_max(lag, Ordering::Relaxed);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A number of the log's; 0 while there is none.
fn metric(admin: &Source, name: &str) -> anyhow::Result<u64> {
    let bytes = admin.get("metrics", 4 << 20)?.context("no metrics")?;
    let text = String::from_utf8_lossy(&bytes);
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(value.and_then(|value| value.trim().parse().ok()).unwrap_or_default())
}
