//! The hashes of leaves and nodes.

use crate::digest::Digest;

/// The root hash of the tree without leaves: SHA-256 of the empty string.
pub const EMPTY_ROOT: Digest = Digest::from_bytes([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// What precedes an entry when it is hashed, so that no node can be offered as a leaf.
const LEAF_PREFIX: &[u8] = &[0x00];

/// What precedes two hashes when they are hashed together.
const NODE_PREFIX: &[u8] = &[0x01];

/// Hashes an entry: SHA-256(0x00 ‖ entry).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Digest {
    Digest::sha256_of(&[LEAF_PREFIX, entry])
}

/// Hashes two subtrees together: SHA-256(0x01 ‖ left ‖ right).
#[must_use]
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::sha256_of(&[NODE_PREFIX, left.as_bytes(), right.as_bytes()])
}
