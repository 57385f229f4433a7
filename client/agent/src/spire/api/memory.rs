//! What is remembered of what a server had, thing by thing: each change is a note of its own, so that it costs the same however much there is.
//!
//! An id is told of more than once: an agent is banned a second time, an entry is made again under the id of one that was removed. What tells
//! those apart is a generation, which goes on when what bore it has ended, and never back.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::outbox::Note;

/// What a server had, by kind and id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    there: BTreeMap<String, Was>,
    /// Of names that bear nothing any more: the generation of what comes next.
    ended: BTreeMap<String, u64>,
    /// The generation of names that nothing is known of: no lower than that of any which was forgotten.
    floor: u64,
    /// Changes that were not given yet.
    changed: BTreeMap<String, Option<Row>>,
}

/// A thing as it was last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Was {
    #[serde(skip_serializing_if = "crate::json::is_default")]
    pub(super) generation: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) digest: String,
    /// Of an entry.
    #[serde(skip_serializing_if = "crate::json::is_default")]
    pub(super) revision: u64,
    /// Of an entry.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) subject: String,
    /// Of an entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) created_s: Option<u64>,
    /// Of an agent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) banned: bool,
}

/// A note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Row {
    There(Was),
    Ended(u64),
    Floor(u64),
}

impl Memory {
    /// Remembers what notes say.
    ///
    /// # Errors
    ///
    /// The name of a note that is none.
    pub(super) fn recall(&mut self, notes: Vec<Note>) -> Result<(), String> {
        for (name, note) in notes {
            let row = note.as_deref().and_then(|note| serde_json::from_slice(note).ok());
            match row.ok_or_else(|| name.clone())? {
                Row::There(was) => drop(self.there.insert(name, was)),
                Row::Ended(next) => drop(self.ended.insert(name, next)),
                Row::Floor(floor) => self.floor = floor,
            }
        }
        Ok(())
    }

    /// Gives what changed since it was last asked.
    pub(super) fn notes(&mut self) -> Vec<Note> {
        // Text and numbers alone: it can always be written.
        let note = |row: Row| serde_json::to_vec(&row).unwrap_or_default();
        std::mem::take(&mut self.changed).into_iter().map(|(name, row)| (name, row.map(note))).collect()
    }

    /// How many changes were not given yet.
    pub(super) fn changes(&self) -> usize {
        self.changed.len()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Was> {
        self.there.get(name)
    }

    /// The generation of what comes under a name that bears nothing.
    pub(super) fn next(&self, name: &str) -> u64 {
        self.ended.get(name).copied().unwrap_or(self.floor)
    }

    pub(super) fn put(&mut self, name: String, was: Was) {
        self.ended.remove(&name);
        self.changed.insert(name.clone(), Some(Row::There(was.clone())));
        self.there.insert(name, was);
    }

    /// Notes that what a name bears is gone; gives it.
    pub(super) fn end(&mut self, name: &str) -> Option<Was> {
        let was = self.there.remove(name)?;
        let next = was.generation + 1;
        self.ended.insert(name.to_owned(), next);
        self.changed.insert(name.to_owned(), Some(Row::Ended(next)));
        while self.ended.len() > MOST_ENDED {
            let Some((name, next)) = self.ended.pop_first() else { break };
            self.floor = self.floor.max(next);
            self.changed.insert(name, None);
            self.changed.insert(FLOOR.to_owned(), Some(Row::Floor(self.floor)));
        }
        Some(was)
    }

    /// Gives the names of a kind that bear something.
    pub(super) fn names<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        let from = self.there.range::<str, _>((Bound::Included(kind), Bound::Unbounded));
        from.map(|(name, _)| name.as_str()).take_while(move |name| name.starts_with(kind))
    }
}

/// A name that is none of a kind and id.
const FLOOR: &str = "floor";
/// Forgotten they cost nothing but longer ids of what comes.
#[cfg(not(test))]
const MOST_ENDED: usize = 65_536;
#[cfg(test)]
const MOST_ENDED: usize = 8;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn again(notes: &BTreeMap<String, Vec<u8>>) -> Memory {
        let mut memory = Memory::default();
        memory.recall(notes.iter().map(|(name, note)| (name.clone(), Some(note.clone()))).collect()).unwrap();
        memory
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// However many names come and go, in whatever order, and however often the process ends.
        #[test]
        fn no_name_bears_a_generation_twice(steps in prop::collection::vec((0_u8..24, prop::bool::weighted(0.1)), 1..200)) {
            let (mut memory, mut kept, mut borne) = (Memory::default(), BTreeMap::new(), BTreeSet::new());
            for (id, restarts) in steps {
                let name = format!("entry/{id}");
                if memory.end(&name).is_none() {
                    let generation = memory.next(&name);
                    prop_assert!(borne.insert((name.clone(), generation)), "{} {}", name, generation);
                    memory.put(name, Was { generation, ..Was::default() });
                }
                for (name, note) in memory.notes() {
                    match note {
                        Some(note) => drop(kept.insert(name, note)),
                        None => drop(kept.remove(&name)),
                    }
                }
                prop_assert!(memory.ended.len() <= MOST_ENDED);
                if restarts {
                    prop_assert_eq!(&again(&kept), &memory);
                    memory = again(&kept);
                }
            }
        }
    }

    #[test]
    fn a_note_that_is_none_is_named() {
        for note in [Some(b"{".to_vec()), Some(b"{\"there\":{\"x\":1}}".to_vec()), None] {
            assert_eq!(Memory::default().recall(vec![("entry/e".to_owned(), note)]), Err("entry/e".to_owned()));
        }
    }
}
