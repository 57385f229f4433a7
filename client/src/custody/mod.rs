//! The custody file: the chain of custody of a matter, as one file that verifies with no network and no trust in the log's server.
//!
//! ```text
//! query ─▶ closure ─▶ Contents ─▶ bytes      made by whoever can read the log
//! bytes ─▶ verify ─▶ Custody                 by whoever has a trust directory; reports are made from this
//! ```
//!
//! The stations, a folder each; none knows of those right of it:
//!
//! ```text
//! relations ─▶ find ─▶ matter ─▶ file ─▶ judge ─▶ report, export
//!
//! relations    what an entry is called, and what it names
//! find         who finds entries by that: an index, a scan, an opening store
//! matter       what hangs together
//! file         what a file is made of
//! judge        judged without a log
//! report       shown as a page
//! export       made from a log, and judged before it is given
//! ```
//!
//! Trust: none in the file. What it encloses is checked against the reader's own trust directory; enclosed keys and policies count for nothing
//! by themselves. What cannot be checked, as that nothing was left out, is said in every verdict.

mod export;
mod file;
mod find;
mod judge;
mod matter;
mod relations;
mod report;
#[cfg(test)]
mod tests;

pub use export::{ExportError, Exported, Plan, Progress, export};
pub(crate) use export::{Read, Reader, export_under, head, wrong_lines};
pub(crate) use file::id;
pub use file::{
    ArchiveError, BatchesSeen, CheckpointSaid, Contents, ContentsError, Difference, DifferenceError, Earlier, Evidence,
    FORMAT, GapSeen, LastWord, Link, MAX_ENTRIES, MAX_FILE_BYTES, MAX_MEMBERS, Manifest, ManifestError, NotFound,
    Query, SILENT_AFTER_S, Said, Sealed, StreamSeen, Unopened, VERSION, diff, is_archive, streams,
};
pub(crate) use find::all_batches;
pub use find::{BatchError, FindError, Finder, Index, Members, Question, Scan, ScanError, Way, filters};
pub use judge::{Changes, Custody, CustodyVerdict, Head, Held, HeldMember, Recorded, verify};
pub use matter::{Closure, DeadLink, Edge, Lookup, Role, Shelf, close};
pub use relations::{Class, Node, Point, REVOCABLE, Spot, SpotError, WORDS, class, meant_kinds};
pub use report::report;
