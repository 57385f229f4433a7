//! The judgement of one statement: parse → duplicate → issuer → signature → kind, subject, `iat` → stream (DESIGN §6).
//!
//! Finding duplicates and knowing where a stream stands is the caller's; every other step is here, each its own function so that the log can
//! put its lookups and its back-pressure between them.

use std::num::NonZeroU64;

use crate::digest::Digest;
use crate::merkle::LeafIndex;
use crate::statement::{SignedStatement, StreamPosition, content_type_of};

use super::approval::OperatorApproval;
use super::change::{Change, Credentials};
use super::credential::{Credential, Found};
use super::names::{
    ADMISSION_POLICY, APPROVAL, OPERATOR_STREAM, approval_stream, is_scoped, is_stream_kind, short_kind,
    subject_matches,
};
use super::refusal::{Conflict, Refusal};
use super::state::{Issuer, PolicyState};
use super::{DEFAULT_MAX_AGE_S, DEFAULT_MAX_AGE_X509_S, MAX_AHEAD_S};

/// A statement's signature verified under a key that the policy lists for its issuer.
///
/// Made by [`PolicyState::authenticate`] alone. It is bound to the statement by its identity, the Sig_structure digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    identity: Digest,
    credential: Credential,
    rate: Option<RowRate>,
}

/// How many statements a second a row of the policy allows, all that it admits taken together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRate {
    /// The row: an issuer, or a trust domain with all its workloads.
    pub row: String,
    /// The rate.
    pub per_second: NonZeroU64,
}

/// A statement may be submitted under the policy as of one change.
///
/// Made by [`PolicyState::authorise`], [`PolicyState::judge`] and [`PolicyState::rejudge`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    identity: Digest,
    credential: Credential,
    as_of: LeafIndex,
}

/// A record that the fold reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorRecord {
    /// A change of the policy.
    Change(Box<Change>),
    /// An operator's word on one.
    Approval(OperatorApproval),
}

/// The place in a stream that comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// The next sequence number.
    pub seq: u64,
    /// The Sig_structure digest of the stream's last statement; zeros when there is none.
    pub prev: Digest,
}

/// Judges a statement's place in its stream.
///
/// DESIGN §6: "`seq` = last + 1 and `prev` matches"; exact.md §2: "`seq` 0 with a non-zero `prev` too" is a conflict.
///
/// # Errors
/// When the statement claims another place than the expected one.
pub fn judge_stream(expected: Expected, position: &StreamPosition) -> Result<(), Conflict> {
    if position.seq == expected.seq && position.prev == expected.prev {
        return Ok(());
    }
    Err(Conflict {
        expected_seq: expected.seq,
        expected_prev: expected.prev,
        found_seq: position.seq,
        found_prev: position.prev,
    })
}

impl PolicyState {
    /// Judges a statement under this policy, all but duplicates and its place in a stream.
    ///
    /// `now`: the judge's clock in POSIX seconds; without one the age of `iat` is not judged, as in a replay.
    ///
    /// # Errors
    /// The first reason, in the order of judgement, why it is not admitted.
    pub fn judge(&self, statement: &SignedStatement, now: Option<i64>) -> Result<Accepted, Refusal> {
        self.check_bytes(statement)?;
        let authenticated = self.authenticate(statement)?;
        self.authorise(statement, &authenticated, now)
    }

    /// Tells whether a statement, once it is accepted, is folded into the policy.
    pub fn folds(&self, statement: &SignedStatement) -> bool {
        statement.content_type() == ADMISSION_POLICY || self.is_approval(statement)
    }

    /// Tells whether a statement is an operator's word on a change, if an operator's key signed it.
    pub fn is_approval(&self, statement: &SignedStatement) -> bool {
        statement.content_type() == APPROVAL && statement.claims().iss == self.operator_iss()
    }

    /// Judges what can be seen in the bytes alone, before anybody asks who signed; what the fold reads comes back read.
    ///
    /// # Errors
    /// When the statement was made for another log, or is a change of the policy or an operator's word on one that breaks its schema.
    pub fn check_bytes(&self, statement: &SignedStatement) -> Result<Option<OperatorRecord>, Refusal> {
        // DESIGN §6: "`aud` is another log | 400".
        if let Some(found) = statement.claims().aud.as_ref().filter(|aud| *aud != self.origin()) {
            return Err(Refusal::WrongAudience { found: found.clone(), expected: self.origin().to_owned() });
        }
        if !self.folds(statement) {
            return Ok(None);
        }
        if statement.content_type() == APPROVAL {
            if statement.is_hash_envelope() {
                return Err(Refusal::EnvelopedApproval);
            }
            let approval = OperatorApproval::parse(statement.payload()).map_err(Refusal::Approval)?;
            return Ok(Some(OperatorRecord::Approval(approval)));
        }
        // exact.md §2: "An `admission-policy` under a hash envelope, or one whose schema is wrong, whoever sent it: 400."
        if statement.is_hash_envelope() {
            return Err(Refusal::EnvelopedChange);
        }
        let change = Change::parse(statement.payload())?;
        self.check_own_iss(&change)?;
        Ok(Some(OperatorRecord::Change(Box::new(change))))
    }

