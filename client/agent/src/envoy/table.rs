//! What an operator says of one Envoy: which file it writes, who it is, and how the members of its lines are called.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::json::excerpt;
use crate::opa::Group;
use crate::opa::decision::MAX_TEXT_BYTES;

/// An `[[envoy]]` table of `agent.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawEnvoy {
    /// What tells it from others here.
    pub name: String,
    /// The access log.
    pub log: PathBuf,
    /// Envoy's `node.id`.
    pub node: String,
    /// Who acted.
    pub performer: String,
    /// How long a line waits for its decision.
    #[serde(default = "settle_s")]
    pub settle_s: u64,
    /// How long it waits at most while its decision may be under way.
    pub settle_most_s: Option<u64>,
    /// How long decisions are kept for lines that come later.
    #[serde(default = "join_s")]
    pub join_s: u64,
    /// The prefixes of the groups of OPA instances that decide for it; by default all of them.
    pub decided_by: Option<Vec<String>>,
    /// Under which path the documents of an OPA behind it are asked for; empty: there is none.
    #[serde(default = "documents")]
    pub documents: String,
    /// Paths for which nothing is decided.
    #[serde(default)]
    pub no_decision: Vec<String>,
    /// Whether paths are sealed.
    #[serde(default)]
    pub seal_path: bool,
    /// The most a line may have, KiB.
    #[serde(default = "line_kib")]
    pub line_kib: u64,
    /// How members are called.
    #[serde(default)]
    pub fields: Names,
}

/// The names of a line's members. One that a log does not have is not missed, but for `start` and `code`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each is the default of its own name, but for a few")]
pub struct Names {
    pub start: String,
    pub duration: String,
    pub request_id: String,
    pub traceparent: String,
    pub method: String,
    pub path: String,
    pub authority: String,
    pub code: String,
    pub flags: String,
    pub details: String,
    pub grpc_status: String,
    pub peer_uri: String,
    pub peer_s256: String,
    pub peer_serial: String,
    pub decision_id: String,
}

impl Default for Names {
    fn default() -> Self {
        let name = str::to_owned;
        Self {
            start: name("start"),
            duration: name("duration"),
            request_id: name("request_id"),
            traceparent: name("traceparent"),
            method: name("method"),
            path: name("path"),
            authority: name("authority"),
            code: name("code"),
            flags: name("flags"),
            details: name("details"),
            grpc_status: name("grpc_status"),
            peer_uri: name("peer_uri"),
            peer_s256: name("peer_s256"),
            peer_serial: name("peer_serial"),
            decision_id: name("decision_id"),
        }
    }
}

/// A checked `[[envoy]]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envoy {
    /// `envoy:` and its name.
    pub route: String,
    /// The access log.
    pub log: PathBuf,
    /// Envoy's `node.id`.
    pub node: String,
    /// Who acted.
    pub performer: String,
    /// How long a line waits for its decision.
    pub settle: Duration,
    /// How long it waits at most while its decision may be under way.
    pub settle_most: Duration,
    /// How long decisions are kept.
    pub join: Duration,
    /// Whether paths are sealed.
    pub seal_path: bool,
    /// The most bytes of a line.
    pub line_bytes: usize,
    /// How members are called.
    pub names: Names,
    /// Under which path the documents of an OPA behind it are asked for.
    pub documents: Option<String>,
    /// The routes of the groups that decide for it; none: any.
    pub decided_by: Option<Vec<String>>,
    /// Of these, those that know it as a proxy by the name it acts under.
    known_to: Vec<String>,
    no_decision: Vec<String>,
}

/// Why a table is refused. Each names the key and says what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvoyError {
    /// The name is no plain one.
    #[error("name = {0}: should be 1 to 64 of A-Z a-z 0-9 . _ -")]
    Name(String),
    /// Text is empty, or too long.
    #[error("{key}: text of {found} bytes, should be 1 to {MAX_TEXT_BYTES}")]
    Length {
        /// The key.
        key: &'static str,
        /// How many bytes there are.
        found: usize,
    },
    /// A number is out of range.
    #[error("{key} = {found}: should be {least} to {most}")]
    Range {
        /// The key.
        key: &'static str,
        /// What was found.
        found: u64,
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// There is no such group.
    #[error(
        "decided_by = {0}: there is no [[opa]] with that prefix; [] says that nothing is decided by an OPA that uploads here"
    )]
    Group(String),
    /// The documents' path is none.
    #[error(
        "documents = {0}: should begin and end with '/', as \"/v1/data/\"; or be \"\" where no OPA is behind this Envoy"
    )]
    Documents(String),
    /// A path is none.
    #[error(
        "no_decision = {0}: should be a path without a query, as \"/healthz\"; with * at its end all that begin so"
    )]
    Path(String),
}

