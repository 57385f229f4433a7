//! Proof files: an inclusion proof and the checkpoint it leads to.
