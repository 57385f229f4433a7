//! Why no custody file was made.

use govlog_formats::merkle::TreeSize;
use govlog_formats::search::FilterError;

use super::super::file::ContentsError;
use super::super::find::{BatchError, FindError, ScanError};
use crate::openings::StoreError;
use crate::source::{HeadError, SourceError, TreeError};
use crate::trust::UpdateError;
use crate::verify::Failure;

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// There is no checkpoint to export at.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The source does not answer.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A part of the tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The admission policy cannot be learnt.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// The index does not answer.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The log cannot be scanned.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The opening store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The opening store's batches cannot be read.
    #[error(transparent)]
    Batches(#[from] BatchError),
    /// A member of a batch was named that nobody has opened.
    #[error(
        "{0}: give the opening store of whoever made that batch, with --openings, and what opens it; or the batch has no such member"
    )]
    NoMember(String),
    /// The query is none.
    #[error(transparent)]
    Query(#[from] FilterError),
    /// The file cannot be put together.
    #[error(transparent)]
    Contents(#[from] ContentsError),
    /// Nothing was published at this size.
    #[error("no checkpoint of size {0} was published; `--at` names a published one: GET /v1/checkpoints lists them")]
    NotPublished(TreeSize),
    /// A folder has no index.
    #[error("a folder has no index to ask: scan it, with --complete")]
    NoIndex,
    /// An entry was named that is not below the checkpoint.
    #[error("{0}: not below the checkpoint, or of another epoch")]
    NoEntry(String),
    /// More entries were named than a file can have.
    #[error("{found} entries are named, and a file has at most {most}: make several")]
    TooMany {
        /// How many.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// More bytes are needed than a file can have.
    #[error(
        "{entries} entries of {bytes} bytes in all were read, and a custody file has at most {most}: nothing was written; ask for less, by one \
         decision, trace or credential, or with --from and --to, and make several files"
    )]
    TooLarge {
        /// How many entries were read until then.
        entries: usize,
        /// How many bytes they have.
        bytes: usize,
        /// How many there may be.
        most: usize,
    },
    /// A pin that the checkpoint does not continue.
    #[error("the pinned checkpoint: {0}")]
    Pin(String),
    /// A pin that the log contradicts.
    #[error("the pinned checkpoint: split view: {why}; keep both, they prove it; the other note:\n{note}")]
    PinSplit {
        /// How.
        why: String,
        /// The note that contradicts it.
        note: String,
    },
    /// An earlier checkpoint to which no proof leads.
    #[error("that the checkpoint of size {new} continues the one of size {old} cannot be proved: {why}")]
    Earlier {
        /// The size of the earlier one.
        old: TreeSize,
        /// The size of the file's.
        new: TreeSize,
        /// Why not.
        why: String,
    },
    /// An entry is refused.
    #[error("entry {id}: {failure}")]
    Entry {
        /// Which.
        id: String,
        /// Why.
        failure: Failure,
    },
    /// There is no file, and what the log serves is wrong besides.
    #[error("{}{}", cause.as_ref().map_or_else(|| "nothing answers the query".to_owned(), ToString::to_string), wrong_lines(wrong))]
    Wrong {
        /// What is wrong.
        wrong: Vec<String>,
        /// Why there is no file; `None`: nothing answers the query.
        cause: Option<Box<ExportError>>,
    },
    /// A disclosed value is not what the entry is sealed for.
    #[error("the openings of entry {id}: {why}")]
    Openings {
        /// Which.
        id: String,
        /// Why.
        why: String,
    },
}

impl ExportError {
    /// With what is wrong besides, if anything.
    pub(crate) fn with(self, wrong: Vec<String>) -> Self {
        if wrong.is_empty() { self } else { Self::Wrong { wrong, cause: Some(Box::new(self)) } }
    }
}

/// What is wrong, each on a line of its own below an error.
pub(crate) fn wrong_lines(wrong: &[String]) -> String {
    wrong.iter().map(|why| format!("\nWRONG  {why}")).collect()
}
