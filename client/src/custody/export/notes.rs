//! The earlier published notes that a custody file takes along: for each entry's tightest upper bound, for lower bounds, and a reader's pin.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::transparent::TransparentStatement;

use super::error::ExportError;
use super::reader::{Read, Reader};
use crate::source::{each_published, published};

/// How many sizes below an entry are looked through for the note that its statement names, the nearest first.
const WINDOWS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// The most pages of a thousand notes that are read for all of them together.
const MAX_PAGES: usize = 2_000;

/// Notes by their size.
pub(super) struct Notes(BTreeMap<TreeSize, Vec<u8>>);

impl Notes {
    /// Collects the notes of the receipts, the pinned one, and as far as there is `room` for so many in all, those that statements name.
    pub(super) fn collect(
        reader: &mut Reader<'_>,
        found: &BTreeMap<LeafIndex, Arc<Read>>,
        pin: Option<&[u8]>,
        room: usize,
    ) -> Result<Self, ExportError> {
        let mut notes = Self(BTreeMap::new());
        // Those of the admission policy's entries too, which carry receipts like all others.
        let changes = reader.trust.history().entries().iter().filter_map(|change| reader.known(change.index));
        for read in found.values().cloned().chain(changes) {
            notes.of_receipts(&read.evidence.statement, reader.head.size());
        }
        if let Some(pin) = pin {
            notes.pinned(reader, pin)?;
        }
        notes.named(reader, found, room)?;
        Ok(notes)
    }

    pub(super) fn into_inner(self) -> BTreeMap<TreeSize, Vec<u8>> {
        self.0
    }

    fn of_receipts(&mut self, statement: &[u8], newest: TreeSize) {
        let Ok(transparent) = TransparentStatement::parse(statement) else { return };
        for receipt in transparent.receipts().iter().filter_map(|attached| attached.parse().ok()) {
            if receipt.size() < newest {
                self.0.entry(receipt.size()).or_insert_with(|| receipt.note().to_vec());
            }
        }
    }

    /// Finds the notes that statements name by their digest; the sizes are not named, and lie shortly below as a rule.
    fn named(
        &mut self,
        reader: &mut Reader<'_>,
        found: &BTreeMap<LeafIndex, Arc<Read>>,
        room: usize,
    ) -> Result<(), ExportError> {
        let mut known: BTreeMap<Digest, TreeSize> =
            self.0.iter().map(|(size, note)| (Digest::sha256(note), *size)).collect();
        let (mut searched, mut pages) = (BTreeSet::new(), 0);
        for (index, read) in found {
            let Some(head) = read.statement.claims().head else { continue };
            for (from, to) in spans(*index) {
                if known.contains_key(&head) || pages >= MAX_PAGES {
                    break;
                }
                if searched.insert((from, to)) {
                    let to = TreeSize::new(to).min(reader.head.size());
                    pages += each_published(reader.source, TreeSize::new(from), to, MAX_PAGES - pages, &mut |note| {
                        known.insert(Digest::sha256(&note.note), note.size);
                    })?;
                }
            }
            let size = known.get(&head).filter(|size| !self.0.contains_key(size) && **size < reader.head.size());
            if let Some(size) = size.filter(|_| self.0.len() < room) {
                let notes = published(reader.source, *size, *size)?;
                let note = notes.into_iter().find(|note| note.size == *size && Digest::sha256(&note.note) == head);
                // Whoever lists it may list anything: it is judged like all others before a file depends on it.
                if let Some(note) = note
                    && reader.takes(note.size, &note.note)?
                {
                    self.0.insert(note.size, note.note);
                }
            }
        }
        Ok(())
    }

    /// Takes the note that somebody has seen; where the file has another of that size it serves as well.
    fn pinned(&mut self, reader: &Reader<'_>, pin: &[u8]) -> Result<(), ExportError> {
        let wrong = |why: String| ExportError::Pin(why);
        let verified = reader.trust.policy().verify_checkpoint(pin).map_err(|error| wrong(error.to_string()))?;
        let (size, newest) = (verified.checkpoint().size, reader.head.size());
        if size > newest {
            return Err(wrong(format!(
                "of size {size}, and the file's checkpoint is of size {newest}: export at a later one"
            )));
        }
        let known = self.0.get(&size).and_then(|note| reader.trust.policy().verify_checkpoint(note).ok());
        let known = if size == newest { Some(reader.head.verified().clone()) } else { known };
        if known.is_some_and(|known| known.checkpoint().root != verified.checkpoint().root) {
            return Err(wrong(format!(
                "split view: of size {size} as a checkpoint of the file, and of another root; keep both"
            )));
        }
        if size < newest {
            self.0.entry(size).or_insert_with(|| pin.to_vec());
        }
        Ok(())
    }
}

/// The sizes in which the note that an entry names is looked for, the nearest first: by whole thousands, so that neighbours ask for the same.
fn spans(index: LeafIndex) -> Vec<(u64, u64)> {
    let top = (index.get() / 1_000 * 1_000).saturating_add(999);
    let mut next = Some(top);
    let span = |window: u64| {
        let to = next?;
        let from = (index.get().saturating_sub(window) / 1_000 * 1_000).max(1);
        next = Some(from - 1).filter(|to| *to > 0);
        Some((from, to))
    };
    WINDOWS.into_iter().map_while(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_look_through_the_same_sizes_which_end_above_both_and_leave_none_out() {
        let of = |index| spans(LeafIndex::new(index));
        assert_eq!(of(0), [(1, 999)]);
        assert_eq!(of(1_500), [(1, 1_999)]);
        assert_eq!(of(5_100), of(5_900), "what one has read, the other need not");
        assert_eq!(of(25_900), [(24_000, 25_999), (15_000, 23_999), (1, 14_999)]);
        assert_eq!(of(5_000_000).last(), Some(&(4_000_000, 4_899_999)));
    }
}
