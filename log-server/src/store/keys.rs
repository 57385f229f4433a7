//! The key schema, byte by byte. All integers are big-endian, so that keys sort as numbers do.
//!
//! | Column family | Key | Value |
//! |---|---|---|
//! | `entries` | leaf index, 8 bytes | the entry's bytes as logged |
//! | `tiles` | level, 1 byte ‖ number, 8 bytes | 8,192 bytes: 256 hashes; full tiles only |
//! | `streams` | [`StreamId`], 32 bytes ‖ sequence number, 8 bytes; without a stream the Sig_structure digest, 32 bytes | leaf index, 8 bytes |
//! | `checkpoints` | tree size, 8 bytes | commit time in milliseconds, 8 bytes ‖ the note's bytes |
//! | `meta` | `store`, `head` or `next_conflict`, ASCII; `conflict/`, ASCII ‖ number, 8 bytes | see `meta.rs` |
//!
//! A [`StreamId`] is SHA-256 of the length of `iss` in bytes as an unsigned 64-bit big-endian integer, then `iss`, then
//! the stream's name: the length keeps (`ab`, `c`) and (`a`, `bc`) apart. Keys of 32 and of 40 bytes share the family;
//! the two kinds never compare equal, and a range over one stream's 40-byte keys meets a 32-byte key only if two SHA-256
//! digests agree.

use govlog_formats::digest::Digest;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::statement::SignedStatement;
use govlog_formats::tile::TileId;

/// Column family of entries.
pub(super) const ENTRIES: &str = "entries";
/// Column family of full tiles.
pub(super) const TILES: &str = "tiles";
/// Column family of stream positions, which is also the duplicate table.
pub(super) const STREAMS: &str = "streams";
/// Column family of archived notes.
pub(super) const CHECKPOINTS: &str = "checkpoints";
/// Column family of identity and head.
pub(super) const META: &str = "meta";

/// Key in `meta` of the store's identity.
pub(super) const META_STORE: &[u8] = b"store";
/// Key in `meta` of the head of the last batch.
pub(super) const META_HEAD: &[u8] = b"head";

/// Key in `meta` of the number that the next row of the table of conflicts gets.
pub(super) const META_NEXT_CONFLICT: &[u8] = b"next_conflict";

/// What keys in `meta` of the table of conflicts begin with.
const CONFLICT: &[u8; 9] = b"conflict/";
/// The first key in `meta` after those of the table of conflicts.
pub(super) const CONFLICTS_END: &[u8] = b"conflict0";

/// Names a stream: the issuer's `iss` and the stream's name, as one digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(Digest);

impl StreamId {
    /// Names the stream `stream` of issuer `iss`.
    #[must_use]
    pub fn new(iss: &str, stream: &str) -> Self {
        // A `usize` has at most 64 bits on every platform this builds for.
        let length = u64::try_from(iss.len()).unwrap_or(u64::MAX);
        let mut bytes = Vec::with_capacity(8 + iss.len() + stream.len());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(iss.as_bytes());
        bytes.extend_from_slice(stream.as_bytes());
        Self(Digest::sha256(&bytes))
    }

    /// Returns the digest.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.0
    }
}

/// The place a statement takes in the duplicate table: at most one entry ever stands under each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StreamKey {
    /// A position in a stream.
    Position {
        /// The stream.
        stream: StreamId,
        /// The sequence number in it.
        seq: u64,
    },
    /// A statement outside every stream, by its Sig_structure digest.
    Alone(Digest),
}

impl StreamKey {
    /// Returns the place that a statement's claims ask for.
    #[must_use]
    pub fn of(statement: &SignedStatement) -> Self {
        let claims = statement.claims();
        claims.stream.as_ref().map_or_else(
            || Self::Alone(statement.sig_structure_digest()),
            |position| Self::Position { stream: StreamId::new(&claims.iss, &position.stream), seq: position.seq },
        )
    }

