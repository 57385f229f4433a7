//! Judged without a log: from a file's bytes and a trust directory to the verdict.
//!
//! ```text
//! held ─▶ found ─▶ claims, disclosed, conclude ─▶ steps, record ─▶ verdict
//! ```

mod claims;
mod conclude;
mod disclosed;
mod found;
mod held;
mod record;
mod steps;
mod verdict;

pub use found::{Changes, Custody, Head, Recorded};
pub use held::{Held, HeldMember};
pub use verdict::{CustodyVerdict, verify};
