//! Why the log does not take a statement: one type for every station, so that one place can turn it into a status.

use govlog_formats::admission::{self, Conflict};
use govlog_formats::digest::Digest;
use govlog_formats::statement::StatementError;

/// What a refusal means to the submitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The statement itself is at fault; the same bytes will fare no better, unless the policy or the stream changes.
    Refused,
    /// The log has no room for it now; the same bytes may be sent again later.
    Transient,
    /// The log no longer knows what is on its disk; it takes nothing more until it was started again.
    Fatal,
}

/// Why a statement is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// 400: the bytes are no signed statement.
    #[error(transparent)]
    Malformed(StatementError),
    /// 413: there are too many bytes.
    #[error("{what} is {found} bytes long; the limit is {limit}")]
    TooLarge {
        /// What is too large, such as `the entry`.
        what: &'static str,
        /// Its size, as far as it was read.
        found: u64,
        /// The greatest size.
        limit: u64,
    },
    /// 400 or 403: the admission policy does not allow it; [`admission::Refusal::class`] tells which.
    #[error(transparent)]
    NotAdmitted(admission::Refusal),
    /// 409: it does not continue its stream.
    #[error(transparent)]
    Conflict(Conflict),
    /// 429: a rate is exhausted.
    #[error("{limit}; try again in {retry_after_s} s")]
    TooManyRequests {
        /// Which rate.
        limit: RateLimit,
        /// When there will be room again, seconds.
        retry_after_s: u32,
    },
    /// 503: the log can not take it now.
    #[error("{why}; try again in {retry_after_s} s")]
    Unavailable {
        /// What is missing.
        why: Unavailable,
        /// When to ask again, seconds.
        retry_after_s: u32,
    },
    /// 503: the sequencer has stopped for good; the process ends, and a start finds out what is on disk.
    #[error("the log has stopped and must be started again")]
    Stopped,
}

/// A rate that submissions are held to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RateLimit {
    /// The rate that a row of the admission policy gives all that it admits: an issuer, or the workloads of a trust domain together.
    #[error("the admission policy's row for {row:?} has used up its rate of {per_second} statements per second")]
    Row {
        /// The row.
        row: String,
        /// Its rate.
        per_second: u64,
    },
    /// What one of many is sure of, of that rate, while others of them wait.
    #[error(
        "{iss} has used up its share of the rate of {per_second} statements per second that the admission policy's row for {row:?} has, and others wait"
    )]
    Share {
        /// The row.
        row: String,
        /// Whom it admits among others.
        iss: String,
        /// Its rate.
        per_second: u64,
    },
    /// The rate that the log gives an operator's approvals.
    #[error("operator {kid} has used up its {per_hour} approvals an hour")]
    Approvals {
        /// The operator's key, by its thumbprint.
        kid: Digest,
        /// The rate.
        per_hour: u64,
    },
    /// The rate that the log gives an address.
    #[error("this address has used up its rate of {per_second} requests per second")]
    Address {
        /// The rate.
        per_second: u64,
    },
}

/// What the log lacks to take a statement now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// More statements wait for their signatures to be verified than fit into the budget of time.
    #[error("too many signatures wait to be verified")]
    Verification,
    /// The sequencer's queue is full.
    #[error("the queue of statements to be committed is full")]
    Queue,
    /// The disk is nearly full.
    #[error("the log's disk is nearly full")]
    Disk,
    /// The store is about to stall.
    #[error("the store is catching up")]
    Store,
    /// The store could not be read.
    #[error("the store could not be read")]
    Read,
    /// The log is starting and has not yet heard from enough witnesses to know that its head is the newest.
    #[error("the log serves reads only until enough witnesses have confirmed its head")]
    Unconfirmed,
    /// The log is going down in good order.
    #[error("the log is shutting down")]
    ShuttingDown,
    /// A predecessor in the same stream of the same batch could not be taken.
    #[error("an earlier statement of the same stream could not be taken")]
    Predecessor,
}

impl Refusal {
    /// Tells what the refusal means to the submitter.
    pub fn class(&self) -> Class {
        match self {
            Self::Malformed(_) | Self::TooLarge { .. } | Self::NotAdmitted(_) | Self::Conflict(_) => Class::Refused,
            Self::TooManyRequests { .. } | Self::Unavailable { .. } => Class::Transient,
            Self::Stopped => Class::Fatal,
        }
    }

    /// Makes a refusal for want of something that is soon there again.
    pub const fn unavailable(why: Unavailable) -> Self {
        Self::Unavailable { why, retry_after_s: 1 }
    }
}

impl From<admission::Refusal> for Refusal {
    fn from(refusal: admission::Refusal) -> Self {
        match refusal {
            admission::Refusal::Conflict(conflict) => Self::Conflict(conflict),
            other => Self::NotAdmitted(other),
        }
    }
}

impl From<Conflict> for Refusal {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict(conflict)
    }
}
