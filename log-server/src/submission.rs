//! Submission: bytes become a parsed, bounded statement. Nothing is judged here.

use govlog_formats::limits::{MAX_ENTRY_BYTES, MAX_SUBMISSION_BYTES};
use govlog_formats::statement::{SignedStatement, StatementError};

use crate::refusal::Refusal;

/// A statement as somebody sent it: well-formed, within all bounds, and not yet judged.
#[derive(Debug, Clone)]
pub struct Submission {
    statement: SignedStatement,
}

impl Submission {
    /// Reads one statement from the body of a request.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] for a body or an entry beyond its limit, [`Refusal::Malformed`] for everything else that can be seen in the bytes
    /// alone.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        // exact.md §1: "The 65,535 bound counts after that; the request body may be 128 KiB."
        if body.len() > MAX_SUBMISSION_BYTES {
            return Err(too_large("the request body", body.len(), MAX_SUBMISSION_BYTES));
        }
        match SignedStatement::parse(body) {
            Ok(statement) => Ok(Self { statement }),
            Err(StatementError::TooLarge { bytes, .. }) => Err(too_large("the entry", bytes, MAX_ENTRY_BYTES)),
            Err(error) => Err(Refusal::Malformed(error)),
        }
    }

    /// Returns the statement.
    pub fn statement(&self) -> &SignedStatement {
        &self.statement
    }

    pub(crate) fn into_statement(self) -> SignedStatement {
        self.statement
    }
}

fn too_large(what: &'static str, found: usize, limit: usize) -> Refusal {
    let number = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    Refusal::TooLarge { what, found: number(found), limit: number(limit) }
}
