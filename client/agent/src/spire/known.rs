//! What is known of the server's entries and keys, shared by the feed that polls it and the feed that reads its log.
//!
//! Nothing is lost with it: it is in memory alone, but for what was told of (`ends`), and what a record takes from it is what the server
//! said under the same id and revision.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::api::{Authority, Entry};
use super::ends::Ends;
use crate::outbox::Note;

/// What is known. One for each configured server.
#[derive(Debug, Default)]
pub struct Known(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// How often the server was asked; `None`: nobody asks.
    polls: Option<u64>,
    /// When it was asked last.
    asked_ms: u64,
    /// Whether its log is read.
    is_logged: bool,
    entries: HashMap<String, Entry>,
    /// Those that are there no more: the log tells of their end later than they are missed.
    gone: HashMap<String, Entry>,
    /// Ids by what an audit line tells of an entry that is made.
    alike: HashMap<(String, String), Vec<String>>,
    ends: Ends,
    /// The authority that signs certificates, and since when that is known.
    x509: Option<(String, u64)>,
}

impl Known {
    /// Of a server that is asked, or that is not, and whose log is read, or is not.
    #[must_use]
    pub fn new(is_polled: bool, is_logged: bool) -> Self {
        Self(Mutex::new(Inner { polls: is_polled.then_some(0), is_logged, ..Inner::default() }))
    }

    /// How often the server was asked; `None`: nobody asks.
    #[must_use]
    pub fn polls(&self) -> Option<u64> {
        self.inner().polls
    }

    /// Notes that it was asked, whatever came of that.
    pub fn asked(&self, now_ms: u64) {
        let mut inner = self.inner();
        inner.asked_ms = now_ms;
        inner.polls = inner.polls.map(|polls| polls + 1);
    }

    /// Takes over what entries there are.
    pub fn entries(&self, entries: &[Entry]) {
        let mut inner = self.inner();
        let there: HashMap<String, Entry> = entries.iter().map(|entry| (entry.id.clone(), entry.clone())).collect();
        let before = std::mem::replace(&mut inner.entries, there);
        if inner.gone.len() > MAX_GONE {
            inner.gone.clear();
        }
        let Inner { entries: there, gone, .. } = &mut *inner;
        gone.extend(before.into_iter().filter(|(id, _)| !there.contains_key(id)));
        inner.alike.clear();
        for entry in entries {
            let likeness = (entry.subject.clone(), entry.parent.clone());
            inner.alike.entry(likeness).or_default().push(entry.id.clone());
        }
    }

    /// Takes over which authority signs certificates.
    pub fn authorities(&self, authorities: &[Authority], now_ms: u64) {
        let active = authorities.iter().find(|found| found.purpose == "x509-svid" && found.op == "active");
        let mut inner = self.inner();
        if let Some(active) = active.filter(|active| inner.x509.as_ref().is_none_or(|(known, _)| *known != active.id)) {
            inner.x509 = Some((active.id.clone(), now_ms));
        }
    }

    /// Finds an entry at a revision.
    #[must_use]
    pub fn entry(&self, id: &str, revision: u64) -> Option<Entry> {
        self.inner().entries.get(id).filter(|entry| entry.revision == revision).cloned()
    }

    /// Finds an entry that was never changed: whatever was issued under it was issued under this.
    #[must_use]
    pub fn only(&self, id: &str) -> Option<Entry> {
        self.entry(id, 0)
    }

    /// Finds an entry as it is, or was last.
    #[must_use]
    pub fn latest(&self, id: &str) -> Option<Entry> {
        let inner = self.inner();
        inner.entries.get(id).or_else(|| inner.gone.get(id)).cloned()
    }

    /// Finds whom an entry is for, or was.
    #[must_use]
    pub fn subject(&self, id: &str) -> Option<String> {
        self.latest(id).map(|entry| entry.subject)
    }

    /// Finds the entry that a line tells to be made: SPIRE lets no two have the same subject, parent and selectors at a time.
    #[must_use]
    pub fn made(&self, subject: &str, parent: &str, selectors: &str, at_ms: u64) -> Option<Entry> {
        let inner = self.inner();
        let alike = inner.alike.get(&(subject.to_owned(), parent.to_owned()))?;
        let mut found = alike.iter().filter_map(|id| inner.entries.get(id)).filter(|entry| {
            entry.created_s.is_some_and(|created| at_ms.abs_diff(created.saturating_mul(1000)) <= MADE_WITHIN_MS)
                && entry.has_selectors(selectors)
        });
        let first = found.next()?;
        found.next().is_none().then(|| first.clone())
    }

    /// The authority that signs certificates at a time, if that was known before it.
    #[must_use]
    pub fn x509_at(&self, at_ms: u64) -> Option<String> {
        self.inner().x509.as_ref().filter(|(_, since)| *since <= at_ms).map(|(id, _)| id.clone())
    }

    /// Whether the server's log is read.
    #[must_use]
    pub fn is_logged(&self) -> bool {
        self.inner().is_logged
    }

    /// Takes that a line tells of an end or a ban; says whether that was found, and told of, before it.
    #[must_use]
    pub fn line_tells(&self, name: &str, at_ms: Option<u64>) -> bool {
        let mut inner = self.inner();
        inner.polls.is_some() && inner.ends.line(name, at_ms)
    }

    /// Takes that an end or a ban was found, and is told of.
    pub fn poll_tells(&self, name: &str) {
        let mut inner = self.inner();
        if inner.is_logged {
            let asked_ms = inner.asked_ms;
            inner.ends.poll(name, asked_ms);
        }
    }

    /// Whether the log told of an end or a ban that was not found yet.
    #[must_use]
    pub fn is_told(&self, name: &str) -> bool {
        self.inner().ends.is_told(name)
    }

    /// Whether the log told of the end or the ban that is found now: no later one is found told by it.
    #[must_use]
    pub fn finds_told(&self, name: &str) -> bool {
        self.inner().ends.finds_told(name)
    }

    /// Notes that all of a kind is listed again.
    pub fn listed(&self, kind: &str) {
        self.inner().ends.listed(kind);
    }

    /// Takes from notes what an earlier process was told of; gives the others.
    ///
    /// # Errors
    ///
    /// The name of a note that is none.
    pub fn recall(&self, notes: Vec<Note>) -> Result<Vec<Note>, String> {
        let (told, others) = notes.into_iter().partition(|(name, _)| Ends::is_note(name));
        self.inner().ends.recall(told)?;
        Ok(others)
    }

    /// Gives what is to be noted with what the log tells.
    #[must_use]
    pub fn notes_of_lines(&self) -> Vec<Note> {
        self.inner().ends.notes_of_lines()
    }

    /// Gives what is to be noted with what was found.
    #[must_use]
    pub fn notes_of_polls(&self) -> Vec<Note> {
        self.inner().ends.notes_of_polls()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each change leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// SPIRE notes when an entry was made in whole seconds, and the line comes behind it.
const MADE_WITHIN_MS: u64 = 2_000;
/// More than are removed between two polls.
const MAX_GONE: usize = 65_536;
