//! `agent.toml`: as typed, and as meant.

mod raw;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use govlog_client::openings::{Protection, RecipientError, Recipients, Settings as Keeping};
use govlog_client::source::Outbound;
use govlog_daemon::access::{Access, NoGrant, RawAccess};
use govlog_daemon::routes::Roles;
use govlog_daemon::serve;
use govlog_daemon::tls::{ExposureError, Settings, SettingsError};
use govlog_formats::admission::{DEFAULT_MAX_AGE_S, DEFAULT_MAX_AGE_X509_S};

use crate::capture::Capture;
use crate::credentials::{RawWatched, Watched, WatchedError, Where};
use crate::envoy::{Envoy, EnvoyError, RawEnvoy};
use crate::keys;
use crate::opa::{self, Group, GroupError, RawGroup};
use crate::outbox;
use crate::sign::Beat;
use crate::spire;
use raw::{Raw, RawRoles, RawX509};

/// An agent's configuration, checked: paths are joined to the folder of the file, numbers are in range.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Who signs: the issuer, as the admission policy names it.
    pub iss: String,
    /// The log's address.
    pub log: String,
    /// The issuer's private key; with [`Config::x509`] a name alone, beside which the names of streams are kept.
    pub key: PathBuf,
    /// Where the X.509-SVID is that signs instead of a key.
    pub x509: Option<keys::Settings>,
    /// What the log's proofs are judged by.
    pub trust: PathBuf,
    /// The folder of what is not proved to be in the log.
    pub outbox: PathBuf,
    /// The folder of what opens sealed values.
    pub openings: PathBuf,
    /// How that is kept, and for how long.
    pub keeping: Keeping,
    /// Where sources upload to.
    pub listen: SocketAddr,
    /// Where health and metrics are.
    pub admin: SocketAddr,
    /// What both listeners are protected by.
    pub tls: Settings,
    /// Who may do what: submit is for uploads.
    pub access: Roles,
    /// How the agent shows itself to the log, and which authorities speak for the log.
    pub client: Outbound,
    /// When streams say that they live, and when they are closed.
    pub beat: Beat,
    /// How old the log lets a statement's `iat` be.
    pub max_age: Duration,
    /// The rule by which permits are batched; none: every event is an entry of its own.
    pub capture: Option<Capture>,
    /// The longest wait between two tries.
    pub retry_most: Duration,
    /// How long after its publication an event is known again.
    pub remember: Duration,
    /// What the outbox may hold.
    pub hold: outbox::Limits,
    /// What one upload may hold.
    pub upload: opa::Limits,
    /// Bytes of all uploads that are being received.
    pub uploads_bytes: usize,
    /// What connections may take.
    pub connections: serve::Limits,
    /// The groups of OPA instances, by the prefix of their routes.
    pub groups: Vec<Group>,
    /// Who may upload to a group, by its prefix, where not everybody may who may upload at all.
    pub callers: BTreeMap<String, Access>,
    /// The Envoys whose access logs are followed.
    pub envoys: Vec<Envoy>,
    /// Where credentials are looked for.
    pub watched: Vec<Watched>,
    /// The SPIRE servers that are read.
    pub spire: Vec<spire::Settings>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The content is wrong.
    #[error("{}: {error}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: ContentError,
    },
}

