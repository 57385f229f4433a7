//! Configuration: `log.toml` as typed becomes what it means.
//!
//! Every key has a default or an error that names it; a key that is not known is refused. [`KEYS`] describes each of them once: the file
//! that `init` writes, the help of `run` and the tests are made from that table.

mod access;
mod keys;
mod raw;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use govlog_daemon::tls;
use govlog_formats::note::{KeyError, KeyName};
use govlog_formats::tlog_policy::{Policy, PolicyError};
use govlog_tls::outbound::Outbound;

use crate::files::{self, FileError};

pub use govlog_daemon::access::Access;
pub use govlog_daemon::routes::{Role, Roles};
pub(crate) use keys::template;
pub use keys::{KEYS, Key, describe};

use self::raw::Raw;

/// Where the log listens unless it is told otherwise.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Where the admin listener listens unless it is told otherwise.
pub const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

/// A log's configuration, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The log's name: the first line of its checkpoints.
    pub origin: KeyName,
    /// Where the public routes are served; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where health, readiness and metrics are served; never the public address.
    pub admin: SocketAddr,
    /// Where things lie.
    pub files: Files,
    /// What both listeners are protected by.
    pub tls: tls::Settings,
    /// Who may do what.
    pub access: Roles,
    /// What is bounded.
    pub limits: Limits,
    /// How checkpoints are published.
    pub publication: Publication,
    /// How the store uses memory and disk.
    pub store: Store,
}

/// The files and directories of a log; relative ones were taken from the directory of `log.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Files {
    /// The directory that holds `log.toml`.
    pub dir: PathBuf,
    /// The witness policy, C2SP tlog-policy.
    pub policy: PathBuf,
    /// The key that signs checkpoints.
    pub checkpoint_key: PathBuf,
    /// The key that signs receipts.
    pub receipt_key: PathBuf,
    /// The directory of the store.
    pub store: PathBuf,
    /// The directory of the search index, which may be deleted at any time.
    pub index: PathBuf,
    /// The directory of the head file; on another disk it survives the loss of the store's. Never restored from a backup.
    pub head: PathBuf,
}

impl Files {
    /// Names the head file itself.
    pub fn head_file(&self) -> PathBuf {
        self.head.join("head")
    }

    /// Names the directory of `log.toml` so that it can be opened.
    pub(crate) fn dir_or_here(&self) -> &Path {
        if self.dir.as_os_str().is_empty() { Path::new(".") } else { &self.dir }
    }
}

/// What is bounded, besides what the formats bound.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at a time.
    pub connections: NonZeroUsize,
    /// Requests per second and address; `None`: no budget.
    pub address_rate: Option<NonZeroU32>,
    /// Threads that verify signatures.
    pub verify_threads: NonZeroUsize,
    /// Bytes of statements between their admission and their commit.
    pub in_flight_bytes: usize,
}

/// How checkpoints are published.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Publication {
    /// The least time between two rounds.
    pub interval: Duration,
    /// How long a round that has its quorum waits for the other witnesses.
    pub stragglers: Duration,
    /// How often an idle head is cosigned again.
    pub republish: Duration,
    /// How long one witness may take to answer.
    pub witness_timeout: Duration,
    /// How the log shows itself to witnesses, and which authorities speak for them.
    pub client: Outbound,
    /// The file of the bearer token for each witness that wants one, by the witness's name in the policy.
    pub tokens: BTreeMap<String, PathBuf>,
}

/// How the store uses memory and disk. Sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Store {
    /// Memtables.
    pub memtables: usize,
    /// Block caches.
    pub block_cache: usize,
    /// Tile and bundle caches.
    pub tile_cache: usize,
    /// Write-ahead log on disk.
    pub wal: u64,
    /// The least free space, in bytes, with which entries are taken.
    pub reserve_bytes: u64,
    /// The least free share of the disk, in percent, with which entries are taken.
    pub reserve_percent: u8,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file can not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not TOML, or has a key that is not known, or a value of another type.
    #[error("{path}: {why}", path = .path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// What the reader said, with the line.
        why: String,
    },
    /// A key without a default is not there.
    #[error("{path}: {key} is missing: {about}", path = .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What it is for.
        about: &'static str,
    },
    /// A value is outside what it may be.
    #[error("{path}: {key} is {found}; it must be {expected}", path = .path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// The section `[tls]` is wrong.
    #[error("{path}: {source}", path = .path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: tls::SettingsError,
    },
    /// The origin can not name a log.
    #[error("origin: {0}")]
    Origin(#[from] OriginError),
    /// The witness policy is malformed.
    #[error("{path}: {source}", path = .path.display())]
    Policy {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: PolicyError,
    },
    /// The witness policy is about another log.
    #[error("{path}: has no log line for {origin:?}", path = .path.display())]
    PolicyLog {
        /// The file.
        path: PathBuf,
        /// The configured origin.
        origin: String,
    },
    /// A witness of the policy can not be asked.
    #[error("{path}: witness {witness:?} has no URL; the log can not ask it", path = .path.display())]
    WitnessUrl {
        /// The file.
        path: PathBuf,
        /// The witness's name.
        witness: String,
    },
}

/// Why a text can not be the origin of a log of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// It can not name a key.
    #[error(transparent)]
    Name(#[from] KeyError),
    /// It has a scheme.
    #[error("{0:?} has a scheme; an origin is written without one, such as log.example.org/2026")]
    Scheme(String),
    /// It would be cut short in policy files.
    #[error("{0:?} holds a '#', which begins a comment in policy files")]
    Hash(String),
    /// It is too long to stand in an `iss`.
    #[error("the origin is {0} bytes long; at most {MAX_ORIGIN_BYTES} are allowed")]
    TooLong(usize),
}

/// The operator's `iss` holds the origin, and so does each receipt's; one of 1,024 bytes leaves room for both.
const MAX_ORIGIN_BYTES: usize = 1024;

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// Names the key that is wrong, and what would be right.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = files::read_text(path)?;
        Self::parse(path, &text)
    }

    /// Checks the text of a configuration file that lies at `path`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let raw: Raw = toml::from_str(text).map_err(|error| ConfigError::Toml {
            path: path.to_owned(),
            why: error.to_string().trim_end().to_owned(),
        })?;
        raw.check(path)
    }

    /// Reads the witness policy.
    ///
    /// # Errors
    /// When it is malformed, has no line for this log, or names a witness without a URL.
    pub fn load_policy(&self) -> Result<Policy, ConfigError> {
        let path = &self.files.policy;
        let policy =
            Policy::parse(&files::read(path)?).map_err(|source| ConfigError::Policy { path: path.clone(), source })?;
        if policy.logs_of(&self.origin.clone().into()).next().is_none() {
            return Err(ConfigError::PolicyLog { path: path.clone(), origin: self.origin.to_string() });
        }
        if let Some(witness) = policy.witnesses().iter().find(|witness| witness.url().is_none()) {
            return Err(ConfigError::WitnessUrl { path: path.clone(), witness: witness.name().to_string() });
        }
        Ok(policy)
    }
}

/// Checks that a text can be the origin of a log of ours.
///
/// # Errors
/// Says what in it can not stand in a key's name, an `iss` or a policy file.
pub fn check_origin(text: &str) -> Result<KeyName, OriginError> {
    if text.contains("://") {
        return Err(OriginError::Scheme(text.to_owned()));
    }
    if text.contains('#') {
        return Err(OriginError::Hash(text.to_owned()));
    }
    if text.len() > MAX_ORIGIN_BYTES {
        return Err(OriginError::TooLong(text.len()));
    }
    Ok(KeyName::new(text)?)
}
