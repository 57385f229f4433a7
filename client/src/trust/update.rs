//! `trust update`: learn the admission policy's newer changes, each with its proof, and pin the head they stand under.

use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::{BuildError, InclusionProof, LeafIndex, TreeSize};
use govlog_formats::statement::SignedStatement;
use govlog_formats::tlog_proof::TlogProof;
use serde::Deserialize;

use super::files::EPOCH;
use super::{History, Trust, TrustDir, TrustError};
use crate::source::{Head, HeadError, Source, SourceError, Tree, TreeError};

/// Where the server lists the entries that the policy is folded from: a hint, checked against the operators' gap-free streams.
const LIST: &str = "v1/admission-policy";
/// Longer than the list of any log whose policy people change.
const MAX_LIST_BYTES: usize = 4 * 1024 * 1024;

/// What an update brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Updated {
    /// How many changes were added.
    pub added: usize,
    /// The number of the newest change now known.
    pub newest: usize,
    /// The size of the head that is now pinned.
    pub size: TreeSize,
}

/// Why a trust directory was not updated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// The log's head is no head to go by.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The source did not answer.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A part of the tree could not be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The source does not list the admission-policy entries.
    #[error("the source has no {LIST}; give the log's address, or run: govlog audit")]
    NoList,
    /// The list cannot be understood.
    #[error("{LIST}: {0}")]
    List(String),
    /// A listed entry is not in the tree that the head names.
    #[error("admission-policy entry at index {index}: {why}")]
    NotIncluded {
        /// Its leaf index.
        index: LeafIndex,
        /// What does not verify.
        why: String,
    },
    /// The directory refuses the change, or cannot be written.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

#[derive(Deserialize)]
struct List {
    entries: Vec<String>,
}

/// Brings a trust directory up to the log's newest published head.
///
/// Nothing is kept that was not verified; the head is pinned last, so an update that breaks off is simply run again.
///
/// # Errors
///
/// The log cannot be read, or shows something that does not verify.
pub fn update(source: &Source, dir: &mut TrustDir) -> Result<Updated, UpdateError> {
    let head = Head::read(source, dir.trust())?;
    let tree = Tree::new(source, head.size());
    let (known, before) = (dir.trust().history().newest().index, dir.trust().history().newest_number());
    for index in listed(source)?.into_iter().filter(|index| *index > known && head.size().covers(*index)) {
        let (entry, proof) = prove(&tree, &head, index)?;
        dir.add_change(index, &entry, &proof.to_bytes())?;
    }
    if dir.trust().pinned().is_none_or(|pinned| pinned.verified.checkpoint().size <= head.size()) {
        dir.pin(head.note())?;
    }
    let newest = dir.trust().history().newest_number();
    Ok(Updated { added: newest.saturating_sub(before), newest, size: head.size() })
}

/// Reads the admission policy as a log shows it now, every change proved, without keeping anything.
///
/// # Errors
///
/// As [`update`].
pub fn read_history(source: &Source, trust: &Trust) -> Result<History, UpdateError> {
    let head = Head::read(source, trust)?;
    let tree = Tree::new(source, head.size());
    let mut history = trust.history().clone();
    let known = history.newest().index;
    for index in listed(source)?.into_iter().filter(|index| *index > known && head.size().covers(*index)) {
        let (entry, _) = prove(&tree, &head, index)?;
        let statement = SignedStatement::parse(&entry)
            .map_err(|error| UpdateError::NotIncluded { index, why: error.to_string() })?;
        history.push(index, statement).map_err(TrustError::from)?;
    }
    Ok(history)
}

fn listed(source: &Source) -> Result<Vec<LeafIndex>, UpdateError> {
    let body = source.get(LIST, MAX_LIST_BYTES)?.ok_or(UpdateError::NoList)?;
    let list: List = serde_json::from_slice(&body).map_err(|error| UpdateError::List(error.to_string()))?;
    let index = |id: &String| match id.parse::<EntryId>() {
        Ok(id) if id.epoch == EPOCH => Ok(id.index),
        Ok(_) => Err(UpdateError::List(format!("{id} is of another epoch"))),
        Err(error) => Err(UpdateError::List(format!("{id}: {error}"))),
    };
    let mut indexes = list.entries.iter().map(index).collect::<Result<Vec<_>, _>>()?;
    indexes.sort_unstable();
    indexes.dedup();
    Ok(indexes)
}

/// Reads an entry and proves it under the head.
pub(crate) fn prove(tree: &Tree<'_>, head: &Head, index: LeafIndex) -> Result<(Vec<u8>, TlogProof), UpdateError> {
    let not_included = |why: String| UpdateError::NotIncluded { index, why };
    let entry = tree.entry(index)?;
    let statement = SignedStatement::parse(&entry).map_err(|error| not_included(error.to_string()))?;
    let proof = InclusionProof::build(tree, index, head.size()).map_err(|error| match error {
        BuildError::Read(error) => UpdateError::Tree(error),
        other => not_included(other.to_string()),
    })?;
    proof.verify(&statement.leaf_hash(), head.root()).map_err(|error| not_included(error.to_string()))?;
    Ok((entry, TlogProof { extra: None, index, path: proof.path, checkpoint: head.note().to_vec() }))
}
