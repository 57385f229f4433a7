//! Why a statement is not admitted: one variant per reason, in the order of judgement.

use crate::digest::Digest;
use crate::x509::ChainError;

use super::change::ChangeError;
use super::names::{listed, short_kind, shown};

/// What a refusal means to the submitter, and which status the log answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The bytes can never be admitted: 400.
    Malformed,
    /// The signature does not verify under the key it names: 400.
    BadSignature,
    /// The policy in force does not allow it; a policy can be mended: 403.
    Forbidden,
    /// This version can not judge it, though a later one may: 403 from the log, "not evaluated" from an auditor.
    Unsupported,
    /// It does not continue its stream: 409.
    Conflict,
}

/// A statement's place in its stream is not the one that comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the stream goes on with seq {expected_seq} and prev {expected_prev}; the statement has seq {found_seq} and prev {found_prev}"
)]
pub struct Conflict {
    /// The sequence number that comes next in the stream.
    pub expected_seq: u64,
    /// The Sig_structure digest of the stream's last statement; zeros when there is none.
    pub expected_prev: Digest,
    /// The sequence number the statement claims.
    pub found_seq: u64,
    /// The digest of its predecessor that the statement claims.
    pub found_prev: Digest,
}

/// Why a statement is not admitted under an admission policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The statement was made for another log.
    #[error("aud is {}; this log is {}", shown(found), shown(expected))]
    WrongAudience {
        /// The `aud` claim.
        found: String,
        /// The origin of the log that judges.
        expected: String,
    },
    /// A change of the policy is there as a digest only, so that nobody could replay it.
    #[error(
        "an admission-policy statement carries its record itself: a hash envelope (labels 258, 259) is not allowed"
    )]
    EnvelopedChange,
    /// An operator's approval is there as a digest only, so that nobody could replay it.
    #[error("an operator's approval carries its record itself: a hash envelope (labels 258, 259) is not allowed")]
    EnvelopedApproval,
    /// A field that counts of an operator's `approval` is missing or wrong.
    #[error("approval record: {0}")]
    Approval(ChangeError),
    /// The record of an `admission-policy` statement does not follow its schema.
    #[error("admission-policy record: {0}")]
    Change(#[from] ChangeError),
    /// A change tries to set or retire the operator as an issuer.
    #[error("admission-policy record: {field} names {}, which is the operator itself; use operators", shown(iss))]
    OperatorAsIssuer {
        /// `set` or `retire`.
        field: &'static str,
        /// The operator's `iss`.
        iss: String,
    },

    /// No row of the policy names this issuer.
    #[error("iss {} is not an issuer under the admission policy (as of entry {as_of})", shown(iss))]
    UnknownIssuer {
        /// The `iss` claim.
        iss: String,
        /// The leaf index of the newest change of the policy.
        as_of: u64,
    },
    /// The issuer's row does not list the key that the statement names.
    #[error("kid {kid} is not a key of issuer {}; its keys: {}", shown(iss), listed(allowed.iter().map(String::as_str)))]
    UnknownKey {
        /// The `iss` claim.
        iss: String,
        /// The thumbprint the statement names.
        kid: Digest,
        /// The thumbprints of the issuer's keys.
        allowed: Vec<String>,
    },
    /// The statement names its key by a certificate chain, the row by keys, or the other way round.
    #[error("issuer {} is registered with {registered}, and the statement names its key by {found}", shown(iss))]
    WrongCredential {
        /// The `iss` claim.
        iss: String,
        /// What the row holds.
        registered: &'static str,
        /// What the statement holds.
        found: &'static str,
    },
    /// The certificates are not a chain of a workload under the row's trust anchors.
    #[error("x5chain (33) of issuer {}: {error}", shown(iss))]
    Chain {
        /// The `iss` claim.
        iss: String,
        /// What is wrong with them.
        error: ChainError,
    },
    /// The certificate is another workload's.
    #[error("iss is {}; the leaf of its x5chain (33) is the certificate of {}", shown(iss), shown(spiffe_id))]
    OtherSubject {
        /// The `iss` claim.
        iss: String,
        /// The leaf's SPIFFE ID.
        spiffe_id: String,
    },

    /// The signature does not verify.
    #[error("signature does not verify under key {kid} of issuer {}: {why}", shown(iss))]
    BadSignature {
        /// The `iss` claim.
        iss: String,
        /// The thumbprint of the key.
        kid: Digest,
        /// What the verification said.
        why: String,
    },

    /// The issuer may not submit this kind.
    #[error("kind {} is not allowed for issuer {}; allowed: {}", shown(short_kind(kind)), shown(iss), listed(allowed.iter().map(String::as_str)))]
    Kind {
        /// The content type.
        kind: String,
        /// The `iss` claim.
        iss: String,
        /// The kinds that the issuer's row lists.
        allowed: Vec<String>,
    },
    /// Somebody else than the operator submits a change of the policy.
    #[error("iss is {}; only the operator, {}, may change the admission policy", shown(iss), shown(operator))]
    NotTheOperator {
        /// The `iss` claim.
        iss: String,
        /// The operator's `iss`.
        operator: String,
    },
    /// A change of the policy is outside the operator's stream.
    #[error("stream is {}; a change of the admission policy has stream \"admission\"", found.as_deref().map_or("absent".to_owned(), shown))]
    OperatorStream {
        /// The `stream` claim.
        found: Option<String>,
    },
    /// An operator's approval is outside the stream of its key.
    #[error("stream is {}; an approval signed with this key has stream {}", found.as_deref().map_or("absent".to_owned(), shown), shown(expected))]
    ApprovalStream {
        /// The `stream` claim.
        found: Option<String>,
        /// The key's stream.
        expected: String,
    },
    /// What an operator signs is about something else than this log.
    #[error("sub is {}; what the operator signs has the log's origin, {}, as its sub", shown(found), shown(expected))]
    OperatorSubject {
        /// The `sub` claim.
        found: String,
        /// The log's origin.
        expected: String,
    },
    /// A record about a stream is in no stream.
    #[error("kind {} needs the claims stream, seq and prev, and sub equal to stream", shown(short_kind(kind)))]
    StreamKindWithoutStream {
        /// The content type.
        kind: String,
    },
    /// A record about a stream is about another than its own.
    #[error(
        "sub is {}; a record of kind {} is about its own stream, {}",
        shown(sub),
        shown(short_kind(kind)),
        shown(stream)
    )]
    StreamKindSubject {
        /// The content type.
        kind: String,
        /// The `sub` claim.
        sub: String,
        /// The `stream` claim.
        stream: String,
    },
    /// The subject could be taken for a stream.
    #[error("sub {} holds neither ':' nor '/', like the name of a stream; write it as <subject type>:<id>", shown(sub))]
    PlainSubject {
        /// The `sub` claim.
        sub: String,
    },
    /// The issuer may not speak about this subject.
    #[error("sub {} is not allowed for issuer {}; allowed: {}", shown(sub), shown(iss), listed(allowed.iter().map(String::as_str)))]
    Subject {
        /// The `sub` claim.
        sub: String,
        /// The `iss` claim.
        iss: String,
        /// The patterns that the issuer's row lists.
        allowed: Vec<String>,
    },
    /// The statement was signed too long ago.
    #[error("iat {iat} is {age_s} s old; issuer {} may be {max_age_s} s late (the log's clock: {now})", shown(iss))]
    TooOld {
        /// The `iss` claim.
        iss: String,
        /// The `iat` claim, POSIX seconds.
        iat: i64,
        /// The judge's clock, POSIX seconds.
        now: i64,
        /// The difference of the two.
        age_s: u64,
        /// What the issuer's row allows.
        max_age_s: u64,
    },
    /// The statement claims to be signed in the future.
    #[error("iat {iat} is {ahead_s} s ahead of the log's clock, {now}; at most {} s are allowed", super::MAX_AHEAD_S)]
    Ahead {
        /// The `iat` claim, POSIX seconds.
        iat: i64,
        /// The judge's clock, POSIX seconds.
        now: i64,
        /// The difference of the two.
        ahead_s: u64,
    },
    /// A subject pattern of a change could be taken for a stream.
    #[error(
        "admission-policy record: subject pattern {} of issuer {} holds neither ':' nor '/'",
        shown(pattern),
        shown(iss)
    )]
    PlainPattern {
        /// The issuer whose row it is.
        iss: String,
        /// The pattern.
        pattern: String,
    },
    /// A change would move the log to another origin.
    #[error(
        "admission-policy record: log.origin is {}; this log is {}, and an origin lasts as long as its tree",
        shown(found),
        shown(expected)
    )]
    OtherOrigin {
        /// `log.origin` of the change.
        found: String,
        /// The log's origin.
        expected: String,
    },
    /// A change asks for a threshold that no set of operators could meet.
    #[error(
        "admission-policy record: threshold {threshold} can not be met by {operators} operators; it must be from 1 to {operators}"
    )]
    ThresholdOutOfReach {
        /// The threshold after the change.
        threshold: u64,
        /// The number of distinct operator keys after the change.
        operators: usize,
    },
    /// Too few operators stand behind a change.
    #[error(
        "the admission policy asks for {threshold} operators behind a change; this one, {change}, is signed by one and approved by {given} other, \
         so {} more must approve it first: each runs govlog admission approve with the file of the change; then submit the same bytes again",
        threshold.saturating_sub(1).saturating_sub(*given)
    )]
    Unapproved {
        /// The change's Sig_structure digest: what is to be approved.
        change: Digest,
        /// How many operators must agree.
        threshold: u64,
        /// How many other operators approve, in words that count.
        given: u64,
    },

    /// The statement does not continue its stream.
    #[error(transparent)]
    Conflict(#[from] Conflict),
}

