//! The custody file: the chain of custody of a matter, as one file that verifies with no network and no trust in the log's server.
//!
//! ```text
//! query ─▶ closure ─▶ Contents ─▶ bytes      made by whoever can read the log
//! bytes ─▶ verify ─▶ Custody                 by whoever has a trust directory; reports are made from this
//! ```
//!
//! The parts, in the order in which they rest on each other, as a rule:
//!
//! ```text
//! handles ─▶ relations, revoking ─▶ points ─▶ node                        what an entry is called, and what it names
//! node, finder ─▶ index, scan, resolve ─▶ shelf, closure ─▶ survey        what hangs together
//! layout, timeline, streams ─▶ manifest, missing, contents                what a file is made of
//! contents, claims ─▶ judge ─▶ verdict, report                            judged without a log
//! plan, receipts ─▶ reader ─▶ starts, words, disclose, notes ─▶ export    made from one, and judged before it is given
//! ```
//!
//! Trust: none in the file. What it encloses is checked against the reader's own trust directory; enclosed keys and policies count for nothing
//! by themselves. What cannot be checked, as that nothing was left out, is said in every verdict.

mod ahead;
mod archive;
mod batches;
mod claims;
mod closure;
mod contents;
mod diff;
mod disclose;
mod error;
mod export;
mod finder;
mod found;
mod handles;
mod held;
mod index;
mod judge;
mod layout;
mod manifest;
mod missing;
mod node;
mod notes;
mod plan;
mod points;
mod reader;
mod receipts;
mod record;
mod relations;
mod report;
mod resolve;
mod revoking;
mod roles;
mod scan;
mod shelf;
mod spot;
mod starts;
mod streams;
mod survey;
#[cfg(test)]
mod tests;
mod timeline;
mod turns;
mod verdict;
mod words;

pub use archive::{ArchiveError, MAX_FILE_BYTES, MAX_MEMBERS, is_archive};
pub(crate) use batches::all_batches;
pub use batches::{BatchError, Members};
pub use closure::{Closure, close};
pub(crate) use contents::id;
pub use contents::{Contents, ContentsError, Earlier, Evidence, MAX_ENTRIES};
pub use diff::{Difference, DifferenceError, Said, diff};
pub use error::ExportError;
pub use export::{Exported, export};
pub(crate) use export::{export_under, head};
pub use finder::{FindError, Finder, Question, Way, filters};
pub use found::{Changes, Custody, Head, Recorded};
pub use held::{Held, HeldMember};
pub use index::Index;
pub use manifest::{
    BatchesSeen, CheckpointSaid, FORMAT, Link, Manifest, ManifestError, NotFound, Query, Sealed, Unopened, VERSION,
};
pub use node::Node;
pub use plan::{Plan, Progress};
pub(crate) use reader::{Read, Reader};
pub use relations::{Class, Point, REVOCABLE, WORDS, class, meant_kinds};
pub use report::report;
pub use resolve::Lookup;
pub use roles::Role;
pub use scan::{Scan, ScanError};
pub use shelf::Shelf;
pub use spot::{Spot, SpotError};
pub use streams::{GapSeen, LastWord, SILENT_AFTER_S, StreamSeen, streams};
pub use survey::{DeadLink, Edge};
pub use verdict::{CustodyVerdict, verify};
