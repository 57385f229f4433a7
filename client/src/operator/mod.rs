//! What operators do: put a change of the admission policy into words that can be signed, say their own word on another's, and bring it in.
//!
//! ```text
//! ChangeFields ─▶ Proposal (signed once) ─▶ file ─▶ other operators: Proposal::read ─▶ say ─▶ bring ─┐
//!                     └──────────────────────────── bring, once enough have approved ◀──────────────┘
//! ```
//!
//! Every statement is made for the log of a trust directory and in the places that its proved history gives: a server's word counts for nothing.

mod anchors;
mod bring;
mod words;

pub use anchors::{AnchorsError, anchors};
pub use bring::{BringError, Brought, PATIENCE, bring};
pub use words::{credentials_in_words, in_words};

use govlog_formats::admission::{
    ADMISSION_POLICY, BuildError, Change, ChangeError, ChangeFields, OperatorApproval, PolicyState, Refusal, Word,
    approval_statement, judge_stream, operator_statement,
};
use govlog_formats::cose::SigningKey;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::statement::{SignedStatement, Signer, StatementError};
use govlog_formats::visible::visible_lines;

/// A signed change of the admission policy that the log would take, once enough operators stand behind it.
#[derive(Clone, Debug)]
pub struct Proposal {
    statement: SignedStatement,
    change: Change,
    missing: u64,
}

/// Why there is no proposal, or no word on one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProposalError {
    /// The bytes are no signed statement.
    #[error("not a signed statement: {0}")]
    Statement(#[from] StatementError),
    /// The statement is something else.
    #[error("a statement of kind {0}, not a change of the admission policy")]
    NotAChange(String),
    /// The change does not follow its schema.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// It can not be signed.
    #[error("signing: {0}")]
    Build(#[from] BuildError),
    /// Another change was logged since it was signed.
    #[error(
        "the policy has moved on since this change was signed ({0}); draft it again, and have it approved again: an approval is of one statement"
    )]
    Overtaken(govlog_formats::admission::Conflict),
    /// The log would refuse it.
    #[error("the log would refuse this: {0}")]
    Refused(Refusal),
}

impl Proposal {
    /// Signs a change as the next one of a policy.
    ///
    /// # Errors
    /// The change is not one that the policy could take.
    pub fn sign(
        policy: &PolicyState,
        fields: ChangeFields,
        now_s: u64,
        key: &SigningKey,
    ) -> Result<Self, ProposalError> {
        let change = Change::new(ChangeFields { event_ms: now_s.saturating_mul(1000), ..fields })?;
        let statement = operator_statement(policy.origin(), &change, policy.next_change(), now_s, key)?;
        Self::judge(statement, policy)
    }

    /// Reads a change that somebody signed, and judges it as the log will.
    ///
    /// # Errors
    /// It is no change of this policy, not signed by an operator, or not the next one.
    pub fn read(bytes: &[u8], policy: &PolicyState) -> Result<Self, ProposalError> {
        Self::judge(SignedStatement::parse(bytes)?, policy)
    }

    fn judge(statement: SignedStatement, policy: &PolicyState) -> Result<Self, ProposalError> {
        if statement.content_type() != ADMISSION_POLICY || statement.is_hash_envelope() {
            return Err(ProposalError::NotAChange(statement.kind().to_owned()));
        }
        let change = Change::parse(statement.payload())?;
        // Before all else, for everything that the policy says of it may be about an earlier policy.
        if let Some(position) = &statement.claims().stream {
            judge_stream(policy.next_change(), position).map_err(ProposalError::Overtaken)?;
        }
        let missing = match policy.apply(next_index(policy), &statement) {
            Ok(_) => 0,
            Err(Refusal::Unapproved { threshold, given, .. }) => threshold.saturating_sub(1).saturating_sub(given),
            Err(refusal) => return Err(ProposalError::Refused(refusal)),
        };
        Ok(Self { statement, change, missing })
    }

    /// The signed statement, to be submitted as it is.
    #[must_use]
    pub fn statement(&self) -> &SignedStatement {
        &self.statement
    }

    /// What it changes.
    #[must_use]
    pub fn change(&self) -> &Change {
        &self.change
    }

    /// What other operators approve: the statement's Sig_structure digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.statement.sig_structure_digest()
    }

    /// How many more operators must approve it.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// The operator who signed it.
    #[must_use]
    pub fn signer(&self) -> Option<Digest> {
        match self.statement.signer() {
            Signer::Kid(kid) => Some(*kid),
            Signer::X5chain(_) => None,
        }
    }

    /// The text that an operator is to see before a word is said on it: nothing in it hides or forges a line.
    #[must_use]
    pub fn text(&self, policy: &PolicyState) -> String {
        let signer = self.signer().map_or_else(|| "a certificate".to_owned(), |kid| kid.to_string());
        let iat = u64::try_from(self.statement.claims().iat).unwrap_or(0);
        let mut lines = vec![
            format!("a change of the admission policy of {}", policy.origin()),
            format!("digest     {}", self.digest()),
            format!("signed by  {signer}, {}", crate::time::utc(iat)),
        ];
        lines.extend(in_words(policy, &self.change).into_iter().map(|line| format!("it says    {line}")));
        lines.push(format!("{:#}", self.change.to_view()));
        visible_lines(&lines.join("\n"))
    }
}

/// Signs an operator's word on a change; `shown` is the text the operator saw before.
///
/// # Errors
/// The key is no operator's, or the word is not one that the policy could take.
pub fn say(
    policy: &PolicyState,
    (change, word): (&Digest, Word),
    expires_ms: Option<u64>,
    shown: &str,
    now_s: u64,
    key: &SigningKey,
) -> Result<SignedStatement, ProposalError> {
    let approval = OperatorApproval { event_ms: now_s.saturating_mul(1000), approved: *change, word, expires_ms };
    let place = policy.next_approval(&key.public().thumbprint());
    let shown = Digest::sha256(shown.as_bytes());
    let statement = approval_statement(policy.origin(), &approval, Some(&shown), place, now_s, key)?;
    policy.apply(next_index(policy), &statement).map_err(ProposalError::Refused)?;
    Ok(statement)
}

/// An index that nothing known has: where a statement will stand does not matter to whether it is taken.
fn next_index(policy: &PolicyState) -> LeafIndex {
    LeafIndex::new(policy.as_of().get() + 1)
}

#[cfg(test)]
mod tests;