    /// Finds the key a statement names in its issuer's row, or the leaf of a chain under the row's trust anchors, and verifies the signature.
    ///
    /// # Errors
    /// exact.md §2: "Unknown issuer, or a kid that is not in its row: 403. Then the signature: 400." A chain stands in the place of the kid.
    pub fn authenticate(&self, statement: &SignedStatement) -> Result<Authenticated, Refusal> {
        let Found { key, credential } = self.key_of(statement)?;
        statement.verify_signature(&key).map_err(|error| Refusal::BadSignature {
            iss: statement.claims().iss.clone(),
            kid: credential.key,
            why: error.to_string(),
        })?;
        Ok(Authenticated { identity: statement.sig_structure_digest(), credential, rate: self.rate_of(statement) })
    }

    /// The rate is that of the row that admits it: a row of a trust domain has one for all its workloads, not one for each.
    fn rate_of(&self, statement: &SignedStatement) -> Option<RowRate> {
        let row = self.row_of(statement)?;
        row.rate.map(|per_second| RowRate { row: row.iss.clone(), per_second })
    }

    /// Judges kind, subject and `iat` of a statement whose signature verified.
    ///
    /// # Errors
    /// exact.md §2: "Then kind, subject, `iat` (older than `max_age_s`, or more than 300 s ahead): 403."
    pub fn authorise(
        &self,
        statement: &SignedStatement,
        authenticated: &Authenticated,
        now: Option<i64>,
    ) -> Result<Accepted, Refusal> {
        let row = if statement.claims().iss == self.operator_iss() { None } else { self.row_for(statement) };
        match (row, self.check_bytes(statement)?) {
            (None, Some(OperatorRecord::Change(change))) => {
                self.check_operator_claims(statement, OPERATOR_STREAM, |found, _| Refusal::OperatorStream { found })?;
                self.fold(&change)?;
                self.check_approved(statement, authenticated.key(), now)?;
            }
            (None, Some(OperatorRecord::Approval(_))) => {
                let stream = approval_stream(authenticated.key());
                let refused = |found, expected| Refusal::ApprovalStream { found, expected };
                self.check_operator_claims(statement, &stream, refused)?;
            }
            (row, _) => self.authorise_row(statement, row)?,
        }
        if let Some(now) = now {
            check_iat(statement, row, now)?;
        }
        Ok(Accepted {
            identity: authenticated.identity,
            credential: authenticated.credential.clone(),
            as_of: self.as_of(),
        })
    }

    /// Judges a statement again that was accepted under an earlier policy, without verifying its signature a second time.
    ///
    /// A key is named by its thumbprint: where this policy lists the same one, it is the key the signature verified under. Of a certificate it is known
    /// under whose key its chain was verified: where this policy lists an anchor of that name and key, that is not verified again either. The age of
    /// `iat` is not judged again.
    ///
    /// # Errors
    /// As [`PolicyState::judge`]. An [`Accepted`] that belongs to another statement counts for nothing: the signature is then verified.
    pub fn rejudge(&self, statement: &SignedStatement, accepted: &Accepted) -> Result<Accepted, Refusal> {
        let identity = statement.sig_structure_digest();
        if accepted.identity != identity || !self.still_lists(statement, accepted)? {
            return self.judge(statement, None);
        }
        let credential = accepted.credential.clone();
        self.authorise(statement, &Authenticated { identity, credential, rate: self.rate_of(statement) }, None)
    }

    /// Judges stream and subject of what is signed in the operator's name.
    fn check_operator_claims(
        &self,
        statement: &SignedStatement,
        expected: &str,
        refused: impl FnOnce(Option<String>, String) -> Refusal,
    ) -> Result<(), Refusal> {
        let claims = statement.claims();
        let stream = claims.stream.as_ref().map(|position| position.stream.as_str());
        if stream != Some(expected) {
            return Err(refused(stream.map(str::to_owned), expected.to_owned()));
        }
        if claims.sub != self.origin() {
            return Err(Refusal::OperatorSubject { found: claims.sub.clone(), expected: self.origin().to_owned() });
        }
        Ok(())
    }

