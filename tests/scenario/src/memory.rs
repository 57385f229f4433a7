//! A scenario's entries in memory, for the client's closure: found as a log's index suggests them, or by a scan of a folder.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use govlog_client::custody::{FindError, Finder, Lookup, Node, Way, filters};
use govlog_client::testing::TestLog;
use govlog_formats::cbor::to_deterministic;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::record::LinkTarget;
use govlog_formats::search::{Filter, Marks, Term};

use super::Scenario;

/// What an index answers: by its marks, and nothing else.
#[derive(Debug)]
pub struct Suggestions<'m> {
    marks: &'m [Marks],
    by_term: HashMap<&'m Term, Vec<usize>>,
    first: u64,
}

impl<'m> Suggestions<'m> {
    /// Indexes entries, the first of which stands at this index.
    #[must_use]
    pub fn new(marks: &'m [Marks], first: u64) -> Self {
        let mut by_term: HashMap<&Term, Vec<usize>> = HashMap::new();
        for (at, one) in marks.iter().enumerate() {
            one.terms().iter().for_each(|term| by_term.entry(term).or_default().push(at));
        }
        Self { marks, by_term, first }
    }

    fn answer(&self, filter: &Filter) -> Vec<usize> {
        let none = Vec::new();
        let lists = filter.terms().iter().map(|term| self.by_term.get(term).unwrap_or(&none));
        match lists.min_by_key(|list| list.len()) {
            Some(list) => list.iter().copied().filter(|at| filter.matches_marks(&self.marks[*at])).collect(),
            None => (0..self.marks.len()).filter(|at| filter.matches_marks(&self.marks[*at])).collect(),
        }
    }
}

impl Finder for Suggestions<'_> {
    fn find(&mut self, way: Way, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<LeafIndex>, FindError> {
        self.answers(&filters(way, target, kinds))
    }

    fn answers(&mut self, filters: &[Filter]) -> Result<Vec<LeafIndex>, FindError> {
        let found: BTreeSet<usize> = filters.iter().flat_map(|filter| self.answer(filter)).collect();
        Ok(found.into_iter().map(|at| LeafIndex::new(self.first + at as u64)).collect())
    }

    fn newest(&mut self, filter: &Filter, below: TreeSize, most: usize) -> Result<Vec<LeafIndex>, FindError> {
        let mut found = self.answers(std::slice::from_ref(filter))?;
        found.retain(|index| below.covers(*index));
        Ok(found.split_off(found.len().saturating_sub(most)))
    }

    fn is_cut(&self) -> bool {
        false
    }
}

/// Entries that are read, looked at and taken as a collector does: a finder only suggests.
pub struct Reading<'r, F> {
    nodes: &'r [Arc<Node>],
    first: u64,
    /// What suggests.
    pub finder: F,
    asked: HashMap<(Way, Vec<u8>, String), Vec<Arc<Node>>>,
}

impl<'r, F: Finder> Reading<'r, F> {
    /// Reads these entries, the first of which stands at this index.
    pub fn new(nodes: &'r [Arc<Node>], first: u64, finder: F) -> Self {
        Self { nodes, first, finder, asked: HashMap::new() }
    }

    /// The entry at an index, where it is one of the scenario's.
    pub fn at(&self, index: LeafIndex) -> Option<&Arc<Node>> {
        self.nodes.get(usize::try_from(index.get().checked_sub(self.first)?).ok()?)
    }

    fn find(&mut self, way: Way, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, FindError> {
        let key = (way, bytes(target), kinds.join(" "));
        if let Some(known) = self.asked.get(&key) {
            return Ok(known.clone());
        }
        let is_it = |node: &&Arc<Node>| {
            let is_it = match (way, target) {
                (Way::Named, LinkTarget::Handle(handle)) => {
                    node.names.contains(handle) || node.certificate.contains(handle)
                }
                (Way::Named, LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. }) => node.leaf == *leaf,
                (Way::Pointing, _) => node.points.iter().any(|point| bytes(&point.target) == key.1),
            };
            is_it && (kinds.is_empty() || kinds.contains(&node.kind.as_str()))
        };
        let suggested = self.finder.find(way, target, kinds)?;
        let found: Vec<_> = suggested.into_iter().filter_map(|index| self.at(index)).filter(is_it).cloned().collect();
        self.asked.insert(key, found.clone());
        Ok(found)
    }
}

/// An entry by its leaf hash is the same in this log as by a reference to any.
fn bytes(target: &LinkTarget) -> Vec<u8> {
    match target {
        LinkTarget::Handle(handle) => to_deterministic(&handle.to_value()),
        LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. } => leaf.as_bytes().to_vec(),
    }
}

impl<F: Finder> Lookup for Reading<'_, F> {
    type Error = FindError;

    fn named(&mut self, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, FindError> {
        self.find(Way::Named, target, kinds)
    }

    fn pointing(&mut self, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, FindError> {
        self.find(Way::Pointing, target, kinds)
    }
}

impl Scenario {
    /// The entries, as far as relations go, the first of them at this index.
    #[must_use]
    pub fn nodes(&self, first: u64) -> Vec<Arc<Node>> {
        let indexes = (first..).map(LeafIndex::new);
        indexes.zip(&self.entries).map(|(index, entry)| Arc::new(Node::new(index, &entry.statement))).collect()
    }

    /// A log in memory with these entries behind those that it begins with; its public files are written into a folder.
    #[must_use]
    pub fn write_to(&self, folder: &Path) -> TestLog {
        let mut log = TestLog::new();
        log.entries.extend(self.entries.iter().map(|entry| entry.statement.entry().to_vec()));
        log.write_to(folder, &log.note_of(log.size(), &[0, 1, 2]));
        log
    }
}
