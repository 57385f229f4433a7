//! `log.toml` as typed: every key optional, nothing checked but its type.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use govlog_daemon::tls::RawTls;
use govlog_tls::outbound::Outbound;
use serde::Deserialize;

use super::{
    Config, ConfigError, DEFAULT_ADMIN, DEFAULT_LISTEN, Files, Limits, Publication, Store, access::RawRoles,
    check_origin,
};

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    origin: Option<String>,
    listen: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    #[serde(default)]
    files: RawFiles,
    #[serde(default)]
    tls: RawTls,
    #[serde(default)]
    access: RawRoles,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default)]
    client: RawClient,
    #[serde(default)]
    publication: RawPublication,
    #[serde(default)]
    store: RawStore,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFiles {
    policy: Option<PathBuf>,
    checkpoint_key: Option<PathBuf>,
    receipt_key: Option<PathBuf>,
    store: Option<PathBuf>,
    index: Option<PathBuf>,
    head: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    connections: Option<usize>,
    address_rate: Option<u32>,
    verify_threads: Option<usize>,
    in_flight_mib: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClient {
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    cert_key: Option<PathBuf>,
    #[serde(default)]
    token_files: BTreeMap<String, PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPublication {
    interval_ms: Option<u64>,
    stragglers_ms: Option<u64>,
    republish_s: Option<u64>,
    witness_timeout_ms: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStore {
    memtables_mib: Option<usize>,
    block_cache_mib: Option<usize>,
    tile_cache_mib: Option<usize>,
    wal_mib: Option<u64>,
    reserve_mib: Option<u64>,
    reserve_percent: Option<u8>,
}

impl Raw {
    /// Turns what was typed into what it means.
    pub(super) fn check(self, path: &Path) -> Result<Config, ConfigError> {
        let origin = self.origin.ok_or(ConfigError::Missing {
            path: path.to_owned(),
            key: "origin",
            about: "the log's name, such as log.example.org/2026",
        })?;
        let (listen, admin) = (self.listen.unwrap_or(DEFAULT_LISTEN), self.admin.unwrap_or(DEFAULT_ADMIN));
        if listen == admin && listen.port() != 0 {
            return Err(value(
                path,
                "admin",
                &admin,
                "another address than listen: health and metrics are never public",
            ));
        }
        let files = self.files.check(path);
        let tls = self.tls.check(&files.dir).map_err(|source| ConfigError::Tls { path: path.to_owned(), source })?;
        Ok(Config {
            origin: check_origin(&origin)?,
            listen,
            admin,
            files,
            tls,
            access: self.access.check(path)?,
            limits: self.limits.check(path)?,
            publication: self.publication.check(path, self.client)?,
            store: self.store.check(path)?,
        })
    }
}

impl RawFiles {
    fn check(self, path: &Path) -> Files {
        let dir = path.parent().unwrap_or(Path::new("")).to_owned();
        let or = |typed: Option<PathBuf>, default: &str| dir.join(typed.unwrap_or_else(|| default.into()));
        Files {
            policy: or(self.policy, "policy.txt"),
            checkpoint_key: or(self.checkpoint_key, "checkpoint.key"),
            receipt_key: or(self.receipt_key, "receipt.key"),
            store: or(self.store, "store"),
            index: or(self.index, "index"),
            head: or(self.head, "head"),
            dir,
        }
    }
}

impl RawLimits {
    fn check(self, path: &Path) -> Result<Limits, ConfigError> {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let positive = "at least 1";
        let count = |typed: Option<usize>, key, default: NonZeroUsize| match typed {
            None => Ok(default),
            Some(typed) => NonZeroUsize::new(typed).ok_or_else(|| value(path, key, &typed, positive)),
        };
        let address_rate = match self.address_rate {
            None => None,
            Some(rate) => {
                Some(NonZeroU32::new(rate).ok_or_else(|| value(path, "limits.address_rate", &rate, positive))?)
            }
        };
        Ok(Limits {
            connections: count(self.connections, "limits.connections", NonZeroUsize::MIN.saturating_add(1023))?,
            address_rate,
            verify_threads: count(self.verify_threads, "limits.verify_threads", cores)?,
            // One batch of 8 MiB must fit, or it could never be taken.
            in_flight_bytes: mib(path, "limits.in_flight_mib", self.in_flight_mib.unwrap_or(64), 8, "from 8 to 65536")?,
        })
    }
}

impl RawPublication {
    fn check(self, path: &Path, client: RawClient) -> Result<Publication, ConfigError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let RawClient { ca, cert, cert_key, token_files } = client;
        // One token for all would make each witness able to speak for the log to every other.
        let client = Outbound { ca, cert, cert_key, token_file: None }.within(folder);
        let time_ms = |typed: Option<u64>, key, default_ms, least_ms, expected| {
            let typed = typed.unwrap_or(default_ms);
            if (least_ms..=3_600_000).contains(&typed) {
                Ok(Duration::from_millis(typed))
            } else {
                Err(value(path, key, &typed, expected))
            }
        };
        let republish_s = self.republish_s.unwrap_or(60);
        if !(1..=86_400).contains(&republish_s) {
            return Err(value(path, "publication.republish_s", &republish_s, "from 1 to 86400"));
        }
        Ok(Publication {
            interval: time_ms(self.interval_ms, "publication.interval_ms", 200, 1, "from 1 to 3600000")?,
            stragglers: time_ms(self.stragglers_ms, "publication.stragglers_ms", 100, 0, "at most 3600000")?,
            republish: Duration::from_secs(republish_s),
            witness_timeout: time_ms(
                self.witness_timeout_ms,
                "publication.witness_timeout_ms",
                5_000,
                1,
                "from 1 to 3600000",
            )?,
            client,
            tokens: token_files.into_iter().map(|(name, file)| (name, folder.join(file))).collect(),
        })
    }
}

impl RawStore {
    fn check(self, path: &Path) -> Result<Store, ConfigError> {
        let expected = "from 1 to 65536";
        let size = |typed: Option<usize>, key, default| mib(path, key, typed.unwrap_or(default), 1, expected);
        let wal_mib = self.wal_mib.unwrap_or(256);
        if !(1..=65_536).contains(&wal_mib) {
            return Err(value(path, "store.wal_mib", &wal_mib, expected));
        }
        let percent = self.reserve_percent.unwrap_or(5);
        if percent > 99 {
            return Err(value(path, "store.reserve_percent", &percent, "at most 99"));
        }
        Ok(Store {
            memtables: size(self.memtables_mib, "store.memtables_mib", 96)?,
            block_cache: size(self.block_cache_mib, "store.block_cache_mib", 80)?,
            tile_cache: size(self.tile_cache_mib, "store.tile_cache_mib", 64)?,
            wal: wal_mib << 20,
            reserve_bytes: self.reserve_mib.unwrap_or(2048).saturating_mul(1 << 20),
            reserve_percent: percent,
        })
    }
}

fn mib(
    path: &Path,
    key: &'static str,
    typed: usize,
    least: usize,
    expected: &'static str,
) -> Result<usize, ConfigError> {
    if (least..=65_536).contains(&typed) { Ok(typed << 20) } else { Err(value(path, key, &typed, expected)) }
}

pub(super) fn value(path: &Path, key: &'static str, found: &impl ToString, expected: &'static str) -> ConfigError {
    ConfigError::Value { path: path.to_owned(), key, found: found.to_string(), expected }
}
