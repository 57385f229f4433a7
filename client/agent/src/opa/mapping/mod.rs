//! What an operator says of one group of OPA instances: where they upload, whom to believe, and where in an event things stand.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use govlog_client::source::Outbound;
use govlog_formats::record::decision::Enforcement;

use crate::forward::Forward;
use crate::json::{Pointer, PointerError, excerpt};
use crate::opa::bundle::{BundleError, RawBundle, Table, is_address};
use crate::opa::watch::Terms;

mod raw;
#[cfg(test)]
mod tests;

pub use raw::{RawGroup, RawMapping, RawSource};

/// The most bytes text in the configuration may have.
const MAX_TEXT_BYTES: usize = 2048;

const MAX_FORWARD_MIB: u64 = 1 << 20;

/// A month: who is silent for longer is not watched.
const MAX_SILENT_S: u64 = 30 * 86_400;

/// What a group may say of its enforcement. A decision that was not had is none of OPA's.
const ENFORCEMENTS: [Enforcement; 3] = [Enforcement::Enforced, Enforcement::DryRun, Enforcement::Shadow];

/// A checked `[[opa]]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    prefix: String,
    pdp: Option<String>,
    pep: Option<String>,
    xfcc_from: Vec<String>,
    enforcement: Option<Enforcement>,
    mappings: Vec<Mapping>,
    bundles: Vec<Table>,
    terms: Terms,
    forward: Option<Forward>,
    /// For a path that none of `mappings` names.
    default: Mapping,
}

/// Where the fields of a decision stand in the events of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Without a leading slash.
    path: String,
    pub(super) subject: Source,
    pub(super) subject_type: Option<Source>,
    pub(super) action: Source,
    pub(super) resource: Source,
    pub(super) resource_type: Source,
    /// The first of these that leads to a boolean has the decision.
    pub(super) decision: Vec<Pointer>,
    pub(super) reasons: Option<Pointer>,
    pub(super) http: Http,
}

/// Where the HTTP request stands that a decision is about, if it is about one: not what OPA was asked, but what the proxy in front was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Http {
    pub(super) method: Pointer,
    pub(super) path: Pointer,
    pub(super) authority: Pointer,
}

/// Where a field comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Constant(String),
    At(Pointer),
}

/// Why a table is refused. Each names the key and says what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// The prefix is no plain path.
    #[error(
        "prefix = {0}: should begin with '/', not end with it, and have segments of A-Z a-z 0-9 . _ - other than '.' and '..'"
    )]
    Prefix(String),
    /// Text is empty, or too long.
    #[error("{key}: text of {found} bytes, should be 1 to {MAX_TEXT_BYTES}")]
    Length {
        /// The key.
        key: String,
        /// How many bytes there are.
        found: usize,
    },
    /// The enforcement is unknown.
    #[error("enforcement = {0}: should be \"enforced\", \"dry-run\" or \"shadow\"")]
    Enforcement(String),
    /// A pointer is needed, or one is wrong.
    #[error("mapping {path}: {key}: {problem}")]
    Pointer {
        /// The mapping's path.
        path: String,
        /// The key.
        key: &'static str,
        /// What is wrong.
        problem: PointerError,
    },
    /// A path is not that of a document.
    #[error("mapping path = {0}: should be a document's path, as \"mcp/tools\", without empty segments")]
    Path(String),
    /// Two mappings are of one path.
    #[error("mapping path = {0}: there are two of them")]
    PathTwice(String),
    /// A bundle's table is wrong.
    #[error("bundle {name}: {problem}")]
    Bundle {
        /// The bundle.
        name: String,
        /// What is wrong.
        problem: BundleError,
    },
    /// The time is out of range.
    #[error("silent_after_s = {0} is not between 0 and {MAX_SILENT_S}")]
    Silent(u64),
    /// The other sink's address is none.
    #[error(
        "forward: should be the address in front of /logs and /status, http:// or https://, without user, password and query; a token belongs into forward_client.token_file"
    )]
    Forward,
    /// Somebody means to be shown to nobody.
    #[error("forward_client: of use with forward alone")]
    ForwardClient,
    /// The size is out of range.
    #[error("forward_mib = {0} is not between 1 and {MAX_FORWARD_MIB}")]
    ForwardMib(u64),
    /// Two bundles have one name.
    #[error("bundle name = {0}: there are two of them")]
    BundleTwice(String),
}

