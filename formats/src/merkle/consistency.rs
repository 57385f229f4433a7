//! Consistency proofs: this tree was grown from that one by appending alone.

use super::subtree::{Sibling, Subtree, read_subtrees};
use super::{BuildError, EMPTY_ROOT, NodeReader, ProofError, TreeSize, check_length, node_hash};
use crate::digest::Digest;

/// The subtrees from which the roots of both trees follow (RFC 9162 §2.1.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// The older tree's size.
    pub old: TreeSize,
    /// The newer tree's size.
    pub new: TreeSize,
    /// The hashes, in the order of RFC 9162. Empty when the sizes are equal or the old one is 0.
    pub path: Vec<Digest>,
}

impl ConsistencyProof {
    /// Builds the proof between two sizes from one batch of nodes.
    ///
    /// Every tree is consistent with the one of size 0, and that takes no hash.
    ///
    /// # Errors
    ///
    /// Fails when the old size is above the new one, or the reader fails.
    pub fn build<R: NodeReader + ?Sized>(
        reader: &R,
        old: TreeSize,
        new: TreeSize,
    ) -> Result<Self, BuildError<R::Error>> {
        let path = read_subtrees(reader, &Edge::find(old, new)?.subtrees())?;
        Ok(Self { old, new, path })
    }

    /// Checks that the proof leads to both root hashes.
    ///
    /// The old size 0 takes an empty path, and a tree of size 0, old or new, has no other root hash than
    /// [`EMPTY_ROOT`]. Equal sizes take an empty path and equal root hashes.
    ///
    /// # Errors
    ///
    /// An old size above the new one, a path that is not of exactly the right length, and a root hash that does not
    /// follow are refused.
    pub fn verify(&self, old_root: &Digest, new_root: &Digest) -> Result<(), ProofError> {
        let edge = Edge::find(self.old, self.new)?;
        check_length(edge.subtrees().len(), self.path.len())?;
        if self.old == TreeSize::ZERO {
            return self.verify_from_nothing(old_root, new_root);
        }
        // RFC 9162 §2.1.4.2: "If first is an exact power of 2, then prepend first_hash to the consistency_path array."
        // The old tree is one subtree of the new one then; so it is when the sizes are equal.
        let (start, path) = match self.path.split_first() {
            Some((start, path)) if edge.end.is_some() => (start, path),
            Some(_) | None => (old_root, self.path.as_slice()),
        };
        let (old, new) =
            edge.siblings.iter().zip(path).fold((*start, *start), |(old, new), (side, sibling)| match side {
                // To the left of the edge: part of both trees.
                Sibling::Left(_) => (node_hash(sibling, &old), node_hash(sibling, &new)),
                // To the right of it: what was appended.
                Sibling::Right(_) => (old, node_hash(&new, sibling)),
            });
        check_roots((old, old_root), (new, new_root))
    }

    /// Checks the root hashes of a proof whose older tree has no leaves.
    fn verify_from_nothing(&self, old_root: &Digest, new_root: &Digest) -> Result<(), ProofError> {
        let new = if self.new == TreeSize::ZERO { EMPTY_ROOT } else { *new_root };
        check_roots((EMPTY_ROOT, old_root), (new, new_root))
    }
}

/// Compares each root hash that was found with the one expected.
fn check_roots((old, old_root): (Digest, &Digest), (new, new_root): (Digest, &Digest)) -> Result<(), ProofError> {
    if old != *old_root {
        return Err(ProofError::OldRoot { expected: *old_root, found: old });
    }
    if new != *new_root {
        return Err(ProofError::Root { expected: *new_root, found: new });
    }
    Ok(())
}

/// The way from the older tree's right edge up to the newer tree's root.
struct Edge {
    /// The subtree that the older tree ends with; none when that is all of it, for its hash is the old root.
    end: Option<Subtree>,
    /// The siblings on the way up.
    siblings: Vec<Sibling>,
}

impl Edge {
    /// Finds the way between two sizes: SUBPROOF of RFC 9162 §2.1.4.1, from the root down.
    fn find(old: TreeSize, new: TreeSize) -> Result<Self, ProofError> {
        if old > new {
            return Err(ProofError::Sizes { old, new });
        }
        let mut siblings = Vec::new();
        let mut subtree = Subtree::whole(new);
        if old == TreeSize::ZERO {
            return Ok(Self { end: None, siblings });
        }
        while subtree.high() != old.get()
            && let Some((left, right)) = subtree.split()
        {
            if old.get() <= left.high() {
                siblings.push(Sibling::Right(right));
                subtree = left;
            } else {
                siblings.push(Sibling::Left(left));
                subtree = right;
            }
        }
        siblings.reverse();
        Ok(Self { end: (subtree.low() != 0).then_some(subtree), siblings })
    }

    /// Lists the subtrees whose hashes make up the path, in its order.
    fn subtrees(&self) -> Vec<Subtree> {
        self.end.into_iter().chain(self.siblings.iter().map(|sibling| sibling.subtree())).collect()
    }
}
