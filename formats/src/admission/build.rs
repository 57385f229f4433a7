//! Making an operator's statement.

use crate::cose::SigningKey;
use crate::digest::Digest;
use crate::statement::{Claims, Content, SignedStatement, StatementError, StatementHeader, StreamPosition};

use super::approval::OperatorApproval;
use super::change::{Change, ChangeError};
use super::judge::Expected;
use super::names::{ADMISSION_POLICY, APPROVAL, OPERATOR_STREAM, approval_stream, operator_iss};

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
    sign(origin, (ADMISSION_POLICY, OPERATOR_STREAM), &change.encode(), place, iat_s, key)
}

/// Signs an operator's word on a change; `place` is where the key's stream of approvals goes on ([`PolicyState::next_approval`]), `shown` SHA-256
/// of what the operator saw.
///
/// # Errors
/// When the statement would break a rule of statements.
///
/// [`PolicyState::next_approval`]: super::PolicyState::next_approval
pub fn approval_statement(
    origin: &str,
    approval: &OperatorApproval,
    shown: Option<&Digest>,
    place: Expected,
    iat_s: u64,
    key: &SigningKey,
) -> Result<SignedStatement, BuildError> {
    let kid = key.public().thumbprint();
    // The key is who decides: the record names it, and people only where their organisation does.
    let payload = approval.encode(&format!("{}#{kid}", operator_iss(origin)), shown);
    sign(origin, (APPROVAL, &approval_stream(&kid)), &payload, place, iat_s, key)
}

fn sign(
    origin: &str,
    (kind, stream): (&str, &str),
    payload: &[u8],
    place: Expected,
    iat_s: u64,
    key: &SigningKey,
) -> Result<SignedStatement, BuildError> {
    let claims = Claims {
        iss: operator_iss(origin),
        sub: origin.to_owned(),
        aud: Some(origin.to_owned()),
        iat: i64::try_from(iat_s).map_err(|_| BuildError::Time(iat_s))?,
        stream: Some(StreamPosition { stream: stream.to_owned(), seq: place.seq, prev: place.prev }),
        head: None,
    };
    let header = StatementHeader { content: Content::Plain(kind.to_owned()), claims };
    Ok(SignedStatement::sign(&header, payload, key)?)
}