impl Group {
    /// Under which path OPA uploads, as `/ingest/opa/v1`.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Who decides, if the operator says so.
    #[must_use]
    pub fn pdp(&self) -> Option<&str> {
        self.pdp.as_deref()
    }

    /// Who asks, if the operator says so.
    #[must_use]
    pub fn pep(&self) -> Option<&str> {
        self.pep.as_deref()
    }

    /// The proxies whose `x-forwarded-client-cert` is believed.
    #[must_use]
    pub fn xfcc_from(&self) -> &[String] {
        &self.xfcc_from
    }

    /// What becomes of decisions, if the operator says so.
    #[must_use]
    pub fn enforcement(&self) -> Option<Enforcement> {
        self.enforcement
    }

    /// The signed bundles that the instances load.
    #[must_use]
    pub fn bundles(&self) -> &[Table] {
        &self.bundles
    }

    /// What is told of the instances' statuses.
    #[must_use]
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// The sink that the uploads go to as well, if there is one.
    #[must_use]
    pub fn forward(&self) -> Option<&Forward> {
        self.forward.as_ref()
    }

    /// Takes relative paths from a folder.
    #[must_use]
    pub fn within(self, folder: &Path) -> Self {
        let bundles = self.bundles.into_iter().map(|table| table.within(folder)).collect();
        let forward = self.forward.map(|forward| Forward { client: forward.client.within(folder), ..forward });
        Self { bundles, forward, ..self }
    }

    /// Finds the mapping of a path: the longest that names it or a document above it, else the one for AuthZEN requests.
    #[must_use]
    pub fn mapping_of(&self, path: &str) -> &Mapping {
        let path = path.strip_prefix('/').unwrap_or(path);
        let named = self.mappings.iter().filter(|mapping| mapping.covers(path));
        named.max_by_key(|mapping| mapping.path.len()).unwrap_or(&self.default)
    }
}

impl Mapping {
    /// The path, without a leading slash; empty for the default, and for one that an operator wrote for all documents.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    fn covers(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.path.as_str());
        below.is_some_and(|rest| rest.is_empty() || self.path.is_empty() || rest.starts_with('/'))
    }

    fn authzen() -> Result<Self, PointerError> {
        let at = |text| Pointer::parse(text).map(Source::At);
        Ok(Self {
            path: String::new(),
            subject: at("/input/subject/id")?,
            subject_type: Some(at("/input/subject/type")?),
            action: at("/input/action/name")?,
            resource: at("/input/resource/id")?,
            resource_type: at("/input/resource/type")?,
            decision: vec![Pointer::parse("/result")?, Pointer::parse("/result/decision")?],
            reasons: None,
            http: Http::at([None, None, None]).map_err(|(_, problem)| problem)?,
        })
    }
}

impl TryFrom<RawGroup> for Group {
    type Error = GroupError;

    fn try_from(raw: RawGroup) -> Result<Self, GroupError> {
        if !is_prefix(&raw.prefix) {
            return Err(GroupError::Prefix(excerpt(&raw.prefix)));
        }
        let enforcement = raw.enforcement.map(|name| {
            let known = ENFORCEMENTS.into_iter().find(|known| known.as_str() == name);
            known.ok_or_else(|| GroupError::Enforcement(excerpt(&name)))
        });
        let proxies = raw.xfcc_from.into_iter().map(|proxy| bounded("xfcc_from", proxy));
        let mappings = raw.mapping.into_iter().map(Mapping::try_from).collect::<Result<Vec<_>, _>>()?;
        let mut paths = BTreeSet::new();
        if let Some(twice) = mappings.iter().find(|mapping| !paths.insert(mapping.path.as_str())) {
            return Err(GroupError::PathTwice(excerpt(&twice.path)));
        }
        let bundles = bundles(raw.bundle)?;
        if raw.silent_after_s > MAX_SILENT_S {
            return Err(GroupError::Silent(raw.silent_after_s));
        }
        let terms = Terms {
            activations: raw.activations.unwrap_or(!bundles.is_empty()),
            silent_after: Duration::from_secs(raw.silent_after_s),
        };
        let forward = forward(raw.forward, raw.forward_client, raw.forward_mib)?;
        let default = Mapping::authzen().map_err(|problem| pointer_error("", "default", problem))?;
        Ok(Self {
            prefix: raw.prefix,
            pdp: raw.pdp.map(|pdp| bounded("pdp", pdp)).transpose()?,
            pep: raw.pep.map(|pep| bounded("pep", pep)).transpose()?,
            xfcc_from: proxies.collect::<Result<_, _>>()?,
            enforcement: enforcement.transpose()?,
            mappings,
            bundles,
            terms,
            forward,
            default,
        })
    }
}

