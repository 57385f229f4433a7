//! How far something was read, and what is remembered of single things in it: kept with what was taken of it, or neither is.

use redb::WriteTransaction;

use super::held::{self, Held};
use super::load::Load;
use super::tables::{NOTES, PLACES};
use super::{Outbox, OutboxError};

/// What is remembered of one thing that is read, by its name; `None`: nothing any more.
pub type Note = (String, Option<Vec<u8>>);

/// How far something was read.
#[derive(Clone, Copy, Debug)]
pub struct HowFar<'a> {
    /// What is read.
    pub of: &'a str,
    /// The place, if it is another: what [`Outbox::place`] gives from then on.
    pub place: Option<&'a [u8]>,
    /// Under which name it is kept what is remembered of single things.
    pub notes_of: &'a str,
    /// What is remembered of single things, as far as that changed: what [`Outbox::notes`] gives from then on.
    pub notes: &'a [Note],
    /// What is held from then on, and what no more: it is an event now, or never was one.
    pub held: &'a [Held],
}

impl HowFar<'_> {
    /// Whether it takes room.
    pub(super) fn holds(&self) -> bool {
        self.held.iter().any(|change| matches!(change, Held::Now { .. }))
    }

    pub(super) fn keep(&self, tx: &WriteTransaction, route: &str, load: &mut Load) -> Result<(), redb::Error> {
        if let Some(place) = self.place {
            tx.open_table(PLACES)?.insert((route, self.of), place)?;
        }
        let mut notes = tx.open_table(NOTES)?;
        for (name, note) in self.notes {
            let key = (route, self.notes_of, name.as_str());
            match note {
                Some(note) => drop(notes.insert(key, note.as_slice())?),
                None => drop(notes.remove(key)?),
            }
        }
        held::keep(tx, route, self.held, load)
    }
}

impl Outbox {
    /// Gives how far a source was read, as it was noted with the last that was taken of it.
    ///
    /// # Errors
    ///
    /// The store is not well.
    pub fn place(&self, route: &str, of: &str) -> Result<Option<Vec<u8>>, OutboxError> {
        self.look(|tx| Ok(tx.open_table(PLACES)?.get((route, of))?.map(|place| place.value().to_vec())))
    }

    /// Gives what is remembered of single things that were read of a source, by their names.
    ///
    /// # Errors
    ///
    /// The store is not well.
    pub fn notes(&self, route: &str, of: &str) -> Result<Vec<Note>, OutboxError> {
        self.look(|tx| {
            let (notes, mut found) = (tx.open_table(NOTES)?, Vec::new());
            for row in notes.range((route, of, "")..)? {
                let (key, bytes) = row?;
                let (row_route, row_of, name) = key.value();
                if (row_route, row_of) != (route, of) {
                    break;
                }
                found.push((name.to_owned(), Some(bytes.value().to_vec())));
            }
            Ok(found)
        })
    }
}
