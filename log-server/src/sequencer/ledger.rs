//! What the writer knows of the log beyond the tree: the policy in force, and where streams stand.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use govlog_formats::admission::{Expected, PolicyState, judge_stream};
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use lru::LruCache;

use super::batch::{EntryRow, MAX_BATCH_BYTES, MAX_BATCH_ENTRIES};
use super::conflicts::Collision;
use super::poison::Fatal;
use super::pool::{Pending, Reply};
use crate::admission::Admitted;
use crate::refusal::Refusal;
use crate::store::{LogStore, StreamId, StreamKey};
use crate::tree::{Found, StreamHead, find, stream_head};

/// Streams whose newest entry is kept in memory.
const STREAMS_KEPT: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// Where each statement of a batch went.
pub(super) struct Draft {
    /// The entries of the batch.
    pub(super) rows: Vec<EntryRow>,
    /// The answers, in the order of the statements; none is sent before the batch is committed.
    pub(super) answers: Vec<Answer>,
    /// The policy in force after the batch, when its last entry changed it.
    pub(super) policy: Option<Arc<PolicyState>>,
    /// Statements that were refused because another one of their issuer has their place.
    pub(super) collisions: Vec<Collision>,
    /// What has no place yet, in order; in the end what did not fit.
    pub(super) rest: VecDeque<Pending>,
    bytes: usize,
    /// The places taken by entries of this batch, which no table holds yet.
    placed: HashMap<StreamKey, (LeafIndex, Digest)>,
}

/// An answer that waits for its batch.
pub(super) struct Answer {
    pub(super) reply: Reply,
    pub(super) verdict: Verdict,
}

/// What becomes of one statement.
pub(super) enum Verdict {
    /// It stands at an index, perhaps since earlier.
    Placed { index: LeafIndex, duplicate: bool },
    /// It is not taken.
    Refused(Refusal),
}

/// The writer's own knowledge. It runs ahead of what is committed by at most the batches that are under way; where one of
/// those fails the sequencer is poisoned and the knowledge is gone with it.
pub(super) struct Ledger {
    store: Arc<dyn LogStore>,
    policy: Arc<PolicyState>,
    streams: LruCache<StreamId, StreamHead>,
}

impl Ledger {
    pub(super) fn new(store: Arc<dyn LogStore>, policy: Arc<PolicyState>) -> Self {
        Self { store, policy, streams: LruCache::new(STREAMS_KEPT) }
    }

    /// Gives each statement of a draft its place from `size` on, or a reason against it, in order.
    ///
    /// What the policy folds, a change or an operator's approval, ends the draft, for what follows is judged under another policy.
    ///
    /// # Errors
    /// When the store fails or contradicts itself. Nobody was answered: the draft holds every reply.
    pub(super) fn fill(&mut self, draft: &mut Draft, size: TreeSize) -> Result<(), Fatal> {
        while let Some(mut pending) = draft.rest.pop_front() {
            if draft.policy.is_some() || !draft.has_room(&pending.admitted) {
                draft.rest.push_front(pending);
                return Ok(());
            }
            let next = LeafIndex::new(size.get() + draft.placed_count());
            let verdict = match self.settle(draft, size, next, &mut pending) {
                Ok(verdict) => verdict,
                Err(cause) => {
                    draft.rest.push_front(pending);
                    return Err(cause);
                }
            };
            draft.answers.push(Answer { reply: pending.reply, verdict });
        }
        Ok(())
    }

    /// Judges one statement, and places it if nothing speaks against it.
    fn settle(
        &mut self,
        draft: &mut Draft,
        size: TreeSize,
        next: LeafIndex,
        pending: &mut Pending,
    ) -> Result<Verdict, Fatal> {
        let verdict = self.judge(draft, size, next, &mut pending.admitted)?;
        if matches!(verdict, Verdict::Placed { duplicate: false, .. }) {
            self.place(draft, next, &pending.admitted);
            draft.policy = self.change(next, &pending.admitted)?;
        }
        Ok(verdict)
    }