    /// Returns the key's bytes: 40 for a position, 32 for a statement alone.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Position { stream, seq } => stream_key(stream, *seq).to_vec(),
            Self::Alone(identity) => identity.as_bytes().to_vec(),
        }
    }
}

pub(super) fn stream_key(stream: &StreamId, seq: u64) -> [u8; 40] {
    concat(stream.0.as_bytes(), &seq.to_be_bytes())
}

pub(super) const fn index_key(index: LeafIndex) -> [u8; 8] {
    index.get().to_be_bytes()
}

pub(super) fn conflict_key(number: u64) -> [u8; 17] {
    concat(CONFLICT, &number.to_be_bytes())
}

/// Reads the number of a key of the table of conflicts.
pub(super) fn parse_conflict(key: &[u8]) -> Option<u64> {
    key.strip_prefix(CONFLICT.as_slice()).and_then(parse_u64)
}

pub(super) fn tile_key(id: TileId) -> [u8; 9] {
    concat(&[id.level], &id.n.to_be_bytes())
}

/// Reads an integer that fills its field.
pub(super) fn parse_u64(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

/// Reads the sequence number of a 40-byte key of the given stream.
pub(super) fn parse_seq(stream: &StreamId, key: &[u8]) -> Option<u64> {
    key.strip_prefix(stream.0.as_bytes().as_slice()).and_then(parse_u64)
}

/// Joins two fields into a key whose length is the sum of theirs; what does not fit is left out.
fn concat<const N: usize>(head: &[u8], tail: &[u8]) -> [u8; N] {
    let mut key = [0; N];
    for (to, from) in key.iter_mut().zip(head.iter().chain(tail)) {
        *to = *from;
    }
    key
}

/// Writes bytes as lower-case hexadecimal, for messages.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a `String` cannot fail.
        write!(out, "{byte:02x}").unwrap_or_default();
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_named_by_length_issuer_and_name() {
        let mut bytes = vec![0, 0, 0, 0, 0, 0, 0, 13];
        bytes.extend_from_slice(b"https://a.exadefault");
        assert_eq!(StreamId::new("https://a.exa", "default").digest(), &Digest::sha256(&bytes));
        assert_ne!(StreamId::new("ab", "c"), StreamId::new("a", "bc"));
        // Bytes, not characters.
        assert_eq!(StreamId::new("é", "s").digest(), &Digest::sha256(b"\0\0\0\0\0\0\0\x02\xc3\xa9s"));
    }

    #[test]
    fn keys_have_their_documented_bytes() {
        let stream = StreamId::new("i", "s");
        let key = StreamKey::Position { stream, seq: 0x0102_0304_0506_0708 }.encode();
        assert_eq!(key.len(), 40);
        assert_eq!(&key[..32], stream.digest().as_bytes());
        assert_eq!(&key[32..], &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(StreamKey::Alone(*stream.digest()).encode(), stream.digest().as_bytes());
        assert_eq!(index_key(LeafIndex::new(258)), [0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(tile_key(TileId { level: 3, n: 258 }), [3, 0, 0, 0, 0, 0, 0, 1, 2]);
    }

    #[test]
    fn a_sequence_number_is_read_only_from_its_own_stream() {
        let (mine, other) = (StreamId::new("i", "s"), StreamId::new("i", "t"));
        assert_eq!(parse_seq(&mine, &stream_key(&mine, 7)), Some(7));
        assert_eq!(parse_seq(&mine, &stream_key(&other, 7)), None);
        assert_eq!(parse_seq(&mine, mine.digest().as_bytes()), None);
    }

    #[test]
    fn keys_sort_as_numbers() {
        let stream = StreamId::new("i", "s");
        for (a, b) in [(0u64, 1u64), (255, 256), (1 << 32, (1 << 32) + 1), (u64::MAX - 1, u64::MAX)] {
            assert!(stream_key(&stream, a) < stream_key(&stream, b));
            assert!(index_key(LeafIndex::new(a)) < index_key(LeafIndex::new(b)));
            assert!(tile_key(TileId { level: 0, n: a }) < tile_key(TileId { level: 0, n: b }));
        }
    }
}
