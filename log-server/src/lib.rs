//! The party that orders signed statements into an append-only Merkle tree and publishes it.

pub mod clock;
pub mod disk;
pub mod failpoints;
pub mod head;
pub mod refusal;
pub mod sequencer;
pub mod store;
pub mod submission;
pub mod tree;
