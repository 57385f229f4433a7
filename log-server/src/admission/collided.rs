//! Which statements the table of conflicts holds: the sequencer's writer keeps the table, and the door is to know what is in it.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use govlog_formats::digest::Digest;

/// Statements that are kept because they collided with an entry, by their Sig_structure digests. Anybody can read them there, and send them again.
///
/// Cheap to clone; all clones are one. It is bounded as the table is.
#[derive(Clone, Debug, Default)]
pub struct Collided(Arc<RwLock<HashSet<Digest>>>);

impl Collided {
    /// Tells whether a statement is kept.
    pub(crate) fn has(&self, identity: &Digest) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(identity)
    }

    /// Notes one that is kept from now on.
    pub(crate) fn insert(&self, identity: Digest) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(identity);
    }

    /// Notes one that is kept no longer.
    pub(crate) fn remove(&self, identity: &Digest) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(identity);
    }
}
