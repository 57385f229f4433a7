//! A tree with every node in memory.

use super::{EMPTY_ROOT, LeafIndex, Node, NodeReader, TreeSize, node_hash, root_from, root_nodes};
use crate::digest::Digest;

/// A tree that keeps the hash of every complete subtree: twice the leaves, and any root or proof of any size it has
/// had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryTree {
    levels: Vec<Vec<Digest>>,
}

/// The tree does not hold a node that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tree holds no node {index} at level {level}", index = .0.index, level = .0.level)]
pub struct MissingNode(pub Node);

impl MemoryTree {
    /// Starts with no leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self { levels: Vec::new() }
    }

    /// Appends a leaf and returns its index.
    pub fn push(&mut self, leaf: Digest) -> LeafIndex {
        let index = LeafIndex::new(self.size().get());
        let mut hash = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(row) = self.levels.get_mut(level) else { break };
            row.push(hash);
            let (pairs, unpaired) = row.as_chunks::<2>();
            let (Some([left, right]), true) = (pairs.last(), unpaired.is_empty()) else { break };
            hash = node_hash(left, right);
        }
        index
    }

    /// Returns how many leaves the tree has.
    #[must_use]
    pub fn size(&self) -> TreeSize {
        TreeSize::new(self.levels.first().map_or(0, |leaves| leaves.len() as u64))
    }

    /// Returns the hash of a leaf, if the tree has it.
    #[must_use]
    pub fn leaf(&self, index: LeafIndex) -> Option<Digest> {
        self.node(Node { level: 0, index: index.get() })
    }

    /// Computes the root hash that the tree has now.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.root_at(self.size()).unwrap_or(EMPTY_ROOT)
    }

    /// Computes the root hash that the tree had at a size; nothing for a size it has not reached.
    #[must_use]
    pub fn root_at(&self, size: TreeSize) -> Option<Digest> {
        if size > self.size() {
            return None;
        }
        let hashes = self.read_nodes(&root_nodes(size)).ok()?;
        root_from(size, &hashes).ok()
    }

    fn node(&self, node: Node) -> Option<Digest> {
        let level = self.levels.get(usize::from(node.level))?;
        level.get(usize::try_from(node.index).ok()?).copied()
    }
}

impl NodeReader for MemoryTree {
    type Error = MissingNode;

    fn read_nodes(&self, nodes: &[Node]) -> Result<Vec<Digest>, MissingNode> {
        nodes.iter().map(|node| self.node(*node).ok_or(MissingNode(*node))).collect()
    }
}

impl Extend<Digest> for MemoryTree {
    fn extend<I: IntoIterator<Item = Digest>>(&mut self, leaves: I) {
        for leaf in leaves {
            self.push(leaf);
        }
    }
}

impl FromIterator<Digest> for MemoryTree {
    fn from_iter<I: IntoIterator<Item = Digest>>(leaves: I) -> Self {
        let mut tree = Self::new();
        tree.extend(leaves);
        tree
    }
}
