//! The earlier published notes that a custody file takes along: for each entry's tightest upper bound, for lower bounds, and a reader's pin.
//!
//! A file has one note of each size, and there can be several: a log goes on to have its newest size cosigned, and whoever stands before it can
//! leave lines out. Which one is taken follows from the entries of the file alone, in whatever order they and others were read.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::transparent::assemble;

use super::super::file::Evidence;
use super::error::ExportError;
use super::reader::{Read, Reader};
use super::receipts::{Note, consistency};
use crate::source::{each_published, published};

/// How many sizes below an entry are looked through for the note that its statement names, the nearest first.
const WINDOWS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// The most pages of a thousand notes that are read for all of them together.
const MAX_PAGES: usize = 2_000;

/// Entries that were read, by where they stand.
pub(super) type Found = BTreeMap<LeafIndex, Arc<Read>>;

/// Which note of each size is taken, and with it which receipts.
pub(super) struct Notes {
    /// The one that is taken wherever one of its size is.
    best: BTreeMap<TreeSize, Arc<Note>>,
    /// Those below the checkpoint that the file has.
    taken: BTreeMap<TreeSize, Vec<u8>>,
    newest: TreeSize,
}

impl Notes {
    /// Collects the notes of the receipts, the pinned one, and those that statements name, as far as there is `room` for so many.
    pub(super) fn collect(
        reader: &mut Reader<'_>,
        found: &Found,
        changes: &Found,
        pin: Option<&[u8]>,
        room: usize,
    ) -> Result<Self, ExportError> {
        let mut candidates = Candidates::default();
        found.values().chain(changes.values()).for_each(|read| candidates.of_receipts(read));
        candidates.of_list(reader, found, room)?;
        let named: BTreeSet<Digest> = found.values().filter_map(|read| read.statement.claims().head).collect();
        let own = Arc::new(Note::of(reader.head));
        let mut notes = Self { newest: own.size(), best: candidates.best(&named), taken: BTreeMap::new() };
        notes.best.insert(own.size(), own);
        if let Some(pin) = pin {
            notes.pinned(reader, pin)?;
        }
        // Those of the admission policy's entries too, which carry receipts like all others.
        let of_receipts = found.values().chain(changes.values()).filter_map(|read| notes.bounding(read));
        let of_receipts: Vec<TreeSize> = of_receipts.collect();
        let of_heads = notes.best.iter().filter(|(_, note)| named.contains(&note.digest)).map(|(size, _)| *size);
        for size in of_receipts.into_iter().chain(of_heads.collect::<Vec<_>>()) {
            notes.take(size, room);
        }
        Ok(notes)
    }

    /// Those that the file has besides its checkpoint's.
    pub(super) fn into_earlier(self) -> BTreeMap<TreeSize, Vec<u8>> {
        self.taken
    }

    /// An entry with the receipt that the file carries, if any.
    pub(super) fn evidence(&self, read: &Read) -> Evidence {
        let entry = read.statement.entry();
        let receipt = self.receipt(read).and_then(|receipt| assemble(entry, &[receipt]).ok());
        Evidence { statement: receipt.unwrap_or_else(|| entry.to_vec()), path: read.path.clone() }
    }

    /// The one receipt that bounds an entry's time best: more of them add nothing.
    pub(super) fn receipt(&self, read: &Read) -> Option<Vec<u8>> {
        let size = self.bounding(read).filter(|size| *size == self.newest || self.taken.contains_key(size))?;
        let (of_size, note) = (read.receipts.iter().filter(|placed| placed.note.size() == size), self.best.get(&size)?);
        of_size.filter_map(|placed| placed.by(note)).min()
    }

    /// The smallest size of its receipts that a quorum saw, or else the smallest.
    fn bounding(&self, read: &Read) -> Option<TreeSize> {
        let sizes: BTreeSet<TreeSize> = read.receipts.iter().map(|placed| placed.note.size()).collect();
        let is_met = |size: &&TreeSize| self.best.get(size).is_some_and(|note| note.verified.quorum().met());
        sizes.iter().find(is_met).or(sizes.first()).copied()
    }

