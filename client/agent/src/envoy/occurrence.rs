//! How often a line stood in the log before, byte for byte.
//!
//! Two requests may write the same bytes: the same caller, id and path in the same millisecond. Each is an effect of its own, and the same two
//! again after a crash are the same two. So lines are counted as they are read, and the counts are kept with the place at which to go on.
//! They depend on nothing but the lines: whoever reads the same log from its beginning counts the same, wherever it was cut and rotated.
//!
//! Not for ever: of the last [`DISTINCT`] different lines at least. A line has the time of its request, so the same bytes do not come later.

use std::collections::HashMap;

use govlog_formats::digest::Digest;

use crate::outbox::Note;

/// What was counted: the younger half, and the older.
#[derive(Debug, Default)]
pub(super) struct Occurrences {
    generation: u32,
    young: HashMap<Name, u32>,
    old: HashMap<Name, u32>,
}

/// The first half of a line's digest.
type Name = u128;

impl Occurrences {
    /// Goes on with what was kept; `None`: it is nothing that was noted here.
    pub(super) fn recalled(notes: &[Note]) -> Option<Self> {
        let rows: Vec<(Name, u32, u32)> = notes.iter().map(row).collect::<Option<_>>()?;
        let generation = rows.iter().map(|(_, generation, _)| *generation).max().unwrap_or(0);
        let mut recalled = Self { generation, ..Self::default() };
        for (name, of, count) in rows {
            let half = if of == generation { &mut recalled.young } else { &mut recalled.old };
            half.insert(name, count);
        }
        Some(recalled)
    }

    /// Counts a line; says how often it came before. What is to be kept of that is added to the notes.
    pub(super) fn count(&mut self, line: &Digest, notes: &mut Vec<Note>) -> u32 {
        let name = line.as_bytes().iter().take(16).fold(0, |name, byte| (name << 8) | Name::from(*byte));
        let before = self.young.get(&name).copied().or_else(|| self.old.remove(&name)).unwrap_or(0);
        if self.young.len() >= DISTINCT && !self.young.contains_key(&name) {
            notes.extend(self.old.drain().map(|(name, _)| gone(name)));
            self.old = std::mem::take(&mut self.young);
            self.generation = self.generation.wrapping_add(1);
        }
        let count = before.saturating_add(1);
        self.young.insert(name, count);
        let value = [self.generation.to_be_bytes(), count.to_be_bytes()].concat();
        notes.push((named(name), Some(value)));
        before
    }

    /// Begins anew, where it is not known any more what was read: the same file may be read again from its beginning.
    pub(super) fn clear(&mut self, notes: &mut Vec<Note>) {
        notes.extend(self.young.drain().chain(self.old.drain()).map(|(name, _)| gone(name)));
    }
}

fn gone(name: Name) -> Note {
    (named(name), None)
}

fn named(name: Name) -> String {
    format!("{name:032x}")
}

fn row((name, value): &Note) -> Option<(Name, u32, u32)> {
    let (generation, count) = value.as_ref()?.split_first_chunk()?;
    let count = u32::from_be_bytes(count.try_into().ok()?);
    Some((Name::from_str_radix(name, 16).ok()?, u32::from_be_bytes(*generation), count))
}

/// Of how many different lines it is known that they came before, at least. In tests few, so that some are forgotten.
const DISTINCT: usize = if cfg!(test) { 8 } else { 16_384 };

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However often a process ends in between, lines get the same numbers, and no more is kept than is said.
        #[test]
        fn a_restart_changes_no_count(lines in prop::collection::vec(0u8..24, 0..200), restarts in prop::collection::vec(any::<bool>(), 200)) {
            let (mut whole, mut cut, mut kept) = (Occurrences::default(), Occurrences::default(), BTreeMap::new());
            for (line, restart) in lines.iter().zip(restarts) {
                let digest = Digest::sha256(&[*line]);
                let mut notes = Vec::new();
                prop_assert_eq!(whole.count(&digest, &mut Vec::new()), cut.count(&digest, &mut notes));
                for (key, value) in notes {
                    match value {
                        Some(value) => drop(kept.insert(key, value)),
                        None => drop(kept.remove(&key)),
                    }
                }
                prop_assert!(kept.len() <= 2 * DISTINCT);
                if restart {
                    let note = |(key, value): (&String, &Vec<u8>)| (key.clone(), Some(value.clone()));
                    cut = Occurrences::recalled(&kept.iter().map(note).collect::<Vec<_>>()).unwrap();
                }
            }
        }

        /// Among the last lines none is forgotten.
        #[test]
        fn what_came_of_late_is_counted(lines in prop::collection::vec(0..u8::try_from(DISTINCT).unwrap(), 0..100)) {
            let (mut found, mut model) = (Occurrences::default(), BTreeMap::<u8, u32>::new());
            for line in lines {
                let before = model.entry(line).or_default();
                prop_assert_eq!(found.count(&Digest::sha256(&[line]), &mut Vec::new()), *before);
                *before += 1;
            }
        }
    }

    #[test]
    fn beginning_anew_takes_away_all_that_is_kept() {
        let (mut found, mut notes) = (Occurrences::default(), Vec::new());
        let line = Digest::sha256(b"line");
        assert_eq!((found.count(&line, &mut notes), found.count(&line, &mut notes)), (0, 1));
        notes.clear();
        found.clear(&mut notes);
        assert_eq!(notes, [(line.to_string()[..32].to_owned(), None)]);
        assert!(Occurrences::recalled(&[("x".to_owned(), Some(vec![0; 8]))]).is_none(), "another wrote it");
        assert_eq!(found.count(&line, &mut notes), 0);
    }
}