/// What is wrong in a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// Not TOML, an unknown key, a key that is missing, or a value of another type.
    #[error(transparent)]
    Toml(Box<toml::de::Error>),
    /// Nothing says how openings are to be protected, or two things do.
    #[error("[openings] {0}")]
    Protection(&'static str),
    /// Whom openings are encrypted to is malformed.
    #[error("[openings] recipients: {0}")]
    Recipients(#[from] RecipientError),
    /// A number is out of range.
    #[error("{key} = {found} is not between {least} and {most}")]
    Range {
        /// The key.
        key: &'static str,
        /// The number found.
        found: u64,
        /// The least it may be.
        least: u64,
        /// The most it may be.
        most: u64,
    },
    /// A text is wrong.
    #[error("{key} = {found:?}: {why}")]
    Text {
        /// The key.
        key: &'static str,
        /// What was found.
        found: String,
        /// What would be right.
        why: &'static str,
    },
    /// What signs is not said, or twice.
    #[error("[x509] {0}")]
    X509(&'static str),
    /// The section `[tls]` is wrong.
    #[error(transparent)]
    Tls(#[from] SettingsError),
    /// A role is given to what nobody can be.
    #[error("access.{key} is {error}")]
    Access {
        /// The key.
        key: &'static str,
        /// What is wrong.
        error: NoGrant,
    },
    /// There are groups of OPA instances, and nobody is said to be one.
    #[error(
        "access.submit is not there: who may upload? Name the SPIFFE IDs of the OPA instances, which [tls] then proves, or write \
         [access] submit = \"loopback\": everything that runs on this machine may say what was decided"
    )]
    NoSubmitter,
    /// Callers are what nobody can be.
    #[error("[[opa]] callers is {0}")]
    Callers(NoGrant),
    /// Whoever reaches the listener could write into the log in the sources' names.
    #[error(transparent)]
    Exposed(#[from] ExposureError),
    /// An `[[opa]]` table is wrong.
    #[error("[[opa]] {0}")]
    Group(#[from] GroupError),
    /// A `[[credentials]]` table is wrong.
    #[error("[[credentials]] {0}")]
    Watched(#[from] WatchedError),
    /// An `[[envoy]]` table is wrong.
    #[error("[[envoy]] {0}")]
    Envoy(#[from] EnvoyError),
    /// Two `[[opa]]` tables have one prefix, or one lies on the other's routes.
    #[error("[[opa]] prefix = {0:?} stands twice; each group of instances needs a prefix of its own")]
    Prefix(String),
    /// A `[[spire]]` table is wrong.
    #[error("[[spire]] {0}")]
    Spire(#[from] spire::SettingsError),
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the key that is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        let folder = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        Self::parse(&text, folder).map_err(|error| ConfigError::Content { path: path.to_owned(), error })
    }

    /// The prefixes that are uploaded to, and whose callers are named.
    #[must_use]
    pub fn doors(&self) -> Vec<(&str, Option<Access>)> {
        let door = |prefix: &str| self.callers.get(prefix).cloned();
        self.groups.iter().map(|group| (group.prefix(), door(group.prefix()))).collect()
    }

    /// How long effects wait for their decisions, at least, where any do.
    #[must_use]
    pub fn settle(&self) -> Option<Duration> {
        self.envoys.iter().map(|envoy| envoy.settle).filter(|settle| !settle.is_zero()).min()
    }

    fn parse(text: &str, folder: &Path) -> Result<Self, ContentError> {
        let mut raw: Raw = toml::from_str(text).map_err(|error| ContentError::Toml(Box::new(error)))?;
        check_text(&raw)?;
        check_numbers(&raw)?;
        let tls = std::mem::take(&mut raw.tls).check(folder)?;
        let takes_uploads = raw.access.submit.is_some();
        if !takes_uploads && !raw.opa.is_empty() {
            return Err(ContentError::NoSubmitter);
        }
        let access = roles(std::mem::take(&mut raw.access))?;
        tls.check_reach("listen", raw.listen, &[&access.submit], "submit")?;
        tls.check_reach("admin", raw.admin, &[&access.operate], "operate")?;
        let callers = callers(&mut raw.opa)?;
        callers.values().try_for_each(|callers| tls.check_provable("[[opa]] callers", callers))?;
        let groups = groups(raw.opa, takes_uploads, folder)?;
        let servers = raw.spire;
        let envoys = envoys(raw.envoy, folder, &groups)?;
        let keeping = keeping(&raw.openings)?;
        let x509 = x509(raw.x509.take(), raw.key.is_some(), folder)?;
        let watched = watched(raw.credentials, folder, x509.is_some())?;
        let key = raw.key.take().unwrap_or_else(|| if x509.is_some() { NO_KEY } else { KEY }.into());
        let max_age_s = max_age_s(&raw.sending, x509.is_some());
        let (streams, sending, limits) = (raw.streams, raw.sending, raw.limits);
        Ok(Self {
            iss: raw.iss,
            log: raw.log,
            key: folder.join(key),
            x509,
            trust: folder.join(raw.trust),
            outbox: folder.join(raw.outbox),
            openings: folder.join(raw.openings.folder),
            keeping,
            listen: raw.listen,
            admin: raw.admin,
            tls,
            access,
            client: raw.client.within(folder),
            beat: Beat {
                heartbeat: Duration::from_secs(streams.heartbeat_s),
                idle_close: Duration::from_secs(streams.idle_close_s),
            },
            capture: capture(raw.capture),
            max_age: Duration::from_secs(max_age_s),
            retry_most: Duration::from_millis(sending.retry_max_ms),
            remember: Duration::from_secs(sending.remember_days * 86_400),
            hold: outbox::Limits { bytes: limits.outbox_mib << 20, streams: streams.most },
            upload: opa::Limits {
                upload_bytes: mib(limits.upload_mib),
                unpacked_bytes: mib(limits.unpacked_mib),
                event_bytes: mib(limits.event_mib),
                events: limits.events,
            },
            uploads_bytes: mib(limits.uploads_mib),
            connections: serve::Limits {
                connections: limits.connections,
                body: Duration::from_secs(limits.body_timeout_s),
                // With the stations' last round this is well within the 10 s in which a program ends.
                drain: Duration::from_secs(3),
                ..serve::Limits::default()
            },
            groups,
            callers,
            envoys,
            watched,
            spire: servers.into_iter().map(|server| server.check(folder)).collect::<Result<_, _>>()?,
        })
    }
}

fn check_text(raw: &Raw) -> Result<(), ContentError> {
    let wrong = |key, found: &str, why| Err(ContentError::Text { key, found: found.to_owned(), why });
    if raw.iss.is_empty() || raw.iss.len() > govlog_formats::limits::MAX_SUBJECT_BYTES {
        return wrong("iss", &raw.iss, "should be the issuer's URI, as the admission policy names it");
    }
    if !raw.log.starts_with("http://") && !raw.log.starts_with("https://") {
        return wrong("log", &raw.log, "should be the log's address, such as http://127.0.0.1:8080");
    }
    if ![BATCH_PERMITS, BATCH_NONE].contains(&raw.capture.batch.as_str()) {
        return wrong("capture.batch", &raw.capture.batch, "should be \"permits\" or \"none\"");
    }
    Ok(())
}

/// DESIGN §6: "absent `max_age_s`: 86,400 (600 for X.509 rows)".
fn max_age_s(raw: &raw::Sending, is_x509: bool) -> u64 {
    raw.max_age_s.unwrap_or(if is_x509 { DEFAULT_MAX_AGE_X509_S } else { DEFAULT_MAX_AGE_S })
}

/// Files or a Workload API, and then no key.
fn x509(raw: Option<RawX509>, has_key: bool, folder: &Path) -> Result<Option<keys::Settings>, ContentError> {
    let Some(RawX509 { svid, svid_key, spiffe }) = raw else { return Ok(None) };
    if has_key {
        return Err(ContentError::X509("and key: statements are signed with one or the other"));
    }
    match (svid, svid_key, spiffe) {
        (Some(svid), Some(key), None) => {
            Ok(Some(keys::Settings::Files { svid: folder.join(svid), key: folder.join(key) }))
        }
        (None, None, Some(endpoint)) => Ok(Some(keys::Settings::Workload(endpoint))),
        (None, None, None) => Err(ContentError::X509("needs svid and svid_key, or spiffe")),
        (_, _, Some(_)) => Err(ContentError::X509("spiffe beside svid or svid_key: it is one or the other")),
        (..) => Err(ContentError::X509("svid and svid_key stand together")),
    }
}

/// Whoever uploads says what was decided: nobody may unless somebody writes who, not even this machine.
fn roles(raw: RawRoles) -> Result<Roles, ContentError> {
    let role = |key, typed| Access::parse(typed).map_err(|error| ContentError::Access { key, error });
    let submit = raw.submit.unwrap_or_else(|| RawAccess::Several(Vec::new()));
    Ok(Roles { submit: role("submit", Some(submit))?, operate: role("operate", raw.operate)?, ..Roles::default() })
}

/// Secure unless somebody writes by name that it should not be.
fn keeping(raw: &raw::Openings) -> Result<Keeping, ContentError> {
    let protection = match (raw.plaintext, raw.recipients.as_slice()) {
        (true, []) => Protection::Plaintext,
        (true, _) => return Err(ContentError::Protection("plaintext = true, and recipients: it is one or the other")),
        (false, []) => return Err(ContentError::Protection(NO_RECIPIENT)),
        (false, recipients) => Protection::Age(Recipients::parse(recipients)?),
    };
    Ok(Keeping { protection, retention_days: raw.retention_days })
}

const NO_RECIPIENT: &str = "recipients: none. What opens sealed values is encrypted to them: govlog key new --alg age --out openings.key, \
    best elsewhere, prints one, age1…; or write plaintext = true to keep openings in clear";

fn check_numbers(raw: &Raw) -> Result<(), ContentError> {
    let (streams, sending, limits) = (&raw.streams, &raw.sending, &raw.limits);
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let ranges = [
        ("streams.heartbeat_s", streams.heartbeat_s, 1, 86_400),
        ("streams.idle_close_s", streams.idle_close_s, 1, 30 * 86_400),
        ("streams.most", streams.most, 2, 65_536),
        ("sending.max_age_s", max_age_s(sending, raw.x509.is_some()), 60, 365 * 86_400),
        ("sending.retry_max_ms", sending.retry_max_ms, 10, 600_000),
        ("sending.remember_days", sending.remember_days, 1, 365),
        ("capture.window_ms", raw.capture.window_ms, 1, 60_000),
        ("capture.members", count(raw.capture.members), 2, 16_384),
        // A step reads no more at a time.
        ("capture.kib", raw.capture.kib, 64, 8_192),
        ("openings.retention_days", raw.openings.retention_days.map_or(1, u64::from), 1, 36_500),
        // Or what fits an upload would never fit the outbox.
        ("limits.outbox_mib", limits.outbox_mib, limits.unpacked_mib, 1 << 20),
        ("limits.upload_mib", limits.upload_mib, 1, 1_024),
        ("limits.unpacked_mib", limits.unpacked_mib, 1, 4_096),
        // Above it, what opens an event would not fit the opening store.
        ("limits.event_mib", limits.event_mib, 1, limits.unpacked_mib.min(MAX_EVENT_MIB)),
        ("limits.events", count(limits.events), 1, 1_000_000),
        ("limits.uploads_mib", limits.uploads_mib, limits.upload_mib, 16_384),
        ("limits.connections", count(limits.connections), 1, 65_536),
        ("limits.body_timeout_s", limits.body_timeout_s, 1, 3_600),
    ];
    match ranges.into_iter().find(|(_, found, least, most)| !(least..=most).contains(&found)) {
        Some((key, found, least, most)) => Err(ContentError::Range { key, found, least, most }),
        None => Ok(()),
    }
}

/// Takes out who may upload to which group.
fn callers(raw: &mut [RawGroup]) -> Result<BTreeMap<String, Access>, ContentError> {
    let named = raw.iter_mut().filter_map(|group| Some((group.prefix.clone(), group.callers.take()?)));
    let parse = |typed| Access::parse(Some(typed)).map_err(ContentError::Callers);
    named.map(|(prefix, typed)| Ok((prefix, parse(typed)?))).collect()
}

/// The groups; without any there is one that takes AuthZEN-shaped decisions on the default prefix, if anybody may upload.
fn groups(raw: Vec<RawGroup>, takes_uploads: bool, folder: &Path) -> Result<Vec<Group>, ContentError> {
    let mut groups: Vec<Group> = Vec::new();
    for group in raw {
        let group = Group::try_from(group)?.within(folder);
        if groups.iter().any(|other| other.prefix() == group.prefix()) {
            return Err(ContentError::Prefix(group.prefix().to_owned()));
        }
        groups.push(group);
    }
    if groups.is_empty() && takes_uploads {
        groups.push(Group::try_from(RawGroup::at(DEFAULT_PREFIX))?);
    }
    Ok(groups)
}

fn envoys(raw: Vec<RawEnvoy>, folder: &Path, groups: &[Group]) -> Result<Vec<Envoy>, ContentError> {
    raw.into_iter().map(|raw| Ok(Envoy::new(raw, folder)?.beside(groups)?)).collect()
}

fn watched(raw: Vec<RawWatched>, folder: &Path, is_x509: bool) -> Result<Vec<Watched>, ContentError> {
    let watched: Vec<Watched> = raw.into_iter().map(|raw| Watched::new(raw, folder)).collect::<Result<_, _>>()?;
    match watched.iter().find(|watched| watched.place == Where::Own && !is_x509) {
        Some(watched) => Err(WatchedError::NoOwn(watched.name.clone()).into()),
        None => Ok(watched),
    }
}

fn capture(raw: raw::Capture) -> Option<Capture> {
    (raw.batch == BATCH_PERMITS).then(|| Capture {
        window: Duration::from_millis(raw.window_ms),
        members: raw.members,
        bytes: raw.kib << 10,
        alone_subjects: raw.alone_subjects,
        alone_policies: raw.alone_policies.iter().map(|policy| policy.trim_matches('/').to_owned()).collect(),
    })
}

fn mib(number: u64) -> usize {
    usize::try_from(number << 20).unwrap_or(usize::MAX)
}

const KEY: &str = "agent.key";
/// What the names of streams are kept beside where there is no key.
const NO_KEY: &str = "agent.x509";

/// The most one event may have, MiB: its openings hold all of it, and 192 MiB are kept for one entry.
const MAX_EVENT_MIB: u64 = 128;

const BATCH_PERMITS: &str = "permits";
const BATCH_NONE: &str = "none";

/// Where OPA uploads to when nothing else is configured.
pub const DEFAULT_PREFIX: &str = "/ingest/opa/v1";
