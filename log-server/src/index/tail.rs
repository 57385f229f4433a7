//! The open segment, in memory: entries behind the last sorted file.

use std::collections::BTreeSet;

use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, leaf_hash};
use govlog_formats::search::{Filter, Marks};
use govlog_formats::statement::SignedStatement;

use super::rows::{BLOCK, Posting, SEGMENT_ENTRIES, Segment, Span};

/// What a segment has room for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) entries: u64,
    pub(super) postings: usize,
}

impl Default for Room {
    /// A set of so many postings takes 27 MiB: "index tail 32" (DESIGN §7), whatever entries hold.
    fn default() -> Self {
        Self { entries: SEGMENT_ENTRIES, postings: 1_600_000 }
    }
}

/// What a row of the set is: a posting, and the offset of an entry that has it.
type Place = [u8; 10];

/// What is taken of an entry.
#[derive(Debug)]
pub(super) struct Taken {
    postings: BTreeSet<Posting>,
    times: Span,
    leaf: Digest,
}

impl Taken {
    /// Takes it from the entry's bytes. What is no statement is found by nothing.
    pub(super) fn of(index: LeafIndex, entry: &[u8]) -> Self {
        let leaf = leaf_hash(entry);
        match SignedStatement::parse_entry(entry) {
            Ok(statement) => {
                let marks = Marks::of(&statement);
                let times = Span { earliest_ms: marks.earliest_ms(), latest_ms: marks.latest_ms() };
                Self { postings: Posting::all(&marks), times, leaf }
            }
            Err(error) => {
                tracing::warn!(%index, %error, "an entry is no statement: nothing finds it");
                Self { postings: BTreeSet::new(), times: Span::NONE, leaf }
            }
        }
    }
}

/// The entries from `base` on, as far as they were read.
#[derive(Debug)]
pub(super) struct Tail {
    room: Room,
    base: u64,
    count: u64,
    places: BTreeSet<Place>,
    blocks: Vec<Span>,
    last_leaf: Digest,
}

impl Tail {
    /// An empty one that begins at an index.
    pub(super) const fn new(base: u64, room: Room) -> Self {
        Self { room, base, count: 0, places: BTreeSet::new(), blocks: Vec::new(), last_leaf: Digest::ZERO }
    }

    /// Its first entry.
    pub(super) const fn base(&self) -> u64 {
        self.base
    }

    /// The index after its last entry.
    pub(super) const fn end(&self) -> u64 {
        self.base + self.count
    }

    /// Says whether there is nothing in it.
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Says whether the next entry belongs to the next segment.
    pub(super) fn is_full(&self) -> bool {
        self.count >= self.room.entries || self.places.len() >= self.room.postings
    }

    /// Adds the next entry.
    pub(super) fn push(&mut self, taken: Taken) {
        let offset = u16::try_from(self.count).unwrap_or(u16::MAX);
        if self.count.is_multiple_of(BLOCK) {
            self.blocks.push(Span::NONE);
        }
        self.places.extend(taken.postings.into_iter().map(|posting| place(posting, offset)));
        if let Some(block) = self.blocks.last_mut() {
            *block = block.joined(taken.times);
        }
        self.last_leaf = taken.leaf;
        self.count += 1;
    }

    /// The offsets of entries that have a posting, ascending.
    pub(super) fn offsets(&self, posting: Posting) -> Vec<u16> {
        self.places.range(place(posting, 0)..=place(posting, u16::MAX)).map(|place| split(place).1).collect()
    }

    /// The times of its blocks.
    pub(super) fn blocks(&self) -> &[Span] {
        &self.blocks
    }

    /// Says whether any entry can be within a filter's bounds of time.
    pub(super) fn overlaps(&self, filter: &Filter) -> bool {
        self.blocks.iter().any(|span| filter.overlaps(span.earliest_ms, span.latest_ms))
    }

    /// What is written of it as a segment.
    pub(super) fn segment(&self) -> Segment {
        let times = self.blocks.iter().fold(Span::NONE, |all, span| all.joined(*span));
        Segment { base: self.base, end: self.end(), times, last_leaf: self.last_leaf }
    }

    /// Hands each posting with its offsets to `visit`, in order.
    ///
    /// # Errors
    /// Whatever `visit` says.
    pub(super) fn each<E>(&self, mut visit: impl FnMut(Posting, &[u16]) -> Result<(), E>) -> Result<(), E> {
        let mut current: Option<(Posting, Vec<u16>)> = None;
        for (posting, offset) in self.places.iter().map(split) {
            match &mut current {
                Some((same, offsets)) if *same == posting => offsets.push(offset),
                _ => {
                    if let Some((posting, offsets)) = current.replace((posting, vec![offset])) {
                        visit(posting, &offsets)?;
                    }
                }
            }
        }
        current.map_or(Ok(()), |(posting, offsets)| visit(posting, &offsets))
    }
}

fn place(posting: Posting, offset: u16) -> Place {
    let ([a, b, c, d, e, f, g, h], [high, low]) = (posting.0, offset.to_be_bytes());
    [a, b, c, d, e, f, g, h, high, low]
}

fn split(place: &Place) -> (Posting, u16) {
    let [a, b, c, d, e, f, g, h, high, low] = *place;
    (Posting([a, b, c, d, e, f, g, h]), u16::from_be_bytes([high, low]))
}
