//! `trust update`: learn the admission policy's newer changes, each with its proof, and pin the head they stand under.

use govlog_formats::admission::Refusal;
use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::{BuildError, InclusionProof, LeafIndex, TreeSize};
use govlog_formats::statement::SignedStatement;
use govlog_formats::tlog_proof::TlogProof;
use serde::Deserialize;

use super::files::EPOCH;
use super::{History, HistoryError, Trust, TrustDir, TrustError};
use crate::source::{Head, HeadError, Source, SourceError, Tree, TreeError};

/// Where the server lists the entries that the policy is folded from: a hint, checked against the operators' gap-free streams.
const LIST: &str = "v1/admission-policy";
/// Longer than any page of that list.
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
    /// An entry does not follow those known, as if one before it were missing.
    #[error(
        "{error}. An entry that this one rests on is missing: the log withholds it, now or when {dir} was updated before. Ask again, or another \
         place that has the log. If it stays so, {dir} has missed it for good: make a new trust directory from the same entry 0, and let it keep \
         what you know of witnesses and the head you have seen: govlog trust init --policy {dir}/policy.txt --genesis {dir}/admission/1.0.cose \
         --out NEW && cp {dir}/trust.toml {dir}/pinned.checkpoint NEW && govlog trust update --log URL NEW"
    )]
    Missing {
        /// What does not follow.
        error: HistoryError,
        /// The trust directory.
        dir: String,
    },
    /// The directory refuses the change, or cannot be written.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

#[derive(Deserialize)]
struct Page {
    entries: Vec<String>,
    /// Where the list goes on.
    next: Option<u64>,
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
    for_each_listed(source, head.size(), known, |index| {
        let (entry, proof) = prove(&tree, &head, index)?;
        let added = dir.add_change(index, &entry, &proof.to_bytes());
        added.map_err(|error| missing(error, &dir.path().display().to_string()))
    })?;
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
    let mut trust = trust.clone();
    if learn_listed(source, &mut trust, &head)? { Ok(trust.history) } else { Err(UpdateError::NoList) }
}