    fn take(&mut self, size: TreeSize, room: usize) {
        let has_room = size < self.newest && self.taken.len() < room && !self.taken.contains_key(&size);
        if let Some(note) = self.best.get(&size).filter(|_| has_room) {
            self.taken.insert(size, note.bytes.clone());
        }
    }

    /// Takes the note that somebody has seen; where there is another of that size it serves as well.
    fn pinned(&mut self, reader: &Reader<'_>, pin: &[u8]) -> Result<(), ExportError> {
        let wrong = |why: String| ExportError::Pin(why);
        let verified = reader.trust.policy().verify_checkpoint(pin).map_err(|error| wrong(error.to_string()))?;
        let (size, root, newest) = (verified.checkpoint().size, verified.checkpoint().root, self.newest);
        if size > newest {
            return Err(wrong(format!(
                "of size {size}, and the file's checkpoint is of size {newest}: export at a later one"
            )));
        }
        let split = |why: String, other: &[u8]| {
            Err(ExportError::PinSplit { why, note: String::from_utf8_lossy(other).into_owned() })
        };
        match self.best.get(&size) {
            Some(other) if other.verified.checkpoint().root != root => {
                let why = format!("of size {size} as a checkpoint of the log, and of another root ({root})");
                return split(why, &other.bytes);
            }
            Some(_) => self.take(size, usize::MAX),
            None => {
                if let Err(error) = consistency(reader.tree, size, newest)?.verify(&root, reader.head.root()) {
                    let why = format!("the checkpoint of size {newest} does not continue it (root {root}): {error}");
                    return split(why, reader.head.note());
                }
                self.taken.insert(size, pin.to_vec());
            }
        }
        Ok(())
    }
}

/// The notes that there are of each size, by their digests.
#[derive(Default)]
struct Candidates(BTreeMap<TreeSize, BTreeMap<Digest, Arc<Note>>>);

impl Candidates {
    fn add(&mut self, note: Arc<Note>) {
        self.0.entry(note.size()).or_default().insert(note.digest, note);
    }

    fn of_receipts(&mut self, read: &Read) {
        read.receipts.iter().for_each(|placed| self.add(placed.note.clone()));
    }

    /// Finds the notes that statements name by their digest; the sizes are not named, and lie shortly below as a rule.
    fn of_list(&mut self, reader: &mut Reader<'_>, found: &Found, room: usize) -> Result<(), ExportError> {
        let mut known: BTreeMap<Digest, TreeSize> =
            self.0.iter().flat_map(|(size, notes)| notes.keys().map(|digest| (*digest, *size))).collect();
        let (mut searched, mut pages, mut fetched) = (BTreeSet::new(), 0, BTreeSet::new());
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
            let size = known.get(&head).filter(|size| **size < reader.head.size());
            let is_here = size.is_some_and(|size| self.0.get(size).is_some_and(|notes| notes.contains_key(&head)));
            let Some(size) = size.filter(|_| !is_here && fetched.len() < room && fetched.insert(head)) else {
                continue;
            };
            let notes = published(reader.source, *size, *size)?;
            let note = notes.into_iter().find(|note| note.size == *size && Digest::sha256(&note.note) == head);
            // Whoever lists it may list anything: it is judged like all others before a file depends on it.
            if let Some(note) = note
                && let Some(note) = reader.listed(note.size, &note.note)?
            {
                self.add(note);
            }
        }
        Ok(())
    }

    /// Of each size one, whatever was read before the others: of those that a quorum signed one that a statement names, else the one that it signed
    /// first.
    fn best(self, named: &BTreeSet<Digest>) -> BTreeMap<TreeSize, Arc<Note>> {
        let rank = |note: &Arc<Note>| {
            // What no quorum signed has no time.
            let upper = note.verified.upper_time().unwrap_or(u64::MAX);
            let is_named = named.contains(&note.digest) && note.verified.quorum().met();
            (Reverse(is_named), upper, note.bytes.clone())
        };
        let best = |notes: BTreeMap<Digest, Arc<Note>>| notes.into_values().min_by_key(rank);
        self.0.into_iter().filter_map(|(size, notes)| Some((size, best(notes)?))).collect()
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
