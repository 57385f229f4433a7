//! Which ends and bans were told of: the log tells of each, and what the server has shows each as well. Whoever comes second finds it told.
//!
//! What is found told is noted with what told it, and noted no more with what found it so: the process may end between the two, and either may be
//! far behind the other. What a line told and no listing shows is forgotten after some. What was found waits for its line however long: the log
//! may be far behind. Where there are too many, as where the server writes no audit log, the one that has waited for longest is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::outbox::Note;

/// Ends of entries and bans of agents, by kind and id.
#[derive(Debug, Default)]
pub(super) struct Ends {
    marks: Marks,
    /// What is to be noted with what the log tells, and was not given yet.
    by_line: Changes,
    /// The same, of what was found.
    by_poll: Changes,
}

/// What is known of each.
#[derive(Debug, Default)]
struct Marks {
    by_name: BTreeMap<String, Mark>,
    /// Those that were found, in the order of their times.
    found: BTreeSet<(u64, String)>,
}

type Changes = BTreeMap<String, Option<Mark>>;

/// Who told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Mark {
    /// A line.
    Line {
        /// How often was listed since what it would be missing in.
        #[serde(skip)]
        listings: u8,
    },
    /// What was found. A line of a later time is about another.
    Poll { until_ms: u64 },
}

impl Ends {
    /// Whether a note is one of these.
    pub(super) fn is_note(name: &str) -> bool {
        name.starts_with(NOTE)
    }

    /// Remembers what notes say.
    ///
    /// # Errors
    ///
    /// The name of a note that is none.
    pub(super) fn recall(&mut self, notes: Vec<Note>) -> Result<(), String> {
        for (name, note) in notes {
            let mark = note.as_deref().and_then(|note| serde_json::from_slice(note).ok());
            let of = name.strip_prefix(NOTE).map(str::to_owned);
            let (of, mark) = of.zip(mark).ok_or(name)?;
            self.marks.put(&of, Some(mark));
        }
        Ok(())
    }

    /// Takes what a line tells; says whether that was told of already.
    pub(super) fn line(&mut self, name: &str, at_ms: Option<u64>) -> bool {
        let is_told = match self.marks.by_name.get(name) {
            Some(Mark::Poll { until_ms }) => at_ms.is_none_or(|at_ms| at_ms <= *until_ms),
            _ => false,
        };
        let mark = (!is_told).then_some(Mark::Line { listings: 0 });
        self.marks.set(&mut self.by_line, name, mark);
        is_told
    }

    /// Takes what was found and is told of.
    pub(super) fn poll(&mut self, name: &str, now_ms: u64) {
        let mark = Mark::Poll { until_ms: now_ms.saturating_add(WITHIN_MS) };
        self.marks.set(&mut self.by_poll, name, Some(mark));
    }

    /// Whether a line told of it.
    pub(super) fn is_told(&self, name: &str) -> bool {
        matches!(self.marks.by_name.get(name), Some(Mark::Line { .. }))
    }

    /// Whether a line told of what was found now; the next is another.
    pub(super) fn finds_told(&mut self, name: &str) -> bool {
        let is_told = self.is_told(name);
        if is_told {
            self.marks.set(&mut self.by_poll, name, None);
        }
        is_told
    }

    /// Notes that all of a kind is listed again. What was being asked for when a line was read may have been answered before it; in what was asked
    /// for behind that it was found told, or it was never known to be there.
    pub(super) fn listed(&mut self, kind: &str) {
        let mut over = Vec::new();
        let of_kind = self.marks.by_name.range_mut(kind.to_owned()..).take_while(|(name, _)| name.starts_with(kind));
        for (name, mark) in of_kind {
            if let Mark::Line { listings } = mark {
                *listings = listings.saturating_add(1);
                if *listings > LISTINGS && over.len() < AT_ONCE {
                    over.push(name.clone());
                }
            }
        }
        for name in over {
            self.marks.set(&mut self.by_poll, &name, None);
        }
    }

    /// Gives what is to be noted with what the log tells.
    pub(super) fn notes_of_lines(&mut self) -> Vec<Note> {
        notes(&mut self.by_line)
    }

    /// Gives what is to be noted with what was found.
    pub(super) fn notes_of_polls(&mut self) -> Vec<Note> {
        notes(&mut self.by_poll)
    }
}

impl Marks {
    fn set(&mut self, changes: &mut Changes, name: &str, mark: Option<Mark>) {
        self.put(name, mark);
        changes.insert(name.to_owned(), mark);
        while self.by_name.len() > MOST {
            let Some(over) = self.least_but(name) else { break };
            self.put(&over, None);
            changes.insert(over, None);
        }
    }

