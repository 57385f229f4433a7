//! What the sequencer hands on: heads that a restart would still show, and the entries under them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use govlog_formats::admission::PolicyState;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use tokio::sync::oneshot;

use crate::clock::Millis;
use crate::refusal::Refusal;
use crate::tree::{TreeHead, TreeView};

/// A head that is durable in store and head file, with the note that the log signed over it.
///
/// Cheap to clone. Made by the finisher alone.
#[derive(Clone, Debug)]
pub struct CommittedHead(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    head: TreeHead,
    note: Arc<[u8]>,
    tree: TreeView,
    policy: Arc<PolicyState>,
}

impl CommittedHead {
    pub(super) fn new(head: TreeHead, note: Arc<[u8]>, tree: TreeView, policy: Arc<PolicyState>) -> Self {
        Self(Arc::new(Inner { head, note, tree, policy }))
    }

    /// Returns size, root and time together.
    #[must_use]
    pub fn head(&self) -> &TreeHead {
        &self.0.head
    }

    /// Returns the number of entries.
    #[must_use]
    pub fn size(&self) -> TreeSize {
        self.0.head.size
    }

    /// Returns the root over them.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.0.head.root
    }

    /// Returns when the log gave the tree this size.
    #[must_use]
    pub fn time(&self) -> Millis {
        self.0.head.time
    }

    /// Returns the note with the log's signature alone.
    #[must_use]
    pub fn note(&self) -> &Arc<[u8]> {
        &self.0.note
    }

    /// Returns the tree up to this size: tiles, bundles, and the nodes of proofs for every size up to this one.
    #[must_use]
    pub fn tree(&self) -> &TreeView {
        &self.0.tree
    }

    /// Returns the admission policy in force at this size: the fold of all changes below it.
    #[must_use]
    pub fn policy(&self) -> &Arc<PolicyState> {
        &self.0.policy
    }
}

/// A statement that is committed.
#[derive(Clone, Debug)]
pub struct Committed {
    index: LeafIndex,
    head: CommittedHead,
    duplicate: bool,
}

impl Committed {
    pub(super) const fn new(index: LeafIndex, head: CommittedHead, duplicate: bool) -> Self {
        Self { index, head, duplicate }
    }

    /// Returns where the statement stands.
    #[must_use]
    pub const fn index(&self) -> LeafIndex {
        self.index
    }

    /// Returns a committed head that covers the statement: its own batch's, or for a duplicate a later one.
    #[must_use]
    pub const fn head(&self) -> &CommittedHead {
        &self.head
    }

    /// Tells whether the statement was in the log before, possibly under other signature bytes.
    #[must_use]
    pub const fn duplicate(&self) -> bool {
        self.duplicate
    }
}

/// The answer to one statement, when it comes.
///
/// It always comes: a sequencer that stops answers [`Refusal::Stopped`].
#[derive(Debug)]
pub struct Ticket(oneshot::Receiver<Result<Committed, Refusal>>);

impl Ticket {
    pub(super) fn new() -> (oneshot::Sender<Result<Committed, Refusal>>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(receiver))
    }

    /// Waits for the answer on a thread that may block.
    ///
    /// # Errors
    /// When the statement is not committed.
    pub fn wait(self) -> Result<Committed, Refusal> {
        self.0.blocking_recv().unwrap_or(Err(Refusal::Stopped))
    }
}

impl Future for Ticket {
    type Output = Result<Committed, Refusal>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(Refusal::Stopped)))
    }
}
