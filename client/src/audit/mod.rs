//! Auditing a whole log.

mod conflicts;
mod report;
mod structure;
mod walk;

pub use report::{Check, Conflict, Finding, Report};
pub use structure::{AuditError, Progress, audit};

#[cfg(test)]
mod tests;
