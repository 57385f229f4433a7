//! The admission policy as an auditor knows it: every change since entry 0, and what was in force at any index.

use govlog_formats::admission::{GenesisError, PolicyState, Refusal};
use govlog_formats::cose::PublicKey;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::statement::SignedStatement;

/// The admission-policy entries of one log, dense from the first, and the policy after each.
///
/// The operator's stream has no gaps, so between two changes held here none is missing; what is unknown is only whether
/// there are later ones.
#[derive(Clone, Debug)]
pub struct History {
    changes: Vec<Change>,
}

/// One change of the admission policy.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its leaf index.
    pub index: LeafIndex,
    /// The entry.
    pub statement: SignedStatement,
    /// The policy with this change folded in: in force from the next index on.
    pub after: PolicyState,
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
        Ok(Self { changes: vec![Change { index: LeafIndex::new(0), statement: genesis, after }] })
    }

    /// Folds in the next change.
    ///
    /// # Errors
    ///
    /// It is not an admissible change in the next place of the operator's stream.
    pub fn push(&mut self, index: LeafIndex, statement: SignedStatement) -> Result<(), HistoryError> {
        let newest = self.newest();
        if index <= newest.index {
            return Err(HistoryError::OutOfOrder { index, newest: newest.index });
        }
        let after =
            newest.after.apply(index, &statement).map_err(|refusal| HistoryError::Refused { index, refusal })?;
        self.changes.push(Change { index, statement, after });
        Ok(())
    }

    /// Every change, oldest first; the first is entry 0.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The newest change known.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "a history begins with entry 0 and never loses a change")]
    pub fn newest(&self) -> &Change {
        self.changes.last().expect("a history begins with entry 0")
    }

    /// The number of the newest change known; entry 0 is change 0.
    #[must_use]
    pub fn newest_number(&self) -> usize {
        self.changes.len().saturating_sub(1)
    }

    /// The policy in force at an index: the fold of the changes below it. None at index 0, which nothing precedes.
    #[must_use]
    pub fn in_force_at(&self, index: LeafIndex) -> Option<&PolicyState> {
        self.changes.iter().rev().find(|change| change.index < index).map(|change| &change.after)
    }

    /// The digest of entry 0's bytes: what trust in this log hangs on.
    #[must_use]
    pub fn genesis(&self) -> Digest {
        self.changes.first().map_or(Digest::ZERO, |change| Digest::sha256(change.statement.entry()))
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

    /// Whether a change of this history stands at this index.
    #[must_use]
    pub fn change_at(&self, index: LeafIndex) -> Option<&Change> {
        self.changes.iter().find(|change| change.index == index)
    }
}
