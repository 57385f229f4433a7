//! Holds: what must not be destroyed, whatever asks for it.
//!
//! They lie in the store's folder, `holds.toml`, and the store itself refuses what they forbid. A hold that was released stays in the
//! file, with the reason. Trust: they bind whoever uses these programs; whoever can write into the folder can remove them.

use std::path::Path;

use govlog_formats::digest::Digest;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::durable;

/// A hold on openings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Its name, such as a case number.
    pub name: String,
    /// Why it was placed.
    pub reason: String,
    /// When, POSIX milliseconds by the clock of whoever placed it.
    pub placed_ms: u64,
    /// Whether it holds everything in the store, also what is stored later.
    #[serde(default)]
    pub everything: bool,
    /// The leaf hashes of the entries whose openings it holds, hex.
    #[serde(default)]
    pub leaves: Vec<String>,
    /// How it ended, if it did.
    pub released: Option<Release>,
}

/// The end of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Why.
    pub reason: String,
    /// When, POSIX milliseconds.
    pub at_ms: u64,
}

/// All holds of a store, the released ones too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds(Vec<Hold>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    version: u32,
    #[serde(default)]
    hold: Vec<Hold>,
}

impl Holds {
    /// Reads them; a missing file has none.
    pub(super) fn read(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(NAME);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(cause) => return Err(StoreError::Io { path, cause }),
        };
        let wrong = |why: String| StoreError::Settings { path: path.clone(), why };
        let layout: Layout = toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
        if layout.version != VERSION {
            return Err(wrong(format!("version {}, this program knows {VERSION}", layout.version)));
        }
        // A hold that cannot be read must not be taken for one that holds nothing.
        match layout.hold.iter().flat_map(|hold| &hold.leaves).find(|leaf| leaf.parse::<Digest>().is_err()) {
            Some(leaf) => Err(wrong(format!("{leaf:?} is no leaf hash"))),
            None => Ok(Self(layout.hold)),
        }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), StoreError> {
        let path = folder.join(NAME);
        let layout = Layout { version: VERSION, hold: self.0.clone() };
        let text = toml::to_string(&layout)
            .map_err(|error| StoreError::Settings { path: path.clone(), why: error.to_string() })?;
        durable::replace(&path, 0o600, text.as_bytes()).map_err(|cause| StoreError::Io { path, cause })
    }

    /// All of them, in the order they were placed.
    #[must_use]
    pub fn all(&self) -> &[Hold] {
        &self.0
    }

    /// Gives a hold in force on an entry's openings.
    #[must_use]
    pub fn on(&self, leaf: &Digest) -> Option<&Hold> {
        let name = leaf.to_string();
        self.in_force().find(|hold| hold.everything || hold.leaves.contains(&name))
    }

    pub(super) fn place(&mut self, hold: Hold) -> Result<(), StoreError> {
        if self.in_force().any(|other| other.name == hold.name) {
            return Err(StoreError::Hold(format!("a hold {:?} is in force already; choose another name", hold.name)));
        }
        self.0.push(hold);
        Ok(())
    }

    pub(super) fn release(&mut self, name: &str, release: Release) -> Result<(), StoreError> {
        match self.0.iter_mut().find(|hold| hold.name == name && hold.released.is_none()) {
            Some(hold) => hold.released = Some(release),
            None => return Err(StoreError::Hold(format!("no hold {name:?} is in force; see: govlog openings show"))),
        }
        Ok(())
    }

    fn in_force(&self) -> impl Iterator<Item = &Hold> {
        self.0.iter().filter(|hold| hold.released.is_none())
    }
}

const NAME: &str = "holds.toml";
const VERSION: u32 = 1;
