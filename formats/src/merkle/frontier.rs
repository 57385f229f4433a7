//! The right edge of a tree: all that is needed to grow it.

use super::subtree::fold_right;
use super::{EMPTY_ROOT, Node, TreeSize, node_hash};
use crate::digest::Digest;

/// The complete subtrees that make up a tree, left to right: what appending and the root hash need, and no more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: TreeSize,
    hashes: Vec<Digest>,
}

/// Why hashes are not the frontier of a tree, or a tree cannot grow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrontierError {
    /// A frontier has one hash for every bit that is set in its size.
    #[error("the frontier of a tree of size {size} has {expected} hashes, not {found}")]
    Hashes {
        /// The size of the tree.
        size: TreeSize,
        /// How many hashes its frontier has.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// The tree is full, or would be too large.
    #[error("no tree is larger than {}", TreeSize::MAX)]
    Full,
}

impl Frontier {
    /// Starts with no leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: TreeSize::ZERO, hashes: Vec::new() }
    }

    /// Takes up a tree where it was left: at a size, with the hashes of [`super::root_nodes`] of that size.
    ///
    /// # Errors
    ///
    /// Another number of hashes than the size has subtrees, or a size above [`TreeSize::MAX`], is refused.
    pub fn from_parts(size: TreeSize, hashes: Vec<Digest>) -> Result<Self, FrontierError> {
        if size > TreeSize::MAX {
            return Err(FrontierError::Full);
        }
        check_count(size, hashes.len())?;
        Ok(Self { size, hashes })
    }

    /// Appends a leaf.
    ///
    /// # Errors
    ///
    /// A tree of [`TreeSize::MAX`] leaves takes no more.
    pub fn push(&mut self, leaf: Digest) -> Result<(), FrontierError> {
        self.push_with(leaf, |_, _| ())
    }

    /// Appends a leaf and hands out every complete subtree that it makes: the leaf first, then the ever larger ones
    /// that it closes.
    ///
    /// # Errors
    ///
    /// A tree of [`TreeSize::MAX`] leaves takes no more; nothing is handed out then.
    pub fn push_with(&mut self, leaf: Digest, mut made: impl FnMut(Node, &Digest)) -> Result<(), FrontierError> {
        if self.size >= TreeSize::MAX {
            return Err(FrontierError::Full);
        }
        let mut node = Node { level: 0, index: self.size.get() };
        let mut hash = leaf;
        made(node, &hash);
        // An odd index has a sibling to the left, which is the frontier's last hash.
        while node.index & 1 == 1
            && let Some(left) = self.hashes.pop()
        {
            node = Node { level: node.level + 1, index: node.index >> 1 };
            hash = node_hash(&left, &hash);
            made(node, &hash);
        }
        self.hashes.push(hash);
        self.size = TreeSize::new(self.size.get() + 1);
        Ok(())
    }

    /// Returns how many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> TreeSize {
        self.size
    }

    /// Computes the root hash.
    #[must_use]
    pub fn root(&self) -> Digest {
        fold_right(&self.hashes).unwrap_or(EMPTY_ROOT)
    }

    /// Returns the hashes of the complete subtrees, left to right.
    #[must_use]
    pub fn hashes(&self) -> &[Digest] {
        &self.hashes
    }
}

/// Computes the root hash from the hashes of [`super::root_nodes`], left to right.
///
/// # Errors
///
/// Another number of hashes than the size has subtrees is refused.
pub fn root_from(size: TreeSize, hashes: &[Digest]) -> Result<Digest, FrontierError> {
    check_count(size, hashes.len())?;
    Ok(fold_right(hashes).unwrap_or(EMPTY_ROOT))
}

/// Refuses a frontier that has not one hash for every bit that is set in its size.
const fn check_count(size: TreeSize, found: usize) -> Result<(), FrontierError> {
    let expected = size.get().count_ones() as usize;
    if expected == found { Ok(()) } else { Err(FrontierError::Hashes { size, expected, found }) }
}
