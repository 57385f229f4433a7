//! What a store's folder says of itself: `store.toml`.
//!
//! The agent writes it from its own configuration at each start, so that whoever opens, rewrites or destroys openings need not have that.
//! Trust: whoever writes into the folder can name another recipient here; only a redaction of single fields encrypts by it, and shows the
//! recipients before.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Recipients, StoreError};
use crate::durable;

/// How a store keeps openings, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How files are protected.
    pub protection: Protection,
    /// How many days after it was stored an opening may be redacted as expired; `None`: openings are kept for ever.
    pub retention_days: Option<u32>,
}

/// How the files of a store are protected, besides their rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Not at all: whoever reads the disk or a back-up reads the openings.
    Plaintext,
    /// Encrypted.
    Age(Recipients),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    version: u32,
    #[serde(default)]
    plaintext: bool,
    #[serde(default)]
    recipients: Vec<String>,
    retention_days: Option<u32>,
}

impl Settings {
    /// Reads them; `None`: the folder has none.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = folder.join(NAME);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(StoreError::Io { path, cause }),
        };
        let wrong = |why: String| StoreError::Settings { path: path.clone(), why };
        let layout: Layout = toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
        if layout.version != VERSION {
            return Err(wrong(format!("version {}, this program knows {VERSION}", layout.version)));
        }
        let protection = match (layout.plaintext, layout.recipients.as_slice()) {
            (true, []) => Protection::Plaintext,
            (true, _) => return Err(wrong("plaintext = true, and recipients".to_owned())),
            (false, recipients) => {
                Protection::Age(Recipients::parse(recipients).map_err(|error| wrong(error.to_string()))?)
            }
        };
        Ok(Some(Self { protection, retention_days: layout.retention_days }))
    }

    /// Writes them, durably.
    pub(super) fn write(&self, folder: &Path) -> Result<(), StoreError> {
        let path = folder.join(NAME);
        let (plaintext, recipients) = match &self.protection {
            Protection::Plaintext => (true, Vec::new()),
            Protection::Age(recipients) => (false, recipients.texts()),
        };
        let layout = Layout { version: VERSION, plaintext, recipients, retention_days: self.retention_days };
        let text = toml::to_string(&layout)
            .map_err(|error| StoreError::Settings { path: path.clone(), why: error.to_string() })?;
        durable::replace(&path, 0o600, text.as_bytes()).map_err(|cause| StoreError::Io { path, cause })
    }
}

pub(super) const NAME: &str = "store.toml";
const VERSION: u32 = 1;
