//! From a filter to entries: postings are intersected, and what they lead to is read from the store and judged.

use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::search::{Filter, Marks};
use govlog_formats::statement::SignedStatement;

use super::fault::Fault;
use super::rows::{BLOCK, Posting, Segment, Span};
use super::segments::{Lists, Segments};
use super::shared::Shared;
use crate::blocking::NotDone;
use crate::store::StoreError;

/// Some of the entries that a filter asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Where they are, ascending.
    pub(crate) found: Vec<LeafIndex>,
    /// Where the next page begins; `None`: there are no more.
    pub(crate) next: Option<u64>,
}

/// Why a search is not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SearchError {
    /// Too much waits already.
    #[error(transparent)]
    NotDone(#[from] NotDone),
    /// The index is being built.
    #[error("the index is being built")]
    NotReady,
    /// The entries could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Finds a page of entries from index `from` on, below `end`. Blocks on the store.
///
/// # Errors
/// [`SearchError`]; what is wrong with the index itself is reported to the thread that keeps it.
pub(super) fn page(shared: &Shared, filter: &Filter, from: u64, end: u64, limit: usize) -> Result<Page, SearchError> {
    page_for(Effort::default(), shared, filter, from, end, limit)
}

/// As [`page`], for so much at most.
pub(super) fn page_for(
    effort: Effort,
    shared: &Shared,
    filter: &Filter,
    from: u64,
    end: u64,
    limit: usize,
) -> Result<Page, SearchError> {
    let postings = filter.terms().iter().map(Posting::of).collect();
    let mut walk = Walk { shared, filter, postings, at: from, end, limit, found: Vec::new(), effort };
    match walk.run() {
        Ok(()) => Ok(Page { next: (walk.at < end).then_some(walk.at), found: walk.found }),
        Err(Stop::NotReady) => Err(SearchError::NotReady),
        Err(Stop::Fault(Fault::Store(error))) => Err(error.into()),
        Err(Stop::Fault(fault)) => {
            tracing::warn!(%fault, "a search found the index wrong");
            shared.report(fault);
            Err(SearchError::NotReady)
        }
    }
}

/// What one page may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// How many more entries may be read.
    pub(super) looks: usize,
    /// How many more lists of segments may be visited.
    pub(super) visits: usize,
}

impl Default for Effort {
    /// Entries: some tenths of a second. Lists: millions of entries of a log in which all terms are common, and never together.
    fn default() -> Self {
        Self { looks: 4096, visits: 2048 }
    }
}

/// Why a walk ended early.
enum Stop {
    NotReady,
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

/// A walk through the index: everything before `at` is answered for.
struct Walk<'a> {
    shared: &'a Shared,
    filter: &'a Filter,
    postings: Vec<Posting>,
    at: u64,
    end: u64,
    limit: usize,
    found: Vec<LeafIndex>,
    effort: Effort,
}

