//! Admission: judges submissions under the policy in force, and lets in what may be sequenced.
//!
//! The rules themselves are [`govlog_formats::admission`], the same code that an auditor replays. Here they meet what can not be replayed: the
//! duplicate table, the clock, the time that signatures take, and the issuers' rates. The order is that of DESIGN §6: bytes → duplicate →
//! issuer → signature → kind, subject, `iat` → (a conflict that is kept already) → (rate); a statement's place in its stream is settled by the sequencer.

mod collided;
mod door;
mod pool;
mod rates;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use govlog_formats::admission::{Accepted, PolicyState};
use govlog_formats::digest::Digest;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::statement::SignedStatement;

use crate::clock::Clock;
use crate::refusal::{Refusal, Unavailable};
use crate::store::{LogStore, StreamKey};
use crate::submission::Submission;

pub use self::collided::Collided;
use self::door::{Checked, Logged};
use self::pool::Pool;
use self::rates::Rates;

/// A statement that the policy in force admits; its place in the tree and in its stream is not yet settled.
///
/// Made by [`Admission`] and by [`Admitted::judge`] alone.
#[derive(Debug, Clone)]
pub struct Admitted {
    statement: SignedStatement,
    leaf: Digest,
    key: StreamKey,
    accepted: Accepted,
}

/// What becomes of a submission that is not refused.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It may be sequenced.
    Admitted(Box<Admitted>),
    /// The same statement stands in the store already, at this leaf index. The index may lie above the committed head: whoever answers waits until
    /// the head covers it.
    Duplicate(LeafIndex),
}

/// The policy in force, replaced whole when a change is committed.
pub type PolicyInForce = Arc<ArcSwap<PolicyState>>;

/// The log's door.
pub struct Admission {
    policy: PolicyInForce,
    logged: Logged,
    clock: Arc<dyn Clock>,
    rates: Rates,
    pool: Pool,
}

/// How many statements of a batch one worker verifies in a row.
const CHUNK: usize = 32;

impl Admission {
    /// Opens the door. `policy` is shared with whoever puts changes in force, `collided` with whoever keeps conflicts; `workers` threads verify
    /// signatures.
    ///
    /// # Errors
    /// When a thread can not be started.
    pub fn new(
        policy: PolicyInForce,
        collided: Collided,
        store: Arc<dyn LogStore>,
        clock: Arc<dyn Clock>,
        workers: NonZeroUsize,
    ) -> std::io::Result<Self> {
        Ok(Self {
            policy,
            logged: Logged { store, collided },
            clock,
            rates: Rates::default(),
            pool: Pool::start(workers)?,
        })
    }

    /// Returns the policy in force.
    pub fn policy(&self) -> Arc<PolicyState> {
        self.policy.load_full()
    }

    /// Judges one submission.
    ///
    /// # Errors
    /// Why it is not let in, or not now.
    pub async fn admit(&self, submission: Submission) -> Result<Outcome, Refusal> {
        let only = self.admit_all(vec![submission]).await.pop();
        only.unwrap_or(Err(Refusal::unavailable(Unavailable::Verification)))
    }

    /// Judges the submissions of one batch, each alone; the answers are in their order, and each counts against its issuer's rate.
    ///
    /// All are judged under one and the same policy. Signatures are verified side by side.
    pub async fn admit_all(&self, submissions: Vec<Submission>) -> Vec<Result<Outcome, Refusal>> {
        let count = submissions.len();
        let Ok(mut room) = self.pool.reserve(count) else {
            return vec![Err(Refusal::unavailable(Unavailable::Verification)); count];
        };
        let (policy, came) = (self.policy.load_full(), Instant::now());
        let mut rest = submissions.into_iter().map(Submission::into_statement).peekable();
        let mut waiting = Vec::with_capacity(count.div_ceil(CHUNK));
        while rest.peek().is_some() {
            let chunk: Vec<_> = rest.by_ref().take(CHUNK).collect();
            let (policy, logged) = (Arc::clone(&policy), self.logged.clone());
            let size = chunk.len();
            let check = move || chunk.into_iter().map(|one| door::check(&policy, &logged, one)).collect::<Vec<_>>();
            waiting.push((size, room.run(size, check)));
        }
        let mut answers = Vec::with_capacity(count);
        for (size, checked) in waiting {
            match checked.await {
                Ok(checked) => answers.extend(checked.into_iter().map(|one| self.finish(&policy, came, one))),
                // The pool has ended, or the job did: nothing was judged.
                Err(_) => answers.extend(vec![Err(Refusal::unavailable(Unavailable::ShuttingDown)); size]),
            }
        }
        answers
    }

