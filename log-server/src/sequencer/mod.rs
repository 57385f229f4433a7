//! The single owner of the tree.

mod batch;

pub use batch::{Batch, EntryRow, MAX_BATCH_BYTES, MAX_BATCH_ENTRIES};
