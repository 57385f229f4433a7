//! What a later export of a query has that an earlier one has not, and the other way round. Bytes are compared and nothing is verified.

use std::collections::BTreeMap;

use serde::Serialize;

use super::archive::{self, ArchiveError};
use super::layout::MANIFEST;
use super::manifest::{Manifest, ManifestError};

/// The differences between two files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Members that only the second has.
    pub added: Vec<String>,
    /// Members that only the first has.
    pub removed: Vec<String>,
    /// Members that differ. Every proof does when the checkpoint does.
    pub changed: Vec<String>,
    /// What the manifests say differently: the field, and what each says.
    pub said: Vec<Said>,
}

/// What two manifests say of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The field.
    pub field: String,
    /// What the first says.
    pub first: serde_json::Value,
    /// What the second says.
    pub second: serde_json::Value,
}

/// Why files cannot be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DifferenceError {
    /// A file is no archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A manifest is none.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file has no manifest.
    #[error("it has no {MANIFEST}")]
    NoManifest,
}

impl Difference {
    /// Whether the files are of the same bytes.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Compares two files.
///
/// # Errors
///
/// One of them is no custody file.
pub fn diff(first: &[u8], second: &[u8]) -> Result<Difference, DifferenceError> {
    let (one, other) = (read(first)?, read(second)?);
    let mut difference = Difference::default();
    for (name, bytes) in &other.1 {
        match one.1.get(name) {
            None => difference.added.push((*name).to_owned()),
            Some(before) if before != bytes && *name != MANIFEST => difference.changed.push((*name).to_owned()),
            Some(_) => {}
        }
    }
    difference.removed =
        one.1.keys().filter(|name| !other.1.contains_key(*name)).map(|name| (*name).to_owned()).collect();
    difference.said = said(&one.0, &other.0);
    Ok(difference)
}

/// Reads a file's manifest and members.
fn read(bytes: &[u8]) -> Result<(Manifest, BTreeMap<&str, &[u8]>), DifferenceError> {
    let members = archive::read(bytes)?;
    let manifest = Manifest::parse(members.get(MANIFEST).ok_or(DifferenceError::NoManifest)?)?;
    Ok((manifest, members))
}

/// The fields that two manifests fill in differently; the digests of members are compared as members.
fn said(one: &Manifest, other: &Manifest) -> Vec<Said> {
    let fields = |manifest: &Manifest| serde_json::to_value(manifest).unwrap_or_default();
    let (one, other) = (fields(one), fields(other));
    let names = one.as_object().into_iter().flat_map(|fields| fields.keys()).filter(|name| *name != "files");
    names
        .filter_map(|name| {
            let (first, second) = (one.get(name)?.clone(), other.get(name)?.clone());
            (first != second).then(|| Said { field: name.clone(), first, second })
        })
        .collect()
}
