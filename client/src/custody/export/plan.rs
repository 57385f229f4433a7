//! What whoever collects asks for: which matter, how it is looked for, and how much of it a file may have.

use govlog_formats::merkle::TreeSize;

use super::super::file::{MAX_FILE_BYTES, Query};
use crate::openings::OpeningStore;

/// What is to be collected.
pub struct Plan<'a> {
    /// What is asked for.
    pub query: Query,
    /// The size of the checkpoint; without one, the newest.
    pub at: Option<TreeSize>,
    /// Scan all entries, instead of asking the index.
    pub complete: bool,
    /// The most entries to take, [`MAX_ENTRIES`](super::super::MAX_ENTRIES) at most.
    pub most: usize,
    /// The most bytes that may be read for it, and that it may have, [`MAX_FILE_BYTES`] at most.
    pub most_bytes: usize,
    /// A note that somebody has seen: the file proves that its checkpoint continues it.
    pub pin: Option<Vec<u8>>,
    /// Sealed values to disclose, by path or JSON pointer.
    pub open: Vec<String>,
    /// Where their openings are, and those of batches: members of these that belong to the matter are disclosed, too.
    pub store: Option<&'a dyn OpeningStore>,
    /// Who collects.
    pub collector: Option<String>,
    /// What for.
    pub purpose: Option<String>,
}

impl Plan<'_> {
    /// What answers a query, at the newest checkpoint, as the index names it, and so many entries at most.
    #[must_use]
    pub fn of(query: Query, most: usize) -> Self {
        Self {
            query,
            at: None,
            complete: false,
            most,
            most_bytes: MAX_FILE_BYTES,
            pin: None,
            open: Vec::new(),
            store: None,
            collector: None,
            purpose: None,
        }
    }
}

/// Told how far it has come: what is done, how much of it, of how much.
pub type Progress<'p> = &'p mut dyn FnMut(&'static str, u64, u64);