impl Walk<'_> {
    fn run(&mut self) -> Result<(), Stop> {
        while self.at < self.end && !self.is_spent() {
            let state = self.shared.read();
            let (base, tail_end) = (state.tail.base(), state.tail.end());
            if self.at < base {
                let segments = state.segments.clone().ok_or(Stop::NotReady)?;
                let listed = std::sync::Arc::clone(&state.listed);
                drop(state);
                self.segments(&segments, &listed, base)?;
            } else {
                // What is not yet in the index can not be answered for; the caller asked for less.
                if tail_end < self.end || state.segments.is_none() {
                    return Err(Stop::NotReady);
                }
                let offsets = if state.tail.overlaps(self.filter) {
                    let lists = self.postings.iter().map(|posting| state.tail.offsets(*posting)).collect();
                    self.candidates(base, tail_end, lists, state.tail.blocks())
                } else {
                    Vec::new()
                };
                drop(state);
                self.judge(base, &offsets, tail_end)?;
            }
        }
        Ok(())
    }

    fn is_spent(&self) -> bool {
        self.is_full() || self.effort.visits == 0
    }

    /// Whether no more entries may be looked at; a segment that was visited is gone through until then.
    fn is_full(&self) -> bool {
        self.found.len() >= self.limit || self.effort.looks == 0
    }

    /// Goes through the written segments up to the tail's base. One of another time costs nothing: its span is in memory.
    fn segments(&mut self, segments: &Segments, listed: &[Segment], base: u64) -> Result<(), Stop> {
        let mut lists: Vec<Lists<'_>> = self.postings.iter().map(|posting| segments.lists(*posting, base)).collect();
        let mut next = listed.partition_point(|segment| segment.end <= self.at);
        while self.at < self.end && !self.is_spent() {
            let Some(segment) = listed.get(next) else {
                self.at = self.at.max(base);
                return Ok(());
            };
            if !self.is_within(segment.times) {
                self.at = self.at.max(segment.end.min(self.end));
                next += 1;
                continue;
            }
            self.effort.visits = self.effort.visits.saturating_sub(lists.len().max(1));
            match meet(&mut lists, segment.base)? {
                // No later segment has all the terms.
                None => self.at = base,
                Some(found) if found > segment.base => {
                    next = listed.partition_point(|segment| segment.base < found);
                    if listed.get(next).is_none_or(|segment| segment.base != found) {
                        return Err(Fault::Hole(found).into());
                    }
                    self.at = self.at.max(found);
                }
                Some(_) => {
                    self.segment(segments, segment, &lists)?;
                    next += 1;
                }
            }
            if self.at >= base {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Looks into one segment, in which all postings are.
    fn segment(&mut self, segments: &Segments, segment: &Segment, lists: &[Lists<'_>]) -> Result<(), Stop> {
        let lists = lists.iter().map(Lists::offsets).collect::<Result<_, _>>()?;
        let blocks = if self.has_bounds() { segments.blocks(segment)? } else { Vec::new() };
        let offsets = self.candidates(segment.base, segment.end, lists, &blocks);
        self.judge(segment.base, &offsets, segment.end)
    }

    /// Whether what the filter asks for may lie in what spans so much time.
    fn is_within(&self, Span { earliest_ms, latest_ms }: Span) -> bool {
        self.filter.overlaps(earliest_ms, latest_ms)
    }

    fn has_bounds(&self) -> bool {
        self.filter.since_ms().is_some() || self.filter.until_ms().is_some()
    }

    /// Gives the offsets that are in all lists, in blocks within the bounds of time, and still to be looked at.
    fn candidates(&self, base: u64, end: u64, lists: Vec<Vec<u16>>, blocks: &[Span]) -> Vec<u16> {
        let mut offsets = intersection(lists).unwrap_or_else(|| all(end - base));
        let (from, below) = (self.at.saturating_sub(base), self.end - base);
        offsets.retain(|offset| (from..below).contains(&u64::from(*offset)));
        if self.has_bounds() {
            offsets.retain(|offset| {
                let block = usize::try_from(u64::from(*offset) / BLOCK).unwrap_or(usize::MAX);
                blocks.get(block).is_none_or(|span| self.is_within(*span))
            });
        }
        offsets
    }

    /// Reads entries and takes those that the filter asks for; afterwards all below `end` are answered for, or as far as the page goes.
    fn judge(&mut self, base: u64, offsets: &[u16], end: u64) -> Result<(), Stop> {
        for run in runs(offsets) {
            let (first, count) = (base + run.0, run.1.min(u64::try_from(self.effort.looks).unwrap_or(u64::MAX)));
            let mut entries = Vec::new();
            let last = TreeSize::new(first + count);
            self.shared.store.read_entries(LeafIndex::new(first), last, &mut |index, entry| {
                entries.push((index, entry.to_vec()));
            })?;
            for (index, entry) in entries {
                if self.is_full() {
                    return Ok(());
                }
                self.effort.looks -= 1;
                self.look(index, &entry)?;
                self.at = index.get() + 1;
            }
            if self.is_full() {
                return Ok(());
            }
        }
        self.at = end.min(self.end);
        Ok(())
    }

    fn look(&mut self, index: LeafIndex, entry: &[u8]) -> Result<(), Fault> {
        // What is no statement is found by nothing.
        let Ok(statement) = SignedStatement::parse_entry(entry) else { return Ok(()) };
        let marks = Marks::of(&statement);
        if self.filter.matches_marks(&marks) {
            self.found.push(index);
        } else if !self.postings.is_empty() {
            let own = Posting::all(&marks);
            if !self.postings.iter().all(|posting| own.contains(posting)) {
                return Err(Fault::WrongHit(index.get()));
            }
        }
        Ok(())
    }
}

/// Finds the first segment from `base` on in which all lists have something: the one with the fewest segments sets the pace.
fn meet(lists: &mut [Lists<'_>], mut base: u64) -> Result<Option<u64>, Fault> {
    loop {
        let mut reached = base;
        for list in lists.iter_mut() {
            match list.seek(reached)? {
                None => return Ok(None),
                Some(found) => reached = reached.max(found),
            }
        }
        if reached == base {
            return Ok(Some(base));
        }
        base = reached;
    }
}

/// Intersects ascending lists, the shortest first; `None` when there are none.
fn intersection(mut lists: Vec<Vec<u16>>) -> Option<Vec<u16>> {
    lists.sort_by_key(Vec::len);
    let mut lists = lists.into_iter();
    let mut found = lists.next()?;
    for list in lists {
        found.retain(|offset| list.binary_search(offset).is_ok());
    }
    Some(found)
}

/// All offsets of a segment of so many entries.
fn all(entries: u64) -> Vec<u16> {
    (0..=u16::MAX).take(usize::try_from(entries).unwrap_or(usize::MAX)).collect()
}

/// Groups ascending offsets into runs of neighbours, each a first one and a count, so that what lies together is read together.
fn runs(offsets: &[u16]) -> impl Iterator<Item = (u64, u64)> {
    let neighbours = offsets.chunk_by(|one, two| one.checked_add(1) == Some(*two));
    neighbours.flat_map(|run| run.chunks(MAX_RUN)).filter_map(|run| {
        let first = run.first()?;
        Some((u64::from(*first), u64::try_from(run.len()).unwrap_or(u64::MAX)))
    })
}

/// Entries read at a time: at most 4 MiB.
const MAX_RUN: usize = 64;
