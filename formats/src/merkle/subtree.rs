//! Subtrees of a tree, and how to have the hashes of several in one read.
//!
//! Building a proof has two phases: name the subtrees it consists of, then fetch the complete subtrees below all of
//! them at once and hash those up.

use super::{BuildError, Node, NodeReader, TreeSize, node_hash};
use crate::digest::Digest;

/// The leaves from `low` to below `high`, as one subtree of a tree.
///
/// Made only by splitting a whole tree as RFC 9162 §2.1.1 does, so `low` is a multiple of the power of two at or above
/// `high - low`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subtree {
    low: u64,
    high: u64,
}

/// A subtree beside the way from the root to a leaf or an edge, by the side it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sibling {
    Left(Subtree),
    Right(Subtree),
}

impl Subtree {
    /// Takes the whole tree of a size.
    pub(super) const fn whole(size: TreeSize) -> Self {
        Self { low: 0, high: size.get() }
    }

    /// Returns the first leaf.
    pub(super) const fn low(self) -> u64 {
        self.low
    }

    /// Returns the leaf after the last.
    pub(super) const fn high(self) -> u64 {
        self.high
    }

    /// Splits into the two subtrees below; a leaf does not split.
    ///
    /// RFC 9162 §2.1.1: "let k be the largest power of two smaller than n".
    pub(super) fn split(self) -> Option<(Self, Self)> {
        let last = (self.high - self.low).checked_sub(1)?;
        let middle = self.low + (1 << last.checked_ilog2()?);
        Some((Self { low: self.low, high: middle }, Self { low: middle, high: self.high }))
    }

    /// Lists the complete subtrees it consists of, left to right: one for every bit of its number of leaves, the
    /// largest first.
    pub(super) fn nodes(self) -> impl Iterator<Item = Node> {
        let leaves = self.high - self.low;
        let mut low = self.low;
        (0..64_u8).rev().filter(move |level| leaves >> level & 1 == 1).map(move |level| {
            let node = Node { level, index: low >> level };
            low += 1 << level;
            node
        })
    }

    /// Counts what [`Subtree::nodes`] lists.
    fn count_nodes(self) -> usize {
        // At most 64.
        (self.high - self.low).count_ones() as usize
    }
}

impl Sibling {
    /// Returns the subtree, whichever side it is on.
    pub(super) const fn subtree(self) -> Subtree {
        match self {
            Self::Left(subtree) | Self::Right(subtree) => subtree,
        }
    }
}

/// Reads the hashes of subtrees, in the order given, with one batch of nodes.
pub(super) fn read_subtrees<R: NodeReader + ?Sized>(
    reader: &R,
    subtrees: &[Subtree],
) -> Result<Vec<Digest>, BuildError<R::Error>> {
    let nodes: Vec<Node> = subtrees.iter().flat_map(|subtree| subtree.nodes()).collect();
    if nodes.is_empty() {
        return Ok(Vec::new());
    }
    let hashes = reader.read_nodes(&nodes).map_err(BuildError::Read)?;
    if hashes.len() != nodes.len() {
        return Err(BuildError::Count { wanted: nodes.len(), got: hashes.len() });
    }
    let mut rest = hashes.as_slice();
    let mut roots = Vec::with_capacity(subtrees.len());
    for subtree in subtrees {
        let (own, after) = rest.split_at(subtree.count_nodes());
        roots.extend(fold_right(own));
        rest = after;
    }
    Ok(roots)
}

/// Hashes complete subtrees of falling size into the one that holds them all; nothing when there are none.
pub(super) fn fold_right(hashes: &[Digest]) -> Option<Digest> {
    hashes.iter().rev().copied().reduce(|right, left| node_hash(&left, &right))
}
