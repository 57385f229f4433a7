//! Placeholder crate docs, replaced by the crate that grows here.
