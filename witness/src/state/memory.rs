//! State in memory, for tests: forgets everything when dropped, and so keeps the durability promise only while it lives.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{OriginHash, StateError, StateStore, Swap};

/// A [`StateStore`] that keeps its notes in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    notes: Mutex<BTreeMap<OriginHash, Arc<[u8]>>>,
}

impl MemoryStore {
    fn notes(&self) -> MutexGuard<'_, BTreeMap<OriginHash, Arc<[u8]>>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for MemoryStore {
    fn load(&self, origin: &OriginHash) -> Result<Option<Arc<[u8]>>, StateError> {
        Ok(self.notes().get(origin).map(Arc::clone))
    }

    fn swap(&self, origin: &OriginHash, expected: Option<&[u8]>, next: &[u8]) -> Result<Swap, StateError> {
        let mut notes = self.notes();
        if notes.get(origin).map(AsRef::as_ref) != expected {
            return Ok(Swap::Stale);
        }
        notes.insert(*origin, next.into());
        Ok(Swap::Done)
    }

    fn origins(&self) -> Vec<OriginHash> {
        self.notes().keys().copied().collect()
    }

    fn troubles(&self) -> Vec<(OriginHash, String)> {
        Vec::new()
    }
}
