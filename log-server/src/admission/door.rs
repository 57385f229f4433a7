//! The part of the judgement that takes time: the duplicate table and the signature.

use govlog_formats::admission::{Authenticated, PolicyState};
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::statement::SignedStatement;

use crate::refusal::{Refusal, Unavailable};
use crate::store::{LogStore, StreamKey};
use crate::tree::{self, find};

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
    },
    /// It is not let in.
    Refused(Refusal),
}

/// Judges bytes, duplicate, issuer and signature. Blocks: it reads the store and verifies.
pub(super) fn check(policy: &PolicyState, store: &dyn LogStore, statement: SignedStatement) -> Checked {
    match judge(policy, store, &statement) {
        Ok(Found::Before(index)) => Checked::Duplicate(index),
        Ok(Found::New(authenticated)) => {
            Checked::Authentic { leaf: statement.leaf_hash(), statement: Box::new(statement), authenticated }
        }
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
    match find(store, TreeSize::MAX, &StreamKey::of(statement), &statement.sig_structure_digest()) {
        Ok(Some(tree::Found::Same(index))) => Ok(Found::Before(index)),
        // Another statement at the same place of the same stream is the sequencer's to answer, after everything else was judged.
        Ok(Some(tree::Found::Other(_)) | None) => Ok(Found::New(policy.authenticate(statement)?)),
        Err(error) => {
            tracing::error!(%error, "duplicate table");
            Err(Refusal::unavailable(Unavailable::Read))
        }
    }
}