    /// Ends the judgement of a statement whose signature has been looked at: the steps that are quick, in the order of the batch.
    /// `came`: when the batch did; how long it then took to verify gives it no more of a rate.
    fn finish(&self, policy: &PolicyState, came: Instant, checked: Checked) -> Result<Outcome, Refusal> {
        let (statement, leaf, authenticated, conflict) = match checked {
            Checked::Refused(refusal) => return Err(refusal),
            Checked::Duplicate(index) => return Ok(Outcome::Duplicate(index)),
            Checked::Authentic { statement, leaf, authenticated, conflict } => {
                (statement, leaf, authenticated, conflict)
            }
        };
        let now = i64::try_from(self.clock.now().seconds()).unwrap_or(i64::MAX);
        let accepted = policy.authorise(&statement, &authenticated, Some(now))?;
        // What everybody can read in the table of conflicts is everybody's to send again, and like a duplicate it costs its issuer nothing.
        if let Some(conflict) = conflict {
            return Err(conflict.into());
        }
        // DESIGN §6: "An issuer's rate is counted after its signature verifies"; and behind all else, for what is too old to be admitted, or was
        // signed for another log, is anybody's to send.
        if let Some(rate) = authenticated.rate() {
            self.rates.take(rate, &statement.claims().iss, came)?;
        }
        // No row of the policy gives operators a rate, and their changes need a threshold of them. What one can say alone is bounded here.
        if policy.is_approval(&statement) {
            self.rates.take_approval(authenticated.key(), came)?;
        }
        Ok(Outcome::Admitted(Box::new(Admitted::new(*statement, leaf, accepted))))
    }
}

impl Admitted {
    /// Judges a statement under a policy, all but duplicates, rates and its place in a stream.
    ///
    /// `now`: POSIX seconds; without it the age of `iat` is not judged, as in a replay.
    ///
    /// # Errors
    /// The first reason why it is not admitted.
    pub fn judge(policy: &PolicyState, statement: SignedStatement, now: Option<i64>) -> Result<Self, Refusal> {
        let accepted = policy.judge(&statement, now)?;
        let leaf = statement.leaf_hash();
        Ok(Self::new(statement, leaf, accepted))
    }

    /// Judges the statement again when the policy in force is another than the one it was admitted under.
    ///
    /// # Errors
    /// Why the new policy does not admit it.
    pub fn rejudge(&mut self, policy: &PolicyState) -> Result<(), Refusal> {
        if self.accepted.as_of() != policy.as_of() {
            self.accepted = policy.rejudge(&self.statement, &self.accepted)?;
        }
        Ok(())
    }

    /// Returns the statement.
    pub fn statement(&self) -> &SignedStatement {
        &self.statement
    }

    /// Returns its leaf hash.
    pub fn leaf(&self) -> &Digest {
        &self.leaf
    }

    /// Returns the place it takes in the duplicate table.
    pub fn key(&self) -> &StreamKey {
        &self.key
    }

    /// Returns the leaf index of the newest change of the policy it was last judged under.
    pub fn policy_as_of(&self) -> LeafIndex {
        self.accepted.as_of()
    }

    fn new(statement: SignedStatement, leaf: Digest, accepted: Accepted) -> Self {
        Self { key: StreamKey::of(&statement), statement, leaf, accepted }
    }
}