impl TryFrom<RawMapping> for Mapping {
    type Error = GroupError;

    fn try_from(raw: RawMapping) -> Result<Self, GroupError> {
        let path = raw.path.strip_prefix('/').unwrap_or(&raw.path).to_owned();
        if path.len() > MAX_TEXT_BYTES || (!path.is_empty() && path.split('/').any(str::is_empty)) {
            return Err(GroupError::Path(excerpt(&raw.path)));
        }
        let source = |key, raw| source(&path, key, raw);
        let pointer = |key, text: &str| Pointer::parse(text).map_err(|problem| pointer_error(&path, key, problem));
        Ok(Self {
            subject: source("subject", raw.subject)?,
            subject_type: raw.subject_type.map(|raw| source("subject_type", raw)).transpose()?,
            action: source("action", raw.action)?,
            resource: source("resource", raw.resource)?,
            resource_type: source("resource_type", raw.resource_type)?,
            decision: vec![pointer("decision", &raw.decision)?],
            reasons: raw.reasons.map(|text| pointer("reasons", &text)).transpose()?,
            http: Http::at([raw.http_method, raw.http_path, raw.http_authority])
                .map_err(|(key, problem)| pointer_error(&path, key, problem))?,
            path,
        })
    }
}

impl Http {
    /// Reads method, path and authority, each where it is said to be, or else where Envoy's external authorization puts it.
    fn at(said: [Option<String>; 3]) -> Result<Self, (&'static str, PointerError)> {
        let [method, path, authority] = said;
        let at = |key, said: Option<String>, usual| {
            Pointer::parse(said.as_deref().unwrap_or(usual)).map_err(|problem| (key, problem))
        };
        Ok(Self {
            method: at("http_method", method, "/input/attributes/request/http/method")?,
            path: at("http_path", path, "/input/attributes/request/http/path")?,
            authority: at("http_authority", authority, "/input/attributes/request/http/host")?,
        })
    }
}

fn forward(url: Option<String>, client: Outbound, mib: u64) -> Result<Option<Forward>, GroupError> {
    if !(1..=MAX_FORWARD_MIB).contains(&mib) {
        return Err(GroupError::ForwardMib(mib));
    }
    match url {
        Some(url) if is_address(&url) && !url.contains(['?', '#']) => {
            Ok(Some(Forward { url, client, bytes: mib << 20 }))
        }
        Some(_) => Err(GroupError::Forward),
        None if client == Outbound::default() => Ok(None),
        None => Err(GroupError::ForwardClient),
    }
}

fn bundles(raw: Vec<RawBundle>) -> Result<Vec<Table>, GroupError> {
    let mut tables: Vec<Table> = Vec::new();
    for raw in raw {
        let name = excerpt(&raw.name);
        let table = Table::try_from(raw).map_err(|problem| GroupError::Bundle { name: name.clone(), problem })?;
        if tables.iter().any(|other| other.name() == table.name()) {
            return Err(GroupError::BundleTwice(name));
        }
        tables.push(table);
    }
    Ok(tables)
}

fn source(path: &str, key: &'static str, raw: RawSource) -> Result<Source, GroupError> {
    match raw {
        RawSource::Text(text) if text.starts_with('/') => {
            Pointer::parse(&text).map(Source::At).map_err(|problem| pointer_error(path, key, problem))
        }
        RawSource::Text(text) | RawSource::Constant(text) => {
            bounded(&format!("mapping {}: {key}", excerpt(path)), text).map(Source::Constant)
        }
    }
}

fn pointer_error(path: &str, key: &'static str, problem: PointerError) -> GroupError {
    GroupError::Pointer { path: excerpt(path), key, problem }
}

fn bounded(key: &str, text: String) -> Result<String, GroupError> {
    match text.len() {
        1..=MAX_TEXT_BYTES => Ok(text),
        found => Err(GroupError::Length { key: key.to_owned(), found }),
    }
}

fn is_prefix(prefix: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    let segment = |text: &str| !matches!(text, "" | "." | "..") && text.bytes().all(plain);
    prefix.len() <= MAX_TEXT_BYTES && prefix.strip_prefix('/').is_some_and(|rest| rest.split('/').all(segment))
}
