//! Made from a log: from a plan to a file, which is judged before it is given.
//!
//! ```text
//! plan, receipts, wrong ─▶ reader ─▶ starts, words, disclose, notes ─▶ collect
//! ```

mod collect;
mod disclose;
mod error;
mod notes;
mod plan;
mod reader;
mod receipts;
mod starts;
mod words;
mod wrong;

pub use collect::{Exported, export};
pub(crate) use collect::{export_under, head};
pub use error::ExportError;
pub(crate) use error::wrong_lines;
pub use plan::{Plan, Progress};
pub(crate) use reader::{Read, Reader};
