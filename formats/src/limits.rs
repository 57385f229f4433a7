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

/// The most hashes an inclusion proof can hold: one for every level of the largest tree, of 2^62 leaves.
pub const MAX_INCLUSION_PATH: usize = 62;

/// The most bytes a note may have, text and signature lines together.
///
/// "MUST accept at least up to 16 signatures. Remember that post-quantum signatures can be up to nearly 5kB in size." (C2SP
/// signed-note, main of 2026-04-23, Format): those take 80 kB of text, and a checkpoint a few hundred bytes.
pub const MAX_NOTE_BYTES: usize = 128 * 1024;

/// The most signature lines a note may have: every log and witness of the largest policy can have one.
pub const MAX_SIGNATURE_LINES: usize = MAX_POLICY_LOGS + MAX_POLICY_WITNESSES;

/// The most logs a policy may list.
///
/// "It is strongly recommended that an implementation supports at least up to 32 logs, 32 witnesses, and 32 groups." (C2SP
/// tlog-policy, Implementation limits) No more, since an unknown line is tried against every key.
pub const MAX_POLICY_LOGS: usize = 32;

/// The most witnesses a policy may list.
pub const MAX_POLICY_WITNESSES: usize = 32;

/// The most groups a policy may define.
pub const MAX_POLICY_GROUPS: usize = 32;

/// The most bytes a policy file may have: all its lines with post-quantum keys of 1.8 kB and room for comments.
pub const MAX_POLICY_BYTES: usize = 256 * 1024;

/// The most lines of hashes in a proof file or a witness request.
///
/// "The client MUST NOT send more than 63 consistency proof lines." (C2SP tlog-witness v1.0.0, add-checkpoint) No proof of a
/// tree of at most 2^62 leaves is longer.
pub const MAX_PROOF_HASHES: usize = 63;

/// The most bytes a proof file may have: 63 lines of 45 bytes, a note, and almost as much extra data.
pub const MAX_TLOG_PROOF_BYTES: usize = 2 * MAX_NOTE_BYTES;

/// The most bytes an `add-checkpoint` request may have: a note, 63 lines of 45 bytes, and the old size.
pub const MAX_ADD_CHECKPOINT_BYTES: usize = MAX_NOTE_BYTES + 4096;

/// The most bytes a member proof may have: a record as large as an entry, the longest path, and the rest of the map.
pub const MAX_MEMBER_PROOF_BYTES: usize = MAX_ENTRY_BYTES + MAX_INCLUSION_PATH * 34 + 256;