    fn put(&mut self, name: &str, mark: Option<Mark>) {
        let was = match mark {
            Some(mark) => self.by_name.insert(name.to_owned(), mark),
            None => self.by_name.remove(name),
        };
        if let Some(Mark::Poll { until_ms }) = was {
            self.found.remove(&(until_ms, name.to_owned()));
        }
        if let Some(Mark::Poll { until_ms }) = mark {
            self.found.insert((until_ms, name.to_owned()));
        }
    }

    /// Which goes first where there are too many: what was found first. Those that lines told are forgotten by themselves.
    fn least_but(&self, name: &str) -> Option<String> {
        let found = self.found.iter().map(|(_, found)| found);
        found.chain(self.by_name.keys()).find(|other| *other != name).cloned()
    }
}

fn notes(changes: &mut Changes) -> Vec<Note> {
    // Text and numbers alone: it can always be written.
    let note = |mark: Mark| serde_json::to_vec(&mark).unwrap_or_default();
    std::mem::take(changes).into_iter().map(|(name, mark)| (format!("{NOTE}{name}"), mark.map(note))).collect()
}

/// What these notes are called, beside those of what is there.
const NOTE: &str = "told/";
/// The line is written when it happens, and the server answers a moment after it is asked.
const WITHIN_MS: u64 = 60_000;
const LISTINGS: u8 = 2;
/// What goes into one write.
const AT_ONCE: usize = 500;
/// More than end between two polls. In tests few.
const MOST: usize = if cfg!(test) { 8 } else { 65_536 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_a_line_told_is_found_told_once_and_forgotten_where_it_never_was() {
        let mut ends = Ends::default();
        assert!(!ends.line("entry/a", None) && !ends.line("entry/b", None) && !ends.line("agent/a", None));
        assert!(ends.finds_told("entry/a") && !ends.finds_told("entry/a"));
        ends.listed("entry/");
        ends.listed("entry/");
        assert!(ends.is_told("entry/b"));
        ends.listed("entry/");
        assert!(!ends.is_told("entry/b") && ends.is_told("agent/a"));
        let names = |notes: Vec<Note>| notes.into_iter().map(|(name, note)| (name, note.is_some())).collect::<Vec<_>>();
        let of =
            |names: &[&str], is_some| names.iter().map(|name| (format!("told/{name}"), is_some)).collect::<Vec<_>>();
        assert_eq!(names(ends.notes_of_lines()), of(&["agent/a", "entry/a", "entry/b"], true));
        assert_eq!(names(ends.notes_of_polls()), of(&["entry/a", "entry/b"], false));
        assert_eq!((ends.notes_of_lines(), ends.notes_of_polls()), (vec![], vec![]));
    }

    #[test]
    fn a_line_finds_told_what_was_found_before_it_and_no_later_one() {
        let mut ends = Ends::default();
        ends.poll("agent/a", 1_000_000);
        ends.poll("agent/b", 1_000_000);
        assert!(!ends.is_told("agent/a"), "by no line");
        assert!(ends.line("agent/a", Some(900_000)) && !ends.line("agent/a", Some(950_000)));
        let mut next = Ends::default();
        next.recall(ends.notes_of_polls()).unwrap();
        assert!(!next.line("agent/b", Some(1_100_000)), "another");
        let damaged = vec![("told/agent/a".to_owned(), Some(b"{".to_vec()))];
        assert_eq!(next.recall(damaged), Err("told/agent/a".to_owned()));
    }

    #[test]
    fn where_there_are_too_many_what_was_found_first_goes_and_nothing_else() {
        let mut ends = Ends::default();
        // By name the first, and the only one that a line told.
        ends.line("agent/a", None);
        for number in 0..MOST {
            ends.poll(&format!("entry/{}", MOST - number), 1_000 * number as u64);
        }
        let first = format!("told/entry/{MOST}");
        assert_eq!(
            ends.notes_of_polls().iter().filter(|(_, note)| note.is_none()).collect::<Vec<_>>(),
            [&(first, None)]
        );
        // Another process knows which is the first of them.
        let mut next = Ends::default();
        for (name, mark) in &ends.marks.by_name {
            next.recall(vec![(format!("told/{name}"), Some(serde_json::to_vec(mark).unwrap()))]).unwrap();
        }
        for ends in [&mut ends, &mut next] {
            ends.poll("agent/0", 1_000_000);
            let gone = format!("entry/{}", MOST - 1);
            assert_eq!((ends.marks.by_name.len(), ends.marks.by_name.contains_key(&gone)), (MOST, false));
            assert!(ends.is_told("agent/a") && ends.line("agent/0", Some(1_000_000)), "what was found last");
            assert_eq!(ends.marks.found.len(), MOST - 2);
        }
    }

    #[test]
    fn among_very_many_lines_what_was_just_found_stays() {
        let mut ends = Ends::default();
        for number in 0..MOST {
            ends.line(&format!("entry/{number}"), None);
        }
        ends.poll("agent/a", 1_000_000);
        assert!(ends.line("agent/a", Some(900_000)));
    }
}
