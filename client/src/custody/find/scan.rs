//! Finding entries by reading all of them: what is not found this way is not in the log up to the checkpoint.
//!
//! Every entry is read once and hashed; the root must come out. Of each is kept where its names and what it names lead, as short hashes, so that
//! two million entries take some hundred MB; what a hash finds is read again and compared.

use std::hash::{DefaultHasher, Hash, Hasher};

use govlog_formats::admission::APPROVAL_STREAMS;
use govlog_formats::merkle::{Frontier, LeafIndex, TreeSize, leaf_hash};
use govlog_formats::record::LinkTarget;
use govlog_formats::search::{Filter, Marks};
use govlog_formats::statement::SignedStatement;
use govlog_formats::tile::{self, TilePath};

use super::super::relations::{Node, target_key};
use super::finder::{FindError, Finder, Way};
use crate::source::{Head, Tree, TreeError};

/// Why a log could not be scanned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// A part of it cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A bundle or an entry is none, or the entries are not those of the checkpoint.
    #[error("{0}")]
    Broken(String),
}

/// All entries below a checkpoint, by short hashes.
#[derive(Debug, Default)]
pub struct Scan {
    named: Vec<Hit>,
    pointing: Vec<Hit>,
    /// Every kind there is, so that a hit can name one by its number.
    kinds: Vec<String>,
    /// Entries that answer the filters that were asked for when it was made, filter by filter.
    answers: Vec<(Filter, Vec<LeafIndex>)>,
    /// Entries that the admission policy may be folded from: changes of it, and words of operators.
    changes: Vec<LeafIndex>,
    /// What streams say of themselves, for whoever asks about them later: the marks of every `stream` and `gap` entry.
    words: Vec<(LeafIndex, Marks)>,
}

/// A short hash, and the entry it is of: index and number of the kind in one, since there are many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Hit {
    hash: u64,
    entry: u64,
}

impl Hit {
    fn new(target: &LinkTarget, index: LeafIndex, kind: usize) -> Self {
        let kind = u64::try_from(kind).unwrap_or(OTHER_KIND).min(OTHER_KIND);
        Self { hash: short(target), entry: index.get() << KIND_BITS | kind }
    }

    fn index(self) -> LeafIndex {
        LeafIndex::new(self.entry >> KIND_BITS)
    }

    fn kind(self) -> u64 {
        self.entry & OTHER_KIND
    }
}

/// More kinds than these share the last number, and count as whatever is asked for.
const KIND_BITS: u32 = 8;
const OTHER_KIND: u64 = (1 << KIND_BITS) - 1;

impl Scan {
    /// Reads every entry below a head, in order. `progress` is told how many are done.
    ///
    /// # Errors
    ///
    /// They cannot be read, or are not those of the head.
    pub fn read(
        tree: &Tree<'_>,
        head: &Head,
        filters: &[Filter],
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, ScanError> {
        let mut scan =
            Self { answers: filters.iter().map(|filter| (filter.clone(), Vec::new())).collect(), ..Self::default() };
        let (mut frontier, mut done) = (Frontier::new(), 0);
        for path in tile::entry_bundles(head.size()) {
            let TilePath::Entries { width, .. } = path else { continue };
            let bundle = tree.fetch(path, crate::source::MAX_BUNDLE_BYTES)?;
            let broken = |why: String| ScanError::Broken(format!("{path}: {why}"));
            for entry in tile::bundle::parse(&bundle, width).map_err(|error| broken(error.to_string()))? {
                scan.add(LeafIndex::new(done), entry).map_err(broken)?;
                frontier.push(leaf_hash(entry)).map_err(|error| broken(error.to_string()))?;
                done += 1;
            }
            progress(done);
        }
        if frontier.root() != *head.root() {
            let why = format!(
                "the entries hash to {}; the checkpoint of size {} says {}",
                frontier.root(),
                head.size(),
                head.root()
            );
            return Err(ScanError::Broken(why));
        }
        scan.named.sort_unstable();
        scan.pointing.sort_unstable();
        Ok(scan)
    }

    fn add(&mut self, index: LeafIndex, entry: &[u8]) -> Result<(), String> {
        let statement = SignedStatement::parse_entry(entry).map_err(|error| format!("entry {index}: {error}"))?;
        let node = Node::new(index, &statement);
        let kind = self.kinds.iter().position(|known| *known == node.kind).unwrap_or_else(|| {
            self.kinds.push(node.kind.clone());
            self.kinds.len() - 1
        });
        let names = node.targets().chain(node.certificate.iter().cloned().map(LinkTarget::Handle));
        self.named.extend(names.map(|target| Hit::new(&target, index, kind)));
        self.pointing.extend(node.points.iter().map(|point| Hit::new(&point.target, index, kind)));
        let marks = Marks::of(&statement);
        for (filter, found) in &mut self.answers {
            if filter.matches_marks(&marks) {
                found.push(index);
            }
        }
        let stream = statement.claims().stream.as_ref();
        let is_word = || stream.is_some_and(|position| position.stream.starts_with(APPROVAL_STREAMS));
        if statement.kind() == "admission-policy" || statement.kind() == "approval" && is_word() {
            self.changes.push(index);
        }
        if matches!(statement.kind(), "stream" | "gap") {
            self.words.push((index, marks));
        }
        Ok(())
    }
}

impl Finder for Scan {
    fn find(&mut self, way: Way, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<LeafIndex>, FindError> {
        let (list, hash) = (if way == Way::Named { &self.named } else { &self.pointing }, short(target));
        let is_asked = |hit: &&Hit| {
            let kind = usize::try_from(hit.kind()).ok().and_then(|at| self.kinds.get(at));
            kinds.is_empty() || hit.kind() == OTHER_KIND || kind.is_some_and(|kind| kinds.contains(&kind.as_str()))
        };
        let hits = list.get(list.partition_point(|hit| hit.hash < hash)..).unwrap_or_default();
        let hits = hits.iter().take_while(|hit| hit.hash == hash).filter(is_asked);
        let mut found: Vec<LeafIndex> = hits.map(|hit| hit.index()).collect();
        found.dedup();
        Ok(found)
    }

    fn answers(&mut self, filters: &[Filter]) -> Result<Vec<LeafIndex>, FindError> {
        let mut found = Vec::new();
        for filter in filters {
            match self.answers.iter().find(|(known, _)| known == filter) {
                Some((_, indexes)) => found.extend(indexes.iter().copied()),
                None => found.extend(
                    self.words.iter().filter(|(_, marks)| filter.matches_marks(marks)).map(|(index, _)| *index),
                ),
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    fn newest(&mut self, filter: &Filter, below: TreeSize, most: usize) -> Result<Vec<LeafIndex>, FindError> {
        let mut indexes = self.answers(std::slice::from_ref(filter))?;
        indexes.retain(|index| below.covers(*index));
        Ok(indexes.split_off(indexes.len().saturating_sub(most)))
    }

    fn changes(&self) -> &[LeafIndex] {
        &self.changes
    }

    fn is_cut(&self) -> bool {
        false
    }
}

pub(super) fn short(target: &LinkTarget) -> u64 {
    let mut hasher = DefaultHasher::new();
    target_key(target).hash(&mut hasher);
    hasher.finish()
}