impl Envoy {
    /// Checks a table; a relative file is one of `folder`.
    ///
    /// # Errors
    ///
    /// [`EnvoyError`] names the key.
    pub fn new(raw: RawEnvoy, folder: &Path) -> Result<Self, EnvoyError> {
        if !is_name(&raw.name) {
            return Err(EnvoyError::Name(excerpt(&raw.name)));
        }
        // A node's id is the instance in an idempotency key and in the names of streams.
        for (key, text) in [("node", &raw.node), ("performer", &raw.performer)] {
            if !(1..=MAX_TEXT_BYTES).contains(&text.len()) {
                return Err(EnvoyError::Length { key, found: text.len() });
            }
        }
        let ranges = [
            ("settle_s", raw.settle_s, 0, 3_600),
            ("join_s", raw.join_s, 1, 86_400),
            ("line_kib", raw.line_kib, 1, 1_024),
        ];
        if let Some((key, found, least, most)) =
            ranges.into_iter().find(|(_, found, least, most)| !(least..=most).contains(&found))
        {
            return Err(EnvoyError::Range { key, found, least, most });
        }
        let settle_most_s = raw.settle_most_s.unwrap_or(SETTLE_MOST_S.max(raw.settle_s));
        if !(raw.settle_s..=86_400).contains(&settle_most_s) {
            let (key, found, least, most) = ("settle_most_s", settle_most_s, raw.settle_s, 86_400);
            return Err(EnvoyError::Range { key, found, least, most });
        }
        let is_folder = raw.documents.len() > 1 && raw.documents.starts_with('/') && raw.documents.ends_with('/');
        if !raw.documents.is_empty() && !is_folder {
            return Err(EnvoyError::Documents(excerpt(&raw.documents)));
        }
        if let Some(wrong) = raw.no_decision.iter().find(|path| !path.starts_with('/') || path.contains('?')) {
            return Err(EnvoyError::Path(excerpt(wrong)));
        }
        Ok(Self {
            route: format!("{}:{}", super::SYSTEM, raw.name),
            log: folder.join(raw.log),
            node: raw.node,
            performer: raw.performer,
            settle: Duration::from_secs(raw.settle_s),
            settle_most: Duration::from_secs(settle_most_s),
            join: Duration::from_secs(raw.join_s),
            seal_path: raw.seal_path,
            line_bytes: usize::try_from(raw.line_kib << 10).unwrap_or(usize::MAX),
            names: raw.fields,
            documents: Some(raw.documents).filter(|documents| !documents.is_empty()),
            decided_by: raw.decided_by,
            known_to: Vec::new(),
            no_decision: raw.no_decision,
        })
    }

    /// Takes its place beside the groups that may decide for it.
    ///
    /// # Errors
    ///
    /// One that it names is not among them.
    pub fn beside(self, groups: &[Group]) -> Result<Self, EnvoyError> {
        let is_there = |prefix: &&String| groups.iter().any(|group| group.prefix() == prefix.as_str());
        if let Some(wrong) = self.decided_by.iter().flatten().find(|prefix| !is_there(prefix)) {
            return Err(EnvoyError::Group(excerpt(wrong)));
        }
        let prefixes =
            |groups: &mut dyn Iterator<Item = &Group>| groups.map(|group| group.prefix().to_owned()).collect();
        let knows_it = |group: &&Group| group.xfcc_from().contains(&self.performer);
        let known_to = prefixes(&mut groups.iter().filter(knows_it));
        let decided_by = self.decided_by.or_else(|| Some(prefixes(&mut groups.iter())));
        Ok(Self { decided_by, known_to, ..self })
    }

    /// Says whether an instance on a route decides for it.
    #[must_use]
    pub fn is_decided_by(&self, route: &str) -> bool {
        self.decided_by.as_ref().is_none_or(|routes| routes.iter().any(|of| of == route))
    }

    /// Says whether nobody who uploads here decides for it.
    #[must_use]
    pub fn is_decided_by_nobody(&self) -> bool {
        self.decided_by.as_ref().is_some_and(Vec::is_empty)
    }

    /// Says whether the instances on a route know it as a proxy by the name that it acts under.
    #[must_use]
    pub fn is_known_to(&self, route: &str) -> bool {
        self.known_to.iter().any(|of| of == route)
    }

    /// Says whether anything is decided for a path, given without its query.
    #[must_use]
    pub fn needs_decision(&self, path: &str) -> bool {
        let covers = |named: &String| match named.strip_suffix('*') {
            Some(beginning) => path.starts_with(beginning),
            None => path == named,
        };
        !self.no_decision.iter().any(covers)
    }
}

/// Says whether a name can stand in a route.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

const fn settle_s() -> u64 {
    15
}

fn documents() -> String {
    "/v1/data/".to_owned()
}

/// Five minutes: an OPA that was away has come through by then, or is gone.
const SETTLE_MOST_S: u64 = 300;

const fn join_s() -> u64 {
    900
}

const fn line_kib() -> u64 {
    64
}
