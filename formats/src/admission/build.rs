//! Making an operator's statement.

use crate::cose::SigningKey;
use crate::statement::{Claims, Content, SignedStatement, StatementError, StatementHeader, StreamPosition};

use super::change::{Change, ChangeError};
use super::judge::Expected;
use super::names::{ADMISSION_POLICY, OPERATOR_STREAM, operator_iss};

/// Why an operator's statement can not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The change does not follow its schema.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The statement would break a rule of statements, such as their greatest size.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The time lies beyond what a claim can hold.
    #[error("iat {0} is beyond 63 bits")]
    Time(u64),
}

/// Signs a change of a log's admission policy; `place` is where the operator's stream goes on, `iat_s` the time in POSIX seconds.
///
/// # Errors
/// When the statement would break a rule of statements.
pub fn operator_statement(
    origin: &str,
    change: &Change,
    place: Expected,
    iat_s: u64,
    key: &SigningKey,
) -> Result<SignedStatement, BuildError> {
    let claims = Claims {
        iss: operator_iss(origin),
        sub: origin.to_owned(),
        aud: Some(origin.to_owned()),
        iat: i64::try_from(iat_s).map_err(|_| BuildError::Time(iat_s))?,
        stream: Some(StreamPosition { stream: OPERATOR_STREAM.to_owned(), seq: place.seq, prev: place.prev }),
        head: None,
    };
    let header = StatementHeader { content: Content::Plain(ADMISSION_POLICY.to_owned()), claims };
    Ok(SignedStatement::sign(&header, &change.encode(), key)?)
}
