//! Deterministic CBOR: the walker that refuses every other form, and the encoder.
