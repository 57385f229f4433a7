//! The party that orders signed statements into an append-only Merkle tree and publishes it.

pub mod admission;
pub mod cli;
pub mod clock;
pub mod config;
pub mod disk;
pub mod failpoints;
pub mod files;
pub mod head;
pub mod init;
pub mod keys;
pub mod recovery;
pub mod refusal;
pub mod sequencer;
pub mod store;
pub mod submission;
pub mod tree;
