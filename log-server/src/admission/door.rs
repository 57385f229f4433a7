//! The part of the judgement that takes time: the duplicate table and the signature.

use std::sync::Arc;

use govlog_formats::admission::{Authenticated, Conflict, Expected, PolicyState, judge_stream};
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::statement::SignedStatement;

use super::collided::Collided;
use crate::refusal::{Refusal, Unavailable};
use crate::store::{LogStore, StreamKey};
use crate::tree::{self, ReadError, find, stream_head};

/// How far the judgement of a statement has come.
pub(super) enum Checked {
    /// It is in the store already.
    Duplicate(LeafIndex),
    /// Its signature verified under a key of its issuer.
    Authentic {
        /// The statement.
        statement: Box<SignedStatement>,
        /// Its leaf hash, computed here because here is time for it.
        leaf: Digest,
        /// What verified.
        authenticated: Authenticated,
        /// Why it is not sequenced: the table of conflicts has it already.
        conflict: Option<Conflict>,
    },
    /// It is not let in.
    Refused(Refusal),
}

/// What a statement is compared with.
#[derive(Clone)]
pub(super) struct Logged {
    pub(super) store: Arc<dyn LogStore>,
    /// What collided with it.
    pub(super) collided: Collided,
}

/// Judges bytes, duplicate, issuer and signature. Blocks: it reads the store and verifies.
pub(super) fn check(policy: &PolicyState, logged: &Logged, statement: SignedStatement) -> Checked {
    match judge(policy, logged, &statement) {
        Ok(Found::Before(index)) => Checked::Duplicate(index),
        Ok(Found::New(authenticated, conflict)) => {
            let leaf = statement.leaf_hash();
            Checked::Authentic { leaf, statement: Box::new(statement), authenticated, conflict }
        }
        Err(refusal) => Checked::Refused(refusal),
    }
}

enum Found {
    Before(LeafIndex),
    New(Authenticated, Option<Conflict>),
}

fn judge(policy: &PolicyState, logged: &Logged, statement: &SignedStatement) -> Result<Found, Refusal> {
    policy.check_bytes(statement)?;
    let (store, identity) = (logged.store.as_ref(), statement.sig_structure_digest());
    // exact.md §2: "A duplicate is found by Sig_structure before the signature is looked at".
    match find(store, TreeSize::MAX, &StreamKey::of(statement), &identity).map_err(|error| unreadable(&error))? {
        Some(tree::Found::Same(index)) => Ok(Found::Before(index)),
        Some(tree::Found::Other(_)) if logged.collided.has(&identity) => {
            let authenticated = policy.authenticate(statement)?;
            Ok(Found::New(authenticated, conflict(store, statement).map_err(|error| unreadable(&error))?))
        }
        // Another statement at the same place of the same stream is the sequencer's to answer, after everything else was judged, and to keep.
        Some(tree::Found::Other(_)) | None => Ok(Found::New(policy.authenticate(statement)?, None)),
    }
}

/// Says what the stream of a statement expects whose place is taken. It stays taken: the sequencer could say nothing else.
fn conflict(store: &dyn LogStore, statement: &SignedStatement) -> Result<Option<Conflict>, ReadError> {
    let (StreamKey::Position { stream, .. }, Some(position)) = (StreamKey::of(statement), &statement.claims().stream)
    else {
        return Ok(None);
    };
    let head = stream_head(store, TreeSize::MAX, &stream)?;
    let expected = head.map_or(Expected::START, |head| Expected { seq: head.next_seq, prev: head.prev });
    Ok(judge_stream(expected, position).err())
}

fn unreadable(error: &ReadError) -> Refusal {
    tracing::error!(%error, "duplicate table");
    Refusal::unavailable(Unavailable::Read)
}
