//! Cosignatures: a witness's timestamped signature on a checkpoint.
