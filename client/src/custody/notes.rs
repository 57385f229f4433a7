//! The earlier published notes that a custody file takes along: for each entry's tightest upper bound, for lower bounds, and a reader's pin.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::transparent::TransparentStatement;

use super::export::ExportError;
use super::reader::{Read, Reader};
use crate::source::published;

/// How many notes below an entry are looked through for the one that its statement names, page by page.
const WINDOWS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// Notes by their size.
pub(super) struct Notes(BTreeMap<TreeSize, Vec<u8>>);

impl Notes {
    /// Collects the notes of the receipts, those that statements name, and the pinned one.
    pub(super) fn collect(
        reader: &Reader<'_>,
        found: &BTreeMap<LeafIndex, Arc<Read>>,
        pin: Option<&[u8]>,
    ) -> Result<Self, ExportError> {
        let mut notes = Self(BTreeMap::new());
        // Those of the admission policy's entries too, which carry receipts like all others.
        let changes = reader.trust.history().entries().iter().filter_map(|change| reader.known(change.index));
        for read in found.values().cloned().chain(changes) {
            notes.of_receipts(&read.evidence.statement, reader.head.size());
        }
        notes.named(reader, found)?;
        if let Some(pin) = pin {
            notes.pinned(reader, pin)?;
        }
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
    fn named(&mut self, reader: &Reader<'_>, found: &BTreeMap<LeafIndex, Arc<Read>>) -> Result<(), ExportError> {
        let mut known: BTreeMap<Digest, TreeSize> =
            self.0.iter().map(|(size, note)| (Digest::sha256(note), *size)).collect();
        let mut searched: BTreeSet<(u64, u64)> = BTreeSet::new();
        for (index, read) in found {
            let Some(head) = read.statement.claims().head else { continue };
            let mut to = index.get();
            for window in WINDOWS {
                if known.contains_key(&head) || to == 0 {
                    break;
                }
                // By whole thousands, so that neighbours ask for the same.
                let from = (index.get().saturating_sub(window) / 1_000 * 1_000).max(1);
                if searched.insert((from, to / 1_000)) {
                    for note in published(reader.source, TreeSize::new(from), TreeSize::new(to))? {
                        let digest = Digest::sha256(&note.note);
                        known.insert(digest, note.size);
                        if digest == head {
                            self.0.entry(note.size).or_insert(note.note);
                        }
                    }
                }
                to = from.saturating_sub(1);
            }
            if let Some(size) = known.get(&head).filter(|size| !self.0.contains_key(size)) {
                let note = published(reader.source, *size, *size)?.into_iter().find(|note| note.size == *size);
                note.into_iter().for_each(|note| drop(self.0.insert(note.size, note.note)));
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
        if size == newest && verified.checkpoint().root != *reader.head.root() {
            return Err(wrong(format!(
                "split view: of size {size} as the file's checkpoint, and of another root; keep both"
            )));
        }
        if size < newest {
            self.0.entry(size).or_insert_with(|| pin.to_vec());
        }
        Ok(())
    }
}
