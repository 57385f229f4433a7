//! What readers see: the newest note that met the quorum.

use std::sync::Arc;

use bytes::Bytes;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};

use crate::clock::Millis;
use crate::sequencer::CommittedHead;
use crate::store::ArchivedNote;
use crate::tree::TreeView;

/// The newest published size: its archived note, the note served now, and the tree below it.
///
/// Cheap to clone. Made by the publisher alone, after the archived note was synced.
#[derive(Clone, Debug)]
pub struct Published(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    archived: ArchivedNote,
    served: Bytes,
    head: CommittedHead,
    root: Digest,
}

impl Published {
    /// `head` covers the note's size, and `root` is its root there.
    pub(super) fn new(archived: ArchivedNote, served: Bytes, head: CommittedHead, root: Digest) -> Self {
        Self(Arc::new(Inner { archived, served, head, root }))
    }

    /// Puts a fresher note of the same size in the place of the one served; the archived one stays.
    pub(super) fn renewed(&self, served: Bytes) -> Self {
        Self(Arc::new(Inner {
            archived: self.0.archived.clone(),
            served,
            head: self.0.head.clone(),
            root: self.0.root,
        }))
    }

    /// Returns the published size.
    #[must_use]
    pub fn size(&self) -> TreeSize {
        self.0.archived.size
    }

    /// Returns the root at that size.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.0.root
    }

    /// Returns when the log gave the tree this size.
    #[must_use]
    pub fn time(&self) -> Millis {
        self.0.archived.time
    }

    /// Returns the first note published for this size: the one in receipts.
    #[must_use]
    pub fn archived(&self) -> &ArchivedNote {
        &self.0.archived
    }

    /// Returns the freshest note of this size that met the quorum: the one `/checkpoint` gives.
    #[must_use]
    pub fn served(&self) -> &Bytes {
        &self.0.served
    }

    /// Returns the tree. It may reach further than the published size, which bounds what readers get.
    #[must_use]
    pub fn tree(&self) -> &TreeView {
        self.0.head.tree()
    }

    /// Returns a committed head that covers the published size.
    #[must_use]
    pub fn head(&self) -> &CommittedHead {
        &self.0.head
    }

    /// Tells whether an entry lies below the published size.
    #[must_use]
    pub fn covers(&self, index: LeafIndex) -> bool {
        self.size().covers(index)
    }
}
