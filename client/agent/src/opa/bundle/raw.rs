//! An `[[opa.bundle]]` table: as typed, and as meant.

use std::path::{Path, PathBuf};
use std::time::Duration;

use govlog_client::source::Outbound;
use serde::Deserialize;

/// The most bytes of a name, a key id, a scope or an address.
const MAX_TEXT_BYTES: usize = 1024;
const MAX_POLL_S: u64 = 86_400;

/// A table of `agent.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawBundle {
    /// What OPA's configuration calls the bundle.
    pub name: String,
    /// Where it is: a file.
    pub file: Option<PathBuf>,
    /// Or an address.
    pub url: Option<String>,
    /// The signer's public key.
    pub key: PathBuf,
    /// What the key is called; by default what the signature calls it.
    pub keyid: Option<String>,
    /// The scope that must be signed.
    #[serde(default)]
    pub scope: String,
    /// The policy's URI, which its records are filed under.
    pub uri: Option<String>,
    /// Seconds between two looks.
    #[serde(default = "poll_s")]
    pub poll_s: u64,
    /// How the agent shows itself to the address, and which authorities speak for it.
    #[serde(default)]
    pub client: Outbound,
}

const fn poll_s() -> u64 {
    10
}

/// A checked table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub(super) name: String,
    pub(super) origin: Origin,
    pub(super) key: PathBuf,
    pub(super) key_id: Option<String>,
    pub(super) scope: String,
    pub(super) uri: Option<String>,
    pub(super) poll: Duration,
}

/// Where a bundle is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// A server's address.
    Url {
        /// The address.
        url: String,
        /// How the server is talked to.
        client: Box<Outbound>,
    },
}

/// Why a table is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Text is empty, or too long.
    #[error("{key}: text of {found} bytes, should be 1 to {MAX_TEXT_BYTES}")]
    Length {
        /// The key.
        key: &'static str,
        /// How many bytes there are.
        found: usize,
    },
    /// It is nowhere, or in two places.
    #[error("should have one of file and url")]
    Origin,
    /// The address is none.
    #[error(
        "url: should begin with http:// or https://, and hold no user or password; a token belongs into client.token_file"
    )]
    Url,
    /// `client` is of use with `url` alone.
    #[error("client: a file is read without it")]
    Client,
    /// Nothing can be filed under it.
    #[error("uri: should have a ':' or a '/', as every subject of a record")]
    Uri,
    /// The time is out of range.
    #[error("poll_s = {0} is not between 1 and {MAX_POLL_S}")]
    Poll(u64),
}

impl Table {
    /// What OPA calls the bundle.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What records of the policy are filed under.
    #[must_use]
    pub fn subject(&self) -> String {
        self.uri.clone().unwrap_or_else(|| format!("policy:{}", self.name))
    }

    /// The policy's URI, if the operator says so.
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }

    /// The file of the signer's public key.
    #[must_use]
    pub fn key(&self) -> &Path {
        &self.key
    }

    /// Takes relative paths from a folder.
    #[must_use]
    pub fn within(self, folder: &Path) -> Self {
        let origin = match self.origin {
            Origin::File(path) => Origin::File(folder.join(path)),
            Origin::Url { url, client } => Origin::Url { url, client: Box::new(client.within(folder)) },
        };
        Self { key: folder.join(&self.key), origin, ..self }
    }
}

impl TryFrom<RawBundle> for Table {
    type Error = BundleError;

    fn try_from(raw: RawBundle) -> Result<Self, BundleError> {
        let texts = [
            ("name", Some(&raw.name)),
            ("keyid", raw.keyid.as_ref()),
            ("uri", raw.uri.as_ref()),
            ("url", raw.url.as_ref()),
        ];
        let wrong = |text: &String| !(1..=MAX_TEXT_BYTES).contains(&text.len());
        if let Some((key, Some(text))) = texts.into_iter().find(|(_, text)| text.is_some_and(wrong)) {
            return Err(BundleError::Length { key, found: text.len() });
        }
        if raw.scope.len() > MAX_TEXT_BYTES {
            return Err(BundleError::Length { key: "scope", found: raw.scope.len() });
        }
        if raw.uri.as_ref().is_some_and(|uri| !uri.contains([':', '/'])) {
            return Err(BundleError::Uri);
        }
        if !(1..=MAX_POLL_S).contains(&raw.poll_s) {
            return Err(BundleError::Poll(raw.poll_s));
        }
        let origin = match (raw.file, raw.url) {
            (Some(_), None) if raw.client != Outbound::default() => return Err(BundleError::Client),
            (Some(file), None) => Origin::File(file),
            (None, Some(url)) if is_address(&url) => Origin::Url { url, client: Box::new(raw.client) },
            (None, Some(_)) => return Err(BundleError::Url),
            (None, None) | (Some(_), Some(_)) => return Err(BundleError::Origin),
        };
        let poll = Duration::from_secs(raw.poll_s);
        Ok(Self { name: raw.name, origin, key: raw.key, key_id: raw.keyid, scope: raw.scope, uri: raw.uri, poll })
    }
}

/// Whether text is an address without user and password.
pub(crate) fn is_address(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let authority = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    authority.is_some_and(|authority| !authority.is_empty() && !authority.contains('@'))
}
