//! Redactions under way and done, in the store's folder: `redactions/<leaf hash of the redaction>.toml`.
//!
//! ```text
//! sign ─▶ begin (durable) ─▶ send until published ─▶ logged (durable) ─▶ destroy ─▶ done (durable)
//! ```
//!
//! The signed statement is durable before it is sent: a run that was cut off sends the same bytes again, which the log knows as the same
//! entry, and destroys what is left. What is done stays, so that the store can say why something is gone, and so that openings which an
//! agent stores once more after a crash do not come back.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use govlog_formats::base64;
use govlog_formats::digest::Digest;
use govlog_formats::record::redaction::RedactionTarget;
use govlog_formats::record::{LinkTarget, Record, Redaction};
use govlog_formats::statement::SignedStatement;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::durable;

/// A redaction that this store knows.
#[derive(Clone, Debug)]
pub struct Journaled {
    /// The signed `redaction`.
    pub statement: SignedStatement,
    /// Its entry id, once it is published.
    pub id: Option<String>,
    /// Whether everything it names is destroyed.
    pub is_done: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    version: u32,
    statement: String,
    id: Option<String>,
    done: bool,
}

impl Journaled {
    /// What it names, and the leaf hash of each.
    #[must_use]
    pub fn targets(&self) -> Vec<(Digest, RedactionTarget)> {
        let Some(redaction) = redaction(&self.statement) else { return Vec::new() };
        let targets = redaction.targets().into_iter().filter_map(|target| match &target.target {
            LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. } => Some((*leaf, target)),
            LinkTarget::Handle(_) => None,
        });
        targets.collect()
    }
}

/// Reads all of them.
pub(super) fn read(folder: &Path) -> Result<Vec<Journaled>, StoreError> {
    let read = files(folder)?.iter().map(|path| read_one(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(read.into_iter().flatten().collect())
}

/// The entries of which something was destroyed, or is to be, because the log has a redaction that says so.
///
/// A redaction that is only begun does not count: the log may refuse it, and what was not stored meanwhile would be lost.
#[derive(Debug, Default)]
pub(super) struct Logged {
    /// The files that need not be read again: a redaction stays logged, and names what it names.
    files: HashSet<PathBuf>,
    leaves: HashSet<Digest>,
}

impl Logged {
    /// Reads what was logged since.
    pub(super) fn refresh(&mut self, folder: &Path) -> Result<&HashSet<Digest>, StoreError> {
        for path in files(folder)? {
            if self.files.contains(&path) {
                continue;
            }
            if let Some(logged) = read_one(&path)?.filter(|journaled| journaled.id.is_some()) {
                self.leaves.extend(logged.targets().into_iter().map(|(leaf, _)| leaf));
                self.files.insert(path);
            }
        }
        Ok(&self.leaves)
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let dir = folder.join(NAME);
    let files = match std::fs::read_dir(&dir) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(StoreError::Io { path: dir, cause }),
    };
    let mut found = Vec::new();
    for file in files {
        let path = file.map_err(|cause| StoreError::Io { path: dir.clone(), cause })?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Reads one; `None`: it was forgotten meanwhile.
fn read_one(path: &Path) -> Result<Option<Journaled>, StoreError> {
    let wrong = |why: String| StoreError::Settings { path: path.to_owned(), why };
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|cause| StoreError::Io { path: path.to_owned(), cause })?,
    };
    let layout: Layout = toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
    if layout.version != VERSION {
        return Err(wrong(format!("version {}, this program knows {VERSION}", layout.version)));
    }
    let bytes = base64::decode_url(&layout.statement).map_err(|error| wrong(error.to_string()))?;
    let statement = SignedStatement::parse_entry(&bytes).map_err(|error| wrong(error.to_string()))?;
    if redaction(&statement).is_none() {
        return Err(wrong("the statement is no redaction".to_owned()));
    }
    Ok(Some(Journaled { statement, id: layout.id, is_done: layout.done }))
}

/// Writes one, durably.
pub(super) fn write(folder: &Path, journaled: &Journaled) -> Result<(), StoreError> {
    let dir = folder.join(NAME);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |cause| StoreError::Io { path, cause }
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(failed(&dir))?;
    // Else a power cut may take the folder away, and with it a statement that was sent.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder))?;
    let path = file(folder, &journaled.statement);
    let layout = Layout {
        version: VERSION,
        statement: base64::encode_url(journaled.statement.entry()),
        id: journaled.id.clone(),
        done: journaled.is_done,
    };
    let text = toml::to_string(&layout)
        .map_err(|error| StoreError::Settings { path: path.clone(), why: error.to_string() })?;
    durable::replace(&path, 0o600, text.as_bytes()).map_err(failed(&path))
}

/// Forgets one that the log will never take.
pub(super) fn forget(folder: &Path, journaled: &Journaled) -> Result<(), StoreError> {
    let path = file(folder, &journaled.statement);
    std::fs::remove_file(&path).map_err(|cause| StoreError::Io { path, cause })
}

fn redaction(statement: &SignedStatement) -> Option<Redaction> {
    match Record::parse(statement.kind(), statement.payload()) {
        Ok(Record::Redaction(redaction)) => Some(redaction),
        _ => None,
    }
}

/// Where one is noted.
pub(super) fn file(folder: &Path, statement: &SignedStatement) -> PathBuf {
    folder.join(NAME).join(format!("{}.toml", statement.leaf_hash()))
}

const NAME: &str = "redactions";
const VERSION: u32 = 1;
