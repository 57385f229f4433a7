//! What a file is made of, down to its bytes: written and read here, and not judged.
//!
//! ```text
//! archive, timeline, streams ─▶ layout, manifest ─▶ missing ─▶ contents, diff
//! ```

pub(super) mod archive;
mod contents;
mod diff;
mod layout;
mod manifest;
pub(super) mod missing;
mod streams;
pub(super) mod timeline;

pub use archive::{ArchiveError, MAX_FILE_BYTES, MAX_MEMBERS, is_archive};
pub(crate) use contents::id;
pub use contents::{Contents, ContentsError, Earlier, Evidence, MAX_ENTRIES};
pub(super) use contents::{MAX_SINGLE_MEMBERS, MAX_WORDS, VERIFY_TEXT, statement_of, timeline};
pub use diff::{Difference, DifferenceError, Said, diff};
pub(super) use layout::{MANIFEST, OPENING_STORE_TEXT, Place, Places};
pub use manifest::{
    BatchesSeen, CheckpointSaid, FORMAT, Link, Manifest, ManifestError, NotFound, Query, Sealed, Unopened, VERSION,
};
pub(super) use manifest::{MAX_COUNTED, starts};
pub(super) use streams::bounded;
pub use streams::{GapSeen, LastWord, SILENT_AFTER_S, StreamSeen, streams};
