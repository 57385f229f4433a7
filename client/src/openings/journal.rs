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
            found.push(read_one(&path)?);
        }
    }
    Ok(found)
}

fn read_one(path: &Path) -> Result<Journaled, StoreError> {
    let wrong = |why: String| StoreError::Settings { path: path.to_owned(), why };
    let text = std::fs::read_to_string(path).map_err(|cause| StoreError::Io { path: path.to_owned(), cause })?;
    let layout: Layout = toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
    if layout.version != VERSION {
        return Err(wrong(format!("version {}, this program knows {VERSION}", layout.version)));
    }
    let bytes = base64::decode_url(&layout.statement).map_err(|error| wrong(error.to_string()))?;
    let statement = SignedStatement::parse_entry(&bytes).map_err(|error| wrong(error.to_string()))?;
    if redaction(&statement).is_none() {
        return Err(wrong("the statement is no redaction".to_owned()));
    }
    Ok(Journaled { statement, id: layout.id, is_done: layout.done })
}

/// Writes one, durably.
pub(super) fn write(folder: &Path, journaled: &Journaled) -> Result<(), StoreError> {
    let dir = folder.join(NAME);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |cause| StoreError::Io { path, cause }
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(failed(&dir))?;
    let path = file(&dir, &journaled.statement);
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
    let path = file(&folder.join(NAME), &journaled.statement);
    std::fs::remove_file(&path).map_err(|cause| StoreError::Io { path, cause })
}

/// The entries of which something was destroyed, or is to be.
pub(super) fn leaves(journal: &[Journaled]) -> HashSet<Digest> {
    journal.iter().flat_map(Journaled::targets).map(|(leaf, _)| leaf).collect()
}

fn redaction(statement: &SignedStatement) -> Option<Redaction> {
    match Record::parse(statement.kind(), statement.payload()) {
        Ok(Record::Redaction(redaction)) => Some(redaction),
        _ => None,
    }
}

fn file(dir: &Path, statement: &SignedStatement) -> PathBuf {
    dir.join(format!("{}.toml", statement.leaf_hash()))
}

const NAME: &str = "redactions";
const VERSION: u32 = 1;
