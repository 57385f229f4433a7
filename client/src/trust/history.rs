//! The admission policy as an auditor knows it: every change since entry 0, and what was in force at any index.

use govlog_formats::admission::{ADMISSION_POLICY, GenesisError, PolicyState, Refusal};
use govlog_formats::cose::PublicKey;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::statement::SignedStatement;

/// The entries that the admission policy of one log is folded from, changes and operators' approvals, and the policy after each.
///
/// The operators' streams have no gaps, so between two entries of one stream held here none is missing; what is unknown is only whether
/// there are later ones. (A later word that withdrew an approval can be kept from an update until its operator speaks again; `audit`, which
/// reads every entry, finds a change that was taken against it.)
#[derive(Clone, Debug)]
pub struct History {
    entries: Vec<Change>,
}

/// One entry that the policy is folded from: a change of it, or an operator's approval of one.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its leaf index.
    pub index: LeafIndex,
    /// The number of this change, or of the newest one before this approval; entry 0 is change 0.
    pub number: usize,
    /// The entry.
    pub statement: SignedStatement,
    /// The policy with this entry folded in: in force from the next index on.
    pub after: PolicyState,
}

impl Change {
    /// Whether it is a change, not an approval.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.statement.content_type() == ADMISSION_POLICY
    }
}

/// Why an entry does not continue the history.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// Entry 0 cannot begin a log.
    #[error("entry 0: {0}")]
    Genesis(#[from] GenesisError),
    /// A change is not one that the operator could have made there.
    #[error("admission-policy entry at index {index}: {refusal}")]
    Refused {
        /// Its leaf index.
        index: LeafIndex,
        /// What speaks against it.
        refusal: Refusal,
    },
    /// A change lies at or below the newest one known.
    #[error("admission-policy entry at index {index}, after one at {newest}")]
    OutOfOrder {
        /// Its leaf index.
        index: LeafIndex,
        /// The index of the newest known change.
        newest: LeafIndex,
    },
}

impl History {
    /// Begins a history with entry 0.
    ///
    /// # Errors
    ///
    /// The entry cannot begin a log.
    pub fn begin(genesis: SignedStatement) -> Result<Self, HistoryError> {
        let after = PolicyState::genesis(&genesis)?;
        Ok(Self { entries: vec![Change { index: LeafIndex::new(0), number: 0, statement: genesis, after }] })
    }

    /// Folds in the next entry.
    ///
    /// # Errors
    ///
    /// It is not an admissible change or approval in the next place of its stream.
    pub fn push(&mut self, index: LeafIndex, statement: SignedStatement) -> Result<(), HistoryError> {
        let newest = self.newest();
        if index <= newest.index {
            return Err(HistoryError::OutOfOrder { index, newest: newest.index });
        }
        let after =
            newest.after.apply(index, &statement).map_err(|refusal| HistoryError::Refused { index, refusal })?;
        let mut folded = Change { index, number: newest.number, statement, after };
        folded.number += usize::from(folded.is_change());
        self.entries.push(folded);
        Ok(())
    }

    /// Every entry, oldest first; the first is entry 0.
    #[must_use]
    pub fn entries(&self) -> &[Change] {
        &self.entries
    }

    /// The newest entry known.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "a history begins with entry 0 and never loses an entry")]
    pub fn newest(&self) -> &Change {
        self.entries.last().expect("a history begins with entry 0")
    }

    /// The history as far as a tree of this size has it; entry 0 it always has.
    #[must_use]
    pub fn below(&self, size: TreeSize) -> Self {
        let is_below = |entry: &&Change| size.covers(entry.index) || entry.index == LeafIndex::new(0);
        Self { entries: self.entries.iter().filter(is_below).cloned().collect() }
    }

    /// The number of the newest change known; entry 0 is change 0.
    #[must_use]
    pub fn newest_number(&self) -> usize {
        self.newest().number
    }

    /// The policy in force at an index: the fold of the entries below it. None at index 0, which nothing precedes.
    #[must_use]
    pub fn in_force_at(&self, index: LeafIndex) -> Option<&PolicyState> {
        self.entries.iter().rev().find(|entry| entry.index < index).map(|entry| &entry.after)
    }

    /// The digest of entry 0's bytes: what trust in this log hangs on.
    #[must_use]
    pub fn genesis(&self) -> Digest {
        self.entries.first().map_or(Digest::ZERO, |change| Digest::sha256(change.statement.entry()))
    }

    /// The key with this thumbprint that signs receipts of trees of this size, as the newest known policy says.
    #[must_use]
    pub fn receipt_key(&self, kid: &[u8], size: TreeSize) -> Option<&PublicKey> {
        let listed = self.newest().after.all_receipt_keys();
        listed.filter(|row| row.covers(size.get())).map(|row| &row.key).find(|key| key.thumbprint().as_bytes() == kid)
    }

    /// Whether this thumbprint is of a key that ever signed receipts, whatever the size.
    #[must_use]
    pub fn knows_receipt_key(&self, kid: &[u8]) -> bool {
        self.newest().after.all_receipt_keys().any(|row| row.key.thumbprint().as_bytes() == kid)
    }

    /// The entry of this history that stands at this index.
    #[must_use]
    pub fn change_at(&self, index: LeafIndex) -> Option<&Change> {
        self.entries.iter().find(|entry| entry.index == index)
    }
}