    /// Judges kind and subject under an issuer's row; without a row it is the operator, who submits changes and approvals only.
    fn authorise_row(&self, statement: &SignedStatement, row: Option<&Issuer>) -> Result<(), Refusal> {
        let (kind, claims) = (statement.content_type(), statement.claims());
        // exact.md §2: "Another `iss`, stream or `sub` than the operator's: 403."
        if kind == ADMISSION_POLICY {
            return Err(Refusal::NotTheOperator { iss: claims.iss.clone(), operator: self.operator_iss().to_owned() });
        }
        let Some(issuer) = row else {
            let allowed = [ADMISSION_POLICY, APPROVAL].map(|kind| short_kind(kind).to_owned()).into();
            return Err(Refusal::Kind { kind: kind.to_owned(), iss: claims.iss.clone(), allowed });
        };
        if is_stream_kind(kind) {
            return check_stream_kind(statement);
        }
        let row = &issuer.row;
        if !row.kinds.iter().any(|allowed| content_type_of(allowed) == kind) {
            return Err(Refusal::Kind { kind: kind.to_owned(), iss: claims.iss.clone(), allowed: row.kinds.clone() });
        }
        if !is_scoped(&claims.sub) {
            return Err(Refusal::PlainSubject { sub: claims.sub.clone() });
        }
        if !row.subjects.iter().any(|pattern| subject_matches(pattern, &claims.sub)) {
            return Err(Refusal::Subject {
                sub: claims.sub.clone(),
                iss: claims.iss.clone(),
                allowed: row.subjects.clone(),
            });
        }
        Ok(())
    }
}

impl Authenticated {
    /// Returns the statement's identity, its Sig_structure digest.
    pub fn identity(&self) -> &Digest {
        &self.identity
    }

    /// Returns the thumbprint of the key that verified it.
    pub fn key(&self) -> &Digest {
        &self.credential.key
    }

    /// Returns how many statements a second the row that admits it allows; `None`: the policy does not say.
    pub fn rate(&self) -> Option<&RowRate> {
        self.rate.as_ref()
    }
}

impl Accepted {
    /// Returns the statement's identity, its Sig_structure digest.
    pub fn identity(&self) -> &Digest {
        &self.identity
    }

    /// Returns the thumbprint of the key the signature verified under.
    pub fn key(&self) -> &Digest {
        &self.credential.key
    }

    pub(super) fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Returns the leaf index of the newest entry folded into the policy that was judged by.
    pub fn as_of(&self) -> LeafIndex {
        self.as_of
    }
}

/// exact.md §2: "A `stream`, `gap` or `quarantine` record without a stream, or with another `sub`: 403."
fn check_stream_kind(statement: &SignedStatement) -> Result<(), Refusal> {
    let (kind, claims) = (statement.content_type().to_owned(), statement.claims());
    let Some(position) = &claims.stream else {
        return Err(Refusal::StreamKindWithoutStream { kind });
    };
    if position.stream != claims.sub {
        return Err(Refusal::StreamKindSubject { kind, sub: claims.sub.clone(), stream: position.stream.clone() });
    }
    Ok(())
}

/// DESIGN §6: "absent `max_age_s`: 86,400 (600 for X.509 rows)".
fn check_iat(statement: &SignedStatement, row: Option<&Issuer>, now: i64) -> Result<(), Refusal> {
    let (iat, iss) = (statement.claims().iat, &statement.claims().iss);
    let max_age_s = row.map_or(DEFAULT_MAX_AGE_S, |issuer| {
        issuer.row.max_age_s.unwrap_or(match issuer.row.credentials {
            Credentials::Keys(_) => DEFAULT_MAX_AGE_S,
            Credentials::X509(_) => DEFAULT_MAX_AGE_X509_S,
        })
    });
    let apart_s = now.abs_diff(iat);
    if iat <= now && apart_s > max_age_s {
        return Err(Refusal::TooOld { iss: iss.clone(), iat, now, age_s: apart_s, max_age_s });
    }
    if iat > now && apart_s > MAX_AHEAD_S {
        return Err(Refusal::Ahead { iat, now, ahead_s: apart_s });
    }
    Ok(())
}

impl Expected {
    /// The place of a stream's first statement.
    pub const START: Self = Self { seq: 0, prev: Digest::ZERO };
}
