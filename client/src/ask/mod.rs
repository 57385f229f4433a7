//! Asking a log: which entries answer a filter, and everything that hangs together with one thing in hand.
//!
//! ```text
//! Filter ─▶ the log's index ─▶ ids ─▶ read, prove, judge ─▶ Hit             query
//! words ─▶ terms ─▶ starts ─▶ custody::export ─▶ Custody ─▶ Chain ─▶ lines   show
//! ```
//!
//! Trust: none in the index. What it names is read, proved under a checkpoint with your quorum and held against the filter; what it does not
//! name only a scan of all entries finds. What a custody file shows is judged as that file is.

mod chain;
mod draw;
mod entry;
mod fresh;
mod missing;
mod query;
mod show;
mod starts;
#[cfg(test)]
mod tests;

pub use draw::Page;
pub use entry::Hit;
pub use query::{Answered, Asked, query};
pub use show::{ShowError, Shown, Wanted, in_file, show};

/// What can be said of entries that an index did not name.
pub const NOT_CHECKED: &str = "the server named none: not checked";
