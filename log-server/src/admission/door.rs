//! The part of the judgement that takes time: the duplicate table and the signature.

use govlog_formats::admission::{Authenticated, PolicyState};
use govlog_formats::merkle::LeafIndex;
use govlog_formats::statement::SignedStatement;

use crate::refusal::{Refusal, Unavailable};
use crate::store::{LogStore, StoreError, StreamKey};

/// How far the judgement of a statement has come.
pub(super) enum Checked {
    /// It is in the store already.
    Duplicate(LeafIndex),
    /// Its signature verified under a key of its issuer.
    Authentic(Box<SignedStatement>, Authenticated),
    /// It is not let in.
    Refused(Refusal),
}

/// Judges bytes, duplicate, issuer and signature. Blocks: it reads the store and verifies.
pub(super) fn check(policy: &PolicyState, store: &dyn LogStore, statement: SignedStatement) -> Checked {
    match judge(policy, store, &statement) {
        Ok(Found::Before(index)) => Checked::Duplicate(index),
        Ok(Found::New(authenticated)) => Checked::Authentic(Box::new(statement), authenticated),
        Err(refusal) => Checked::Refused(refusal),
    }
}

enum Found {
    Before(LeafIndex),
    New(Authenticated),
}

fn judge(policy: &PolicyState, store: &dyn LogStore, statement: &SignedStatement) -> Result<Found, Refusal> {
    policy.check_bytes(statement)?;
    // exact.md §2: "A duplicate is found by Sig_structure before the signature is looked at".
    let before = find_duplicate(store, statement).map_err(|error| {
        tracing::error!(%error, "duplicate table");
        Refusal::unavailable(Unavailable::Read)
    })?;
    if let Some(index) = before {
        return Ok(Found::Before(index));
    }
    Ok(Found::New(policy.authenticate(statement)?))
}

/// Looks for an entry with the same Sig_structure. DESIGN §6: "the stored bytes are re-read and compared".
///
/// Another statement at the same place of the same stream is none: that is the sequencer's to answer, after everything else was judged.
fn find_duplicate(store: &dyn LogStore, statement: &SignedStatement) -> Result<Option<LeafIndex>, LookupError> {
    let Some(index) = store.find(&StreamKey::of(statement))? else {
        return Ok(None);
    };
    let entry = store.entry(index)?.ok_or(LookupError::Missing(index))?;
    let logged = SignedStatement::parse(&entry).map_err(|error| LookupError::Unreadable(index, error.to_string()))?;
    let same = logged.sig_structure_digest() == statement.sig_structure_digest();
    Ok(same.then_some(index))
}

/// How the duplicate table can contradict itself.
#[derive(Debug, thiserror::Error)]
enum LookupError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("entry {0} is named by the duplicate table and is not there")]
    Missing(LeafIndex),
    #[error("entry {0} can not be read: {1}")]
    Unreadable(LeafIndex, String),
}
