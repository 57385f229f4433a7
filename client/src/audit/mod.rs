//! Auditing a whole log.

mod report;
mod structure;
mod walk;

pub use report::{Check, Finding, Report};
pub use structure::{AuditError, Progress, audit};

#[cfg(test)]
mod tests;
