//! Who finds entries by what they are called and name: a log's index, a scan of all of it, an opening store for the members of batches.
//!
//! ```text
//! finder ─▶ index, scan ─▶ batches
//! ```

mod batches;
mod finder;
mod index;
mod scan;

pub(crate) use batches::all_batches;
pub use batches::{BatchError, Members};
pub(super) use batches::{Batches, OpenBatch, of_batches};
pub use finder::{FindError, Finder, Question, Way, filters};
pub use index::Index;
pub use scan::{Scan, ScanError};