    /// Judges what only the owner of the tree can: duplicate → policy, when it changed since the door → stream.
    fn judge(
        &mut self,
        draft: &mut Draft,
        size: TreeSize,
        next: LeafIndex,
        admitted: &mut Admitted,
    ) -> Result<Verdict, Fatal> {
        let identity = admitted.statement().sig_structure_digest();
        let taken = match draft.placed.get(admitted.key()) {
            Some((index, same)) if *same == identity => Some(Found::Same(*index)),
            Some((index, _)) => Some(Found::Other(*index)),
            None => find(self.store.as_ref(), size, admitted.key(), &identity)?,
        };
        if let Some(Found::Same(index)) = taken {
            return Ok(Verdict::Placed { index, duplicate: true });
        }
        if let Err(refusal) = admitted.rejudge(&self.policy) {
            return Ok(Verdict::Refused(refusal));
        }
        if let Err(refusal) = self.judge_stream(size, admitted)? {
            if let Some(Found::Other(index)) = taken {
                draft.collisions.push(Collision::of(&self.policy, admitted.statement(), index));
            }
            return Ok(Verdict::Refused(refusal));
        }
        if let Err(refusal) = self.judge_change(next, admitted) {
            return Ok(Verdict::Refused(refusal));
        }
        // A place that is taken is never the next one of a stream, and a digest is never that of another statement.
        if let Some(Found::Other(index)) = taken {
            return Err(Fatal::Table { index });
        }
        Ok(Verdict::Placed { index: next, duplicate: false })
    }

    fn judge_stream(&mut self, size: TreeSize, admitted: &Admitted) -> Result<Result<(), Refusal>, Fatal> {
        let (StreamKey::Position { stream, .. }, Some(position)) =
            (admitted.key(), &admitted.statement().claims().stream)
        else {
            return Ok(Ok(()));
        };
        let expected = self.expected(size, stream)?;
        Ok(judge_stream(expected, position).map_err(Refusal::from))
    }

    /// Returns the place that comes next in a stream, entries of the draft included.
    fn expected(&mut self, size: TreeSize, stream: &StreamId) -> Result<Expected, Fatal> {
        let known = match self.streams.get(stream) {
            Some(head) => Some(*head),
            None => stream_head(self.store.as_ref(), size, stream)?,
        };
        Ok(known.map_or(Expected::START, |head| Expected { seq: head.next_seq, prev: head.prev }))
    }

    /// Judges what the policy folds as a replay of the log will.
    fn judge_change(&self, next: LeafIndex, admitted: &Admitted) -> Result<(), Refusal> {
        if self.policy.folds(admitted.statement()) {
            self.policy.apply(next, admitted.statement())?;
        }
        Ok(())
    }

    /// Folds an entry into the policy for all that follows.
    fn change(&mut self, index: LeafIndex, admitted: &Admitted) -> Result<Option<Arc<PolicyState>>, Fatal> {
        if !self.policy.folds(admitted.statement()) {
            return Ok(None);
        }
        let policy = self.policy.apply(index, admitted.statement());
        let policy = Arc::new(policy.map_err(|refusal| Fatal::Reported(refusal.to_string()))?);
        self.policy = Arc::clone(&policy);
        Ok(Some(policy))
    }

    /// Puts a statement into the draft, and moves its stream on.
    fn place(&mut self, draft: &mut Draft, index: LeafIndex, admitted: &Admitted) {
        let (statement, key) = (admitted.statement(), *admitted.key());
        let identity = statement.sig_structure_digest();
        if let StreamKey::Position { stream, seq } = key {
            self.streams.put(stream, StreamHead { next_seq: seq + 1, prev: identity, last: index });
        }
        draft.placed.insert(key, (index, identity));
        draft.bytes += statement.entry().len();
        draft.rows.push(EntryRow { entry: Bytes::copy_from_slice(statement.entry()), leaf: *admitted.leaf(), key });
    }
}

impl Draft {
    pub(super) fn of(statements: Vec<Pending>) -> Self {
        Self {
            rows: Vec::new(),
            answers: Vec::new(),
            policy: None,
            collisions: Vec::new(),
            rest: statements.into(),
            bytes: 0,
            placed: HashMap::new(),
        }
    }

    fn has_room(&self, admitted: &Admitted) -> bool {
        let bytes = self.bytes + admitted.statement().entry().len();
        self.rows.is_empty() || (self.rows.len() < MAX_BATCH_ENTRIES && bytes <= MAX_BATCH_BYTES)
    }

    fn placed_count(&self) -> u64 {
        // At most `MAX_BATCH_ENTRIES`.
        u64::try_from(self.rows.len()).unwrap_or(u64::MAX)
    }
}
