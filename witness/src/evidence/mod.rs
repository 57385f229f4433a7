//! Refused checkpoints that speak against the log that signed them, kept for people to look at.
//!
//! One TOML file each, `evidence/<origin hash>/<what>-<SHA-256 of the checkpoint's text>.toml`, bounded in number and size; none is ever
//! overwritten or removed by the witness. Each holds the refused note and the note cosigned before, with verified signatures only. It is kept before
//! the refusal is answered; failing to keep it never turns a refusal into anything else.
//!
//! Trust: nobody has to trust these files; the signatures in them prove what they prove.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use govlog_formats::{digest::Digest, note::Note};
use serde::{Deserialize, Serialize};

use crate::{
    decision::{Authentic, Misbehaviour},
    durable::{self, ReplaceError},
    remembered::Remembered,
    state::OriginHash,
};

/// One piece of evidence, as its file holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Version of this form, 1.
    pub v: u32,
    /// What it shows, see [`Misbehaviour::name`].
    pub kind: String,
    /// Whether it proves the misbehaviour by itself.
    pub proof: bool,
    /// When the request came, in POSIX seconds by the witness's clock.
    pub received: u64,
    /// The old size in the request.
    pub old: u64,
    /// The consistency proof in the request, base64.
    pub path: Vec<String>,
    /// The refused checkpoint with the log's verified signatures.
    pub refused: String,
    /// The checkpoint cosigned before, as it was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cosigned: Option<String>,
}

impl Evidence {
    /// Puts the evidence together; `refused` is the request's note with verified lines alone.
    #[must_use]
    pub fn new(
        kind: Misbehaviour,
        request: &Authentic,
        refused: &Note,
        cosigned: Option<&Remembered>,
        received: u64,
    ) -> Self {
        Self {
            v: 1,
            kind: kind.name().to_owned(),
            proof: kind.is_proof(),
            received,
            old: request.old().get(),
            path: request.proof().iter().map(Digest::to_base64).collect(),
            refused: refused.to_string(),
            cosigned: cosigned.map(|held| held.note().to_string()),
        }
    }
}

/// The folder of evidence.
#[derive(Debug)]
pub struct EvidenceStore {
    folder: PathBuf,
    /// Held while files are counted and one is written, so that the bound holds.
    alone: Mutex<()>,
}

/// What became of a piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is on disk now.
    New,
    /// It was there already.
    Already,
    /// There is as much of the log as is kept.
    Full,
}

impl EvidenceStore {
    /// Opens the folder and removes what interrupted writes left.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn open(folder: &Path) -> io::Result<Self> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                durable::remove_leftovers(&entry.path())?;
            }
        }
        Ok(Self { folder: folder.to_owned(), alone: Mutex::new(()) })
    }

    /// Keeps a piece of evidence about a log, durably.
    ///
    /// # Errors
    /// Any error of the file system; nothing is kept then, or an unfinished file that the next start removes.
    pub fn keep(&self, origin: &OriginHash, kind: Misbehaviour, text: &str, evidence: &Evidence) -> io::Result<Kept> {
        let _alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = self.folder.join(origin.to_string());
        if !folder.is_dir() {
            fs::create_dir(&folder)?;
            durable::sync_folder(&self.folder)?;
        }
        let path = folder.join(format!("{}-{}.toml", kind.name(), Digest::sha256(text.as_bytes())));
        if path.exists() {
            return Ok(Kept::Already);
        }
        if count(&folder, kind)? >= most(kind) {
            return Ok(Kept::Full);
        }
        let file = toml::to_string(evidence).map_err(io::Error::other)?;
        durable::replace(&path, file.as_bytes(), 0o644).map_err(|error| match error {
            ReplaceError::NotWritten(error) | ReplaceError::Unknown(error) => error,
        })?;
        Ok(Kept::New)
    }

    /// Counts the files that prove a misbehaviour, and those that only suggest one.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn counts(&self) -> io::Result<(usize, usize)> {
        let mut counts = (0, 0);
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                counts.0 +=
                    count(&entry.path(), Misbehaviour::SplitView)? + count(&entry.path(), Misbehaviour::EmptyTreeRoot)?;
                counts.1 += count(&entry.path(), Misbehaviour::BadProof)?;
            }
        }
        Ok(counts)
    }
}

fn count(folder: &Path, kind: Misbehaviour) -> io::Result<usize> {
    let mut files = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        files += usize::from(name.to_string_lossy().starts_with(kind.name()));
    }
    Ok(files)
}

/// Files kept of one log. A file has at most two notes and a proof, 270 KiB; a log that stays within the usual few hundred bytes
/// fills a hundredth of that. One proof is enough to convict; that strangers can send bad proofs for honest checkpoints bounds the rest.
const fn most(kind: Misbehaviour) -> usize {
    if kind.is_proof() { 16 } else { 8 }
}

#[cfg(test)]
mod tests;