impl Refusal {
    /// Tells what the refusal means to the submitter.
    pub fn class(&self) -> Class {
        match self {
            Self::WrongAudience { .. }
            | Self::EnvelopedChange
            | Self::EnvelopedApproval
            | Self::Approval(_)
            | Self::Change(_)
            | Self::OperatorAsIssuer { .. } => Class::Malformed,
            Self::BadSignature { .. } => Class::BadSignature,
            Self::Chain { error, .. } if error.is_unsupported() => Class::Unsupported,
            // Anchors can be added; what the certificates themselves say stays.
            Self::Chain { error: ChainError::Anchor { .. }, .. } => Class::Forbidden,
            Self::Chain { .. } | Self::OtherSubject { .. } => Class::Malformed,
            Self::Conflict(_) => Class::Conflict,
            Self::UnknownIssuer { .. }
            | Self::UnknownKey { .. }
            | Self::WrongCredential { .. }
            | Self::Kind { .. }
            | Self::NotTheOperator { .. }
            | Self::OperatorStream { .. }
            | Self::ApprovalStream { .. }
            | Self::OperatorSubject { .. }
            | Self::StreamKindWithoutStream { .. }
            | Self::StreamKindSubject { .. }
            | Self::PlainSubject { .. }
            | Self::Subject { .. }
            | Self::TooOld { .. }
            | Self::Ahead { .. }
            | Self::PlainPattern { .. }
            | Self::OtherOrigin { .. }
            | Self::ThresholdOutOfReach { .. }
            | Self::Unapproved { .. } => Class::Forbidden,
        }
    }
}
