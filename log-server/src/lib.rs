//! The party that orders signed statements into an append-only Merkle tree and publishes it.

pub mod refusal;
pub mod submission;