/// Learns the admission-policy entries that a source lists below a head, for as long as `trust` lives. `false`: the source lists none.
///
/// # Errors
///
/// As [`update`].
pub(crate) fn learn_listed(source: &Source, trust: &mut Trust, head: &Head) -> Result<bool, UpdateError> {
    let tree = Tree::new(source, head.size());
    let known = trust.history().newest().index;
    let learnt = for_each_listed(source, head.size(), known, |index| {
        let (entry, _) = prove(&tree, head, index)?;
        let statement = SignedStatement::parse(&entry)
            .map_err(|error| UpdateError::NotIncluded { index, why: error.to_string() })?;
        trust.history.push(index, statement).map_err(|error| missing(error.into(), "DIR"))
    });
    match learnt {
        Ok(()) => Ok(true),
        Err(UpdateError::NoList) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What came of holding the admission policy against all entries.
#[derive(Debug, Default)]
pub(crate) struct Unlisted {
    /// Entries that it is folded from, and that were not known: they are now, for as long as `trust` lives.
    pub(crate) learnt: Vec<LeafIndex>,
    /// Entries that pose as such, and why they are none.
    pub(crate) refused: Vec<(LeafIndex, String)>,
}

impl Unlisted {
    /// What is wrong with a log that has these; `is_listed`: whether it lists what its admission policy is folded from.
    pub(crate) fn wrong(&self, is_listed: bool) -> Vec<String> {
        let id = |index: LeafIndex| EntryId { epoch: EPOCH, index };
        let left_out = self.learnt.iter().filter(|_| is_listed).map(|index| {
            format!(
                "{}: the admission policy is folded from it, and the log's list of such entries leaves it out",
                id(*index)
            )
        });
        let refused = self.refused.iter().map(|(index, why)| format!("{}: {why}", id(*index)));
        left_out.chain(refused).collect()
    }
}

/// Learns what the admission policy is folded from, of entries that were found by reading all of them: whoever lists them may leave the newest out.
///
/// # Errors
///
/// The entries cannot be read again.
pub(crate) fn learn_found(
    source: &Source,
    trust: &mut Trust,
    head: &Head,
    found: &[LeafIndex],
) -> Result<Unlisted, UpdateError> {
    let (tree, mut unlisted) = (Tree::new(source, head.size()), Unlisted::default());
    for index in found.iter().filter(|index| **index > trust.history().newest().index).copied().collect::<Vec<_>>() {
        let (entry, _) = prove(&tree, head, index)?;
        let refused = |error: &dyn std::error::Error| (index, error.to_string());
        match SignedStatement::parse(&entry) {
            Ok(statement) if !trust.history.newest().after.folds(&statement) => {}
            Ok(statement) => match trust.history.push(index, statement) {
                Ok(()) => unlisted.learnt.push(index),
                Err(error) => unlisted.refused.push(refused(&error)),
            },
            Err(error) => unlisted.refused.push(refused(&error)),
        }
    }
    Ok(unlisted)
}

/// Says what to do where an entry is refused for want of one that should have come before it.
///
/// Entries are learnt in the order of the log, and none at or below the newest one known: one that was left out of a list then is never asked
/// for again.
fn missing(error: TrustError, dir: &str) -> UpdateError {
    match error {
        TrustError::History(
            error @ HistoryError::Refused { refusal: Refusal::Unapproved { .. } | Refusal::Conflict(_), .. },
        ) => UpdateError::Missing { error, dir: dir.to_owned() },
        error => error.into(),
    }
}

/// Hands over the entries that the source lists below a size and after the newest one known, in order.
///
/// Page by page, each of them proved before the next one is asked for: however many approvals there are, none is out of reach, and a server
/// that makes some up is not listened to any longer than that.
fn for_each_listed(
    source: &Source,
    size: TreeSize,
    known: LeafIndex,
    mut each: impl FnMut(LeafIndex) -> Result<(), UpdateError>,
) -> Result<(), UpdateError> {
    let mut from = after(known);
    loop {
        let (indexes, next) = listed(source, from)?;
        let new: Vec<_> = indexes.into_iter().filter(|index| *index >= from && size.covers(*index)).collect();
        new.iter().try_for_each(|index| each(*index))?;
        match (new.last(), next) {
            // What lies above the size was published while this was read, and is for the next time.
            (_, next) if next.is_none_or(|next| !size.covers(next)) => return Ok(()),
            (Some(last), Some(next)) if next > *last => from = next,
            _ => {
                return Err(UpdateError::List(format!(
                    "the page from {from} on is not followed by the one that it names"
                )));
            }
        }
    }
}

fn after(index: LeafIndex) -> LeafIndex {
    LeafIndex::new(index.get().saturating_add(1))
}

/// Reads the page of the list from an index on. A mirror may have it under that name, or all of it in one.
fn listed(source: &Source, from: LeafIndex) -> Result<(Vec<LeafIndex>, Option<LeafIndex>), UpdateError> {
    let body = match source.get(&format!("{LIST}?from={from}"), MAX_LIST_BYTES)? {
        Some(body) => body,
        None => source.get(LIST, MAX_LIST_BYTES)?.ok_or(UpdateError::NoList)?,
    };
    let list: Page = serde_json::from_slice(&body).map_err(|error| UpdateError::List(error.to_string()))?;
    let index = |id: &String| match id.parse::<EntryId>() {
        Ok(id) if id.epoch == EPOCH => Ok(id.index),
        Ok(_) => Err(UpdateError::List(format!("{id} is of another epoch"))),
        Err(error) => Err(UpdateError::List(format!("{id}: {error}"))),
    };
    let mut indexes = list.entries.iter().map(index).collect::<Result<Vec<_>, _>>()?;
    indexes.sort_unstable();
    indexes.dedup();
    Ok((indexes, list.next.map(LeafIndex::new)))
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
