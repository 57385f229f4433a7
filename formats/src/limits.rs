//! Bounds that several formats share.

/// The most bytes an entry may have: a bundle writes its length as a u16.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// The most bytes the body of one submission may have, its unprotected header included.
pub const MAX_SUBMISSION_BYTES: usize = 128 * 1024;

/// The most statements a batch may hold.
pub const MAX_BATCH_STATEMENTS: usize = 1024;

/// The most bytes a batch may have.
pub const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;

/// The most arrays, maps and tags that may stand around a CBOR item.
pub const MAX_CBOR_DEPTH: usize = 16;

/// The most bytes of text an issuer or a subject may have; the least is 1.
pub const MAX_SUBJECT_BYTES: usize = 2048;

/// The most bytes a stream's name may have; the least is 1.
pub const MAX_STREAM_BYTES: usize = 255;

/// The most hashes an inclusion proof can hold: one for every bit of a tree size.
pub const MAX_INCLUSION_PATH: usize = 64;

/// The most hashes a consistency proof can hold: an inclusion path and the hash it starts from.
pub const MAX_CONSISTENCY_PATH: usize = MAX_INCLUSION_PATH + 1;
