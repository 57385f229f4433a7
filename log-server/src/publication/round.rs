//! One round of asking all witnesses about one head.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use govlog_formats::note::{Note, SignatureLine};
use govlog_formats::tlog_policy::Policy;
use tokio::time::Instant;

use super::cosigner::{Report, Target};
use crate::sequencer::CommittedHead;

/// What has come in for a head.
pub(super) struct Round {
    pub(super) number: u64,
    pub(super) head: CommittedHead,
    /// Whether cosignatures must be newer than the round: the size is published already.
    pub(super) renews: bool,
    pub(super) begun: Instant,
    /// When the quorum was met.
    pub(super) met: Option<Instant>,
    /// Whether nothing more is waited for.
    pub(super) over: bool,
    lines: BTreeMap<usize, SignatureLine>,
    /// Who has neither answered nor failed.
    pending: BTreeSet<usize>,
}

impl Round {
    /// Begins a round; what an earlier one gathered for the same unpublished head counts.
    pub(super) fn begin(policy: &Policy, head: CommittedHead, renews: bool, earlier: Option<Self>) -> Self {
        let number = earlier.as_ref().map_or(1, |round| round.number + 1);
        let same = |round: &Self| !renews && !round.renews && round.head.head() == head.head();
        let lines = earlier.filter(same).map_or_else(BTreeMap::new, |round| round.lines);
        let pending = (0..policy.witnesses().len()).filter(|witness| !lines.contains_key(witness)).collect();
        let mut round = Self { number, head, renews, begun: Instant::now(), met: None, over: false, lines, pending };
        round.look(policy);
        round
    }

    /// Returns what the witnesses are asked.
    pub(super) fn target(&self, unconfirmed: bool) -> Target {
        let have = Arc::new(self.lines.keys().copied().collect());
        Target { round: self.number, head: self.head.clone(), have, unconfirmed }
    }

    /// Takes a report into account.
    pub(super) fn take(&mut self, policy: &Policy, report: Report) {
        if report.round == self.number {
            self.pending.remove(&report.witness);
        }
        let counts = report.size == self.head.size() && (!self.renews || report.round == self.number);
        if let Some(line) = report.line.filter(|_| counts) {
            self.lines.insert(report.witness, line);
            self.pending.remove(&report.witness);
        }
        self.look(policy);
    }

    fn look(&mut self, policy: &Policy) {
        if self.met.is_none() && self.satisfied(policy) {
            self.met = Some(Instant::now());
        }
    }

    /// Tells whether the cosignatures at hand satisfy the quorum.
    fn satisfied(&self, policy: &Policy) -> bool {
        let at = |wanted: &govlog_formats::tlog_policy::Witness| {
            policy.witnesses().iter().position(|witness| witness.vkey() == wanted.vkey())
        };
        policy.satisfied_by(|witness| at(witness).is_some_and(|at| self.lines.contains_key(&at)))
    }

    /// Tells whether everybody has answered or failed.
    pub(super) fn complete(&self) -> bool {
        self.pending.is_empty()
    }

    /// Assembles the note: the log's line, then the witnesses' in the policy's order.
    ///
    /// # Errors
    /// When it would not meet the quorum under the policy: nothing unchecked is published.
    pub(super) fn note(&self, policy: &Policy) -> Result<Vec<u8>, String> {
        let signed = Note::parse(self.head.note()).map_err(|error| error.to_string())?;
        let lines: Vec<SignatureLine> = signed.lines().iter().chain(self.lines.values()).cloned().collect();
        let note = Note::with_lines(signed.text(), &lines).map_err(|error| error.to_string())?.to_bytes();
        let verified = policy.verify_checkpoint(&note).map_err(|error| error.to_string())?;
        verified.require_quorum().map_err(|verdict| verdict.to_string())?;
        Ok(note)
    }
}

/// Tells whether the head is confirmed: "enough must accept that the rest cannot form a quorum" (DESIGN §7.4).
///
/// Without a quorum there is nobody who could have confirmed another head.
pub(super) fn confirmed(policy: &Policy, accepted: &BTreeSet<usize>) -> bool {
    let rest_can = || {
        policy.satisfied_by(|witness| {
            let at = policy.witnesses().iter().position(|other| other.vkey() == witness.vkey());
            at.is_some_and(|at| !accepted.contains(&at))
        })
    };
    policy.quorum().is_none() || !rest_can()
}
