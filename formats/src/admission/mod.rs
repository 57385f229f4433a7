//! Who may submit what: the admission policy, its changes, and the judgement of a statement under it.
//!
//! The admission policy is a plain value, [`PolicyState`]: the fold of all `admission-policy` entries below an index. Each such entry carries
//! one [`Change`]; where several operators must agree, their `approval` entries are folded as well ([`OperatorApproval`]). [`PolicyState::judge`] is the whole of what the log asks of a statement apart from its place in a stream
//! ([`judge_stream`]); the log's door and every auditor's replay run this same code.
//!
//! In scope: the record type, the fold, the rules that can be replayed from the log alone. Out of scope: rates, queues and free disk, which are
//! back-pressure and belong to the log server; the age of `iat` is judged only when the caller brings a clock.

mod approval;
mod build;
mod change;
mod credential;
mod fields;
mod judge;
mod names;
mod refusal;
mod request;
mod state;
mod view;

#[cfg(test)]
mod tests;

pub use approval::{MAX_WORDS, OperatorApproval, Remembered, Word};
pub use build::{BuildError, approval_statement, operator_statement};
pub use change::{Change, ChangeError, ChangeFields, Credentials, IssuerRow, LogRow, ReceiptKey};
pub use judge::{Accepted, Authenticated, Expected, OperatorRecord, RowRate, judge_stream};
pub(crate) use names::trust_domain;
pub use names::{
    ADMISSION_POLICY, APPROVAL, APPROVAL_STREAMS, OPERATOR_STREAM, approval_stream, operator_iss, subject_matches,
};
pub use refusal::{Class, Conflict, Refusal};
pub use request::{GenesisRequest, RequestError};
pub use state::{GenesisError, PolicyState};

/// How far ahead of the judge's clock an `iat` may lie, in seconds.
pub const MAX_AHEAD_S: u64 = 300;

/// How old an `iat` may be, in seconds, where a row of keys says nothing, and for the operator's own changes.
pub const DEFAULT_MAX_AGE_S: u64 = 86_400;

/// How old an `iat` may be, in seconds, where a row of X.509 anchors says nothing.
pub const DEFAULT_MAX_AGE_X509_S: u64 = 600;
