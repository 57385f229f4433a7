//! What a log serves wrongly, told in few lines: whoever lies can do so without end.

use std::collections::BTreeSet;

use govlog_formats::digest::Digest;

/// How something lies, and the note that proves it to others: whoever asks the log again may be given another.
#[derive(Clone, Debug)]
pub(super) struct Lie {
    pub(super) why: String,
    pub(super) note: Option<Vec<u8>>,
}

impl From<String> for Lie {
    fn from(why: String) -> Self {
        Self { why, note: None }
    }
}

/// What is wrong, in the order in which it was found.
#[derive(Debug, Default)]
pub(crate) struct Wrong {
    lines: Vec<String>,
    /// How much more there was than is told.
    untold: usize,
    /// The notes that the lines have, by their digests.
    notes: BTreeSet<Digest>,
}

impl Wrong {
    /// Tells it, unless it was told already.
    pub(super) fn push(&mut self, line: String) {
        if self.lines.len() == MOST_LINES {
            self.untold += 1;
        } else if !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }

    /// Tells how something lies: of several lies the first that can be proved to others.
    pub(super) fn lies(&mut self, what: &str, lies: &[Lie]) {
        let Some(told) = lies.iter().find(|lie| lie.note.is_some()).or(lies.first()) else { return };
        let more = lies.len() - 1;
        let more = if more == 0 { String::new() } else { format!("; and {more} more") };
        let note = told.note.as_deref().map(|note| self.note(note)).unwrap_or_default();
        self.push(format!("{what} lies: {}{more}{note}", told.why));
    }

    /// A note is evidence, and told once.
    fn note(&mut self, note: &[u8]) -> String {
        let digest = Digest::sha256(note);
        if self.lines.len() < MOST_LINES && self.notes.insert(digest) {
            format!("; the other note:\n{}", String::from_utf8_lossy(note))
        } else {
            format!("; the other note was told already: sha256 {digest}")
        }
    }

    /// All that was found so far.
    pub(crate) fn take(&mut self) -> Vec<String> {
        let Self { mut lines, untold, .. } = std::mem::take(self);
        if untold > 0 {
            lines.push(format!("and {untold} more that the log serves wrongly, not told one by one"));
        }
        lines
    }
}

/// So many lines are told; a note has up to 128 KiB.
const MOST_LINES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn split(note: &[u8]) -> Lie {
        Lie { why: "split view".to_owned(), note: Some(note.to_vec()) }
    }

    #[test]
    fn a_lie_that_can_be_proved_is_told_before_others_and_its_note_once() {
        let mut wrong = Wrong::default();
        wrong.lies("a", &[]);
        wrong.lies("a", &["one".to_owned().into(), split(b"first\n"), split(b"second\n")]);
        wrong.lies("b", &[split(b"first\n")]);
        wrong.lies("c", &[split(b"second\n")]);
        let told = wrong.take();
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(told[0], "a lies: split view; and 2 more; the other note:\nfirst\n");
        assert!(told[1].ends_with(&format!("was told already: sha256 {}", Digest::sha256(b"first\n"))), "{told:?}");
        assert!(told[2].ends_with("the other note:\nsecond\n"), "{told:?}");
        assert!(wrong.take().is_empty());
    }

    #[test]
    fn of_lies_without_end_the_first_are_told_and_how_many_there_were() {
        let mut wrong = Wrong::default();
        (0..1000).for_each(|at| wrong.lies(&format!("1.{at}: its receipt"), &["x".to_owned().into()]));
        (0..10).for_each(|_| wrong.push("the same".to_owned()));
        let told = wrong.take();
        assert_eq!(told.len(), MOST_LINES + 1);
        assert!(told[MOST_LINES].starts_with("and 910 more"), "{}", told[MOST_LINES]);
        (0..10).for_each(|_| wrong.push("the same".to_owned()));
        assert_eq!(wrong.take(), ["the same"]);
    }
}
