//! Where a proof ends: a size, its root and time, and the note that says so.

use std::sync::Arc;

use bytes::Bytes;
use govlog_formats::admission::PolicyState;
use govlog_formats::checkpoint::Checkpoint;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::note::Note;

use super::ProofError;
use crate::clock::Millis;
use crate::publication::Published;
use crate::sequencer::CommittedHead;
use crate::store::ArchivedNote;
use crate::tree::TreeView;

/// The head that a proof is made under. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Place {
    size: TreeSize,
    root: Digest,
    time: Millis,
    note: Bytes,
    tree: TreeView,
    policy: Arc<PolicyState>,
}

impl Place {
    /// Takes a committed head, whose note has the log's signature alone.
    #[must_use]
    pub fn committed(head: &CommittedHead) -> Self {
        Self {
            size: head.size(),
            root: head.root(),
            time: head.time(),
            note: Bytes::copy_from_slice(head.note()),
            tree: head.tree().clone(),
            policy: Arc::clone(head.policy()),
        }
    }

    /// Takes the first published size that covers an entry, 2 at least, for "no receipt at tree size 1" (DESIGN §4). Blocks on the store.
    ///
    /// `None`: there is none yet.
    ///
    /// # Errors
    /// When the store fails or its note can not be read.
    pub fn first_published(published: &Published, index: LeafIndex) -> Result<Option<Self>, ProofError> {
        let from = TreeSize::new(index.get().saturating_add(1).max(2));
        if from > published.size() {
            return Ok(None);
        }
        let found = published.tree().store().archived(from, published.size(), 1)?.pop();
        found.map(|archived| Self::archived(published, archived)).transpose()
    }

    /// Takes a published size. Blocks on the store.
    ///
    /// `None`: this size was not published.
    ///
    /// # Errors
    /// When the store fails or its note can not be read.
    pub fn published_at(published: &Published, size: TreeSize) -> Result<Option<Self>, ProofError> {
        if size > published.size() {
            return Ok(None);
        }
        let found = published.tree().store().archived(size, size, 1)?.pop();
        found.map(|archived| Self::archived(published, archived)).transpose()
    }

    /// The root is the note's: whoever gets the proof will hold it against that.
    fn archived(published: &Published, archived: ArchivedNote) -> Result<Self, ProofError> {
        let ArchivedNote { size, time, note } = archived;
        let unreadable = |why: String| ProofError::Note { size, why };
        let parsed = Note::parse(&note).map_err(|error| unreadable(error.to_string()))?;
        let checkpoint = Checkpoint::of_note(&parsed).map_err(|error| unreadable(error.to_string()))?;
        if checkpoint.size != size {
            return Err(unreadable(format!("it says size {}", checkpoint.size)));
        }
        let (tree, policy) = (published.tree().clone(), Arc::clone(published.head().policy()));
        Ok(Self { size, root: checkpoint.root, time, note, tree, policy })
    }

    /// Returns the size.
    #[must_use]
    pub const fn size(&self) -> TreeSize {
        self.size
    }

    /// Returns the root at that size.
    #[must_use]
    pub const fn root(&self) -> Digest {
        self.root
    }

    /// Returns when the log gave the tree this size.
    #[must_use]
    pub const fn time(&self) -> Millis {
        self.time
    }

    /// Returns the note.
    #[must_use]
    pub const fn note(&self) -> &Bytes {
        &self.note
    }

    /// Returns the tree, which may reach further than the size.
    #[must_use]
    pub const fn tree(&self) -> &TreeView {
        &self.tree
    }

    /// Returns a policy that knows every receipt key up to this size.
    #[must_use]
    pub const fn policy(&self) -> &Arc<PolicyState> {
        &self.policy
    }

    /// Tells whether an entry lies below the size.
    #[must_use]
    pub const fn covers(&self, index: LeafIndex) -> bool {
        self.size.covers(index)
    }
}
