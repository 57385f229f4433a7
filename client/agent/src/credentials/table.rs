//! What an operator says of a place where credentials lie.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::envoy::table::is_name;
use crate::json::excerpt;
use crate::opa::decision::MAX_TEXT_BYTES;

/// A `[[credentials]]` table of `agent.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawWatched {
    /// What tells it from others here.
    pub name: String,
    /// A folder of PEM files and tokens.
    pub folder: Option<PathBuf>,
    /// The socket of a Workload API.
    pub workload_api: Option<String>,
    /// For whom JWT-SVIDs are asked of it.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// What the agent itself signs with.
    #[serde(default)]
    pub own: bool,
    /// Who sees them; by default the issuer.
    pub observer: Option<String>,
}

/// A checked `[[credentials]]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// What tells it from others here: the instance of its records.
    pub name: String,
    /// `credentials:` and its name.
    pub route: String,
    /// Where they lie.
    pub place: Where,
    /// For whom JWT-SVIDs are asked of a Workload API.
    pub audiences: Vec<String>,
    /// Who sees them, if that is not the issuer.
    pub observer: Option<String>,
}

/// Where credentials lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// In a folder.
    Folder(PathBuf),
    /// Behind the socket of a Workload API.
    Workload(String),
    /// In this agent, which signs with it.
    Own,
}

/// Why a table is refused. Each names the key and says what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WatchedError {
    /// The name is no plain one.
    #[error("name = {0}: should be 1 to 64 of A-Z a-z 0-9 . _ -")]
    Name(String),
    /// There is no place, or there are two.
    #[error("{0}: one of folder, workload_api and own is needed")]
    Place(String),
    /// The socket is none.
    #[error("workload_api = {0}: should be a socket, as \"unix:///run/spire/agent/public/api.sock\"")]
    Socket(String),
    /// This program has no Workload API client.
    #[error("workload_api: this program was built without it; build with --features spiffe, or watch a folder")]
    NoWorkloadApi,
    /// An audience is empty, too long, or there twice; or there are too many.
    #[error(
        "audiences: should be at most {MOST_AUDIENCES}, each once, of 1 to {MAX_TEXT_BYTES} bytes, and stand beside workload_api"
    )]
    Audiences,
    /// The agent signs with a key.
    #[error("{0}: own = true: this agent signs with a key; there is a certificate of its own with [x509] alone")]
    NoOwn(String),
    /// The observer is empty, or too long.
    #[error("observer: text of {0} bytes, should be 1 to {MAX_TEXT_BYTES}")]
    Observer(usize),
}

impl Watched {
    /// Checks a table; a relative folder is one of `base`.
    ///
    /// # Errors
    ///
    /// [`WatchedError`] names the key.
    pub fn new(raw: RawWatched, base: &Path) -> Result<Self, WatchedError> {
        if !is_name(&raw.name) {
            return Err(WatchedError::Name(excerpt(&raw.name)));
        }
        if let Some(found) = raw.observer.as_ref().map(String::len).filter(|len| !(1..=MAX_TEXT_BYTES).contains(len)) {
            return Err(WatchedError::Observer(found));
        }
        let place = match (raw.folder, raw.workload_api, raw.own) {
            (Some(folder), None, false) => Where::Folder(base.join(folder)),
            (None, None, true) => Where::Own,
            (None, Some(_), false) if cfg!(not(feature = "spiffe")) => return Err(WatchedError::NoWorkloadApi),
            (None, Some(socket), false) if socket.starts_with("unix:") || socket.starts_with("tcp:") => {
                Where::Workload(socket)
            }
            (None, Some(socket), false) => return Err(WatchedError::Socket(excerpt(&socket))),
            _ => return Err(WatchedError::Place(raw.name)),
        };
        let audiences = raw.audiences;
        let are_asked = matches!(place, Where::Workload(_)) && are_audiences(&audiences);
        if !are_asked && !audiences.is_empty() {
            return Err(WatchedError::Audiences);
        }
        let (route, name) = (format!("{}:{}", super::SYSTEM, raw.name), raw.name);
        Ok(Self { route, name, place, audiences, observer: raw.observer })
    }
}

fn are_audiences(audiences: &[String]) -> bool {
    let distinct: BTreeSet<&String> = audiences.iter().collect();
    audiences.len() <= MOST_AUDIENCES
        && distinct.len() == audiences.len()
        && audiences.iter().all(|audience| (1..=MAX_TEXT_BYTES).contains(&audience.len()))
}

/// Each is a token that is asked for again and again.
const MOST_AUDIENCES: usize = 16;
