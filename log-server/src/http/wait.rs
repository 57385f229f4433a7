//! Waiting for what a submitter asked to wait for.

use std::future::Future;

use govlog_formats::merkle::{LeafIndex, TreeSize};

use super::App;
use super::error::Failure;
use super::query::bad;
use crate::index::Progress;
use crate::publication::Published;
use crate::refusal::Refusal;
use crate::sequencer::CommittedHead;

/// What to wait for after the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// A receipt under a log-signed root.
    Committed,
    /// A receipt under a note that meets the witness policy.
    Published,
}

/// How far the index was when it was not waited for any longer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reached(pub(super) Progress);

impl Wait {
    /// Reads `?wait=`.
    ///
    /// # Errors
    /// "Unknown `?wait=` 400" (exact.md §4).
    pub(super) fn read(text: &str) -> Result<Self, Failure> {
        match text {
            "committed" => Ok(Self::Committed),
            "published" => Ok(Self::Published),
            other => {
                let shown: String = other.chars().take(40).collect();
                Err(bad(format!("wait is {shown:?}; it may be committed or published")))
            }
        }
    }
}

impl App {
    /// Waits until an entry lies below the committed head.
    ///
    /// # Errors
    /// When the sequencer stops before, or it takes too long.
    pub(super) async fn committed(&self, index: LeafIndex) -> Result<CommittedHead, Failure> {
        let mut heads = self.heads.clone();
        let covered = self
            .in_time(async { heads.wait_for(|head| head.size().covers(index)).await.map(|head| head.clone()).ok() });
        Ok(covered.await.flatten().ok_or(Refusal::Stopped)?)
    }

    /// Waits until an entry lies below the published size; `None` when it takes too long, or the log is shutting down.
    pub(super) async fn published(&self, index: LeafIndex) -> Option<Published> {
        let mut notes = self.published.clone();
        let covers = |published: &Option<Published>| {
            // "No receipt at tree size 1": entry 0 waits for size 2.
            published.as_ref().is_some_and(|published| published.covers(LeafIndex::new(index.get().max(1))))
        };
        let mut closing = self.closing.subscribe();
        let reached = self.in_time(async {
            tokio::select! {
                biased;
                reached = notes.wait_for(covers) => reached.ok().and_then(|published| published.clone()),
                _ = closing.wait_for(|closing| *closing) => None,
            }
        });
        reached.await.flatten()
    }

    /// Waits until the index covers a size, and that size is published.
    ///
    /// # Errors
    /// How far the index is, when it takes too long, or the log is shutting down.
    pub(super) async fn indexed(&self, size: TreeSize) -> Result<(), Reached> {
        let (mut progress, mut notes, mut closing) =
            (self.index.progress(), self.published.clone(), self.closing.subscribe());
        let reached = async {
            progress.wait_for(|progress| progress.ready && progress.size >= size.get()).await.ok()?;
            let covers = |published: &Option<Published>| published.as_ref().is_some_and(|one| one.size() >= size);
            notes.wait_for(covers).await.ok().map(drop)
        };
        let reached = async {
            tokio::select! {
                biased;
                reached = reached => reached,
                _ = closing.wait_for(|closing| *closing) => None,
            }
        };
        let reached = tokio::time::timeout(self.times.at, reached).await.ok().flatten();
        reached.ok_or_else(|| Reached(*self.index.progress().borrow()))
    }

    async fn in_time<T>(&self, what: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(self.times.wait, what).await.ok()
    }
}
