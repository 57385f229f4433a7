//! The rows of `meta`, and the value of `checkpoints`, in fixed layouts. Integers are big-endian.
//!
//! `store`, written once by `init`:
//!
//! | Offset | Length | What |
//! |---|---|---|
//! | 0 | 16 | `govlog store v1` and one zero byte |
//! | 16 | 32 | store id, random |
//! | 48 | 8 | epoch |
//! | 56 | rest | origin, UTF-8, not empty |
//!
//! `head`, in every batch (before the first: size 0, the empty tree's root, time 0):
//!
//! | Offset | Length | What |
//! |---|---|---|
//! | 0 | 8 | tree size |
//! | 8 | 32 | root hash |
//! | 40 | 8 | commit time, milliseconds |
//!
//! `conflict/` ‖ number, a statement that collided; such rows come and go, and a program that does not know them overlooks them:
//!
//! | Offset | Length | What |
//! |---|---|---|
//! | 0 | 8 | leaf index of the entry that has its place |
//! | 8 | rest | the statement, as an entry would be logged |
//!
//! `next_conflict`, with every such row: the number of the next one, 8 bytes. So no number is given twice, whatever became of the row that had it.

use std::fmt;

use bytes::Bytes;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};

use super::keys::{self, CHECKPOINTS, META, META_HEAD, META_NEXT_CONFLICT, META_STORE};
use super::{ArchivedNote, ConflictRow, StoreError};
use crate::clock::Millis;
use crate::tree::TreeHead;

const MAGIC: &[u8; 16] = b"govlog store v1\0";

/// Names one store; random, made by `init`, and repeated in the head file that belongs to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StoreId([u8; 32]);

impl StoreId {
    /// Takes an id's bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Makes a new id from the system's randomness.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Returns the id's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&keys::hex(&self.0))
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which store this is, and for which tree it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// This store and no copy of its kind.
    pub store: StoreId,
    /// The epoch of the tree, from 1.
    pub epoch: u64,
    /// The log's origin.
    pub origin: String,
}

impl Identity {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut row = MAGIC.to_vec();
        row.extend_from_slice(self.store.as_bytes());
        row.extend_from_slice(&self.epoch.to_be_bytes());
        row.extend_from_slice(self.origin.as_bytes());
        row
    }

    pub(super) fn decode(row: &[u8]) -> Result<Self, StoreError> {
        Self::parse(row)
            .ok_or_else(|| StoreError::malformed(META, META_STORE, "not a govlog store's identity, version 1"))
    }

    fn parse(row: &[u8]) -> Option<Self> {
        let rest = row.strip_prefix(MAGIC)?;
        let (store, rest) = rest.split_first_chunk::<32>()?;
        let (epoch, origin) = rest.split_first_chunk::<8>()?;
        let origin = std::str::from_utf8(origin).ok().filter(|text| !text.is_empty())?;
        Some(Self { store: StoreId(*store), epoch: u64::from_be_bytes(*epoch), origin: origin.to_owned() })
    }
}

pub(super) fn encode_head(head: &TreeHead) -> Vec<u8> {
    let mut row = Vec::with_capacity(48);
    row.extend_from_slice(&head.size.get().to_be_bytes());
    row.extend_from_slice(head.root.as_bytes());
    row.extend_from_slice(&head.time.get().to_be_bytes());
    row
}

pub(super) fn decode_head(row: &[u8]) -> Result<TreeHead, StoreError> {
    let parse = || {
        let (size, rest) = row.split_first_chunk::<8>()?;
        let (root, rest) = rest.split_first_chunk::<32>()?;
        Some(TreeHead {
            size: TreeSize::new(u64::from_be_bytes(*size)),
            root: Digest::from_bytes(*root),
            time: Millis::new(keys::parse_u64(rest)?),
        })
    };
    parse().ok_or_else(|| StoreError::malformed(META, META_HEAD, format!("{} bytes, not 48", row.len())))
}

pub(super) fn encode_note(note: &ArchivedNote) -> Vec<u8> {
    let mut row = note.time.get().to_be_bytes().to_vec();
    row.extend_from_slice(&note.note);
    row
}

pub(super) fn decode_note(key: &[u8], row: &[u8]) -> Result<ArchivedNote, StoreError> {
    let parse = || {
        let size = keys::parse_u64(key)?;
        let (time, note) = row.split_first_chunk::<8>()?;
        Some(ArchivedNote {
            size: TreeSize::new(size),
            time: Millis::new(u64::from_be_bytes(*time)),
            note: Bytes::copy_from_slice(note),
        })
    };
    parse().ok_or_else(|| StoreError::malformed(CHECKPOINTS, key, "not a size with a time and a note"))
}

pub(super) fn encode_conflict(conflict: &ConflictRow) -> Vec<u8> {
    let mut row = conflict.entry.get().to_be_bytes().to_vec();
    row.extend_from_slice(&conflict.statement);
    row
}

/// Where numbers go on once rows are added.
pub(super) fn next_conflict(next: u64, added: &[ConflictRow]) -> u64 {
    added.iter().map(|row| row.number.saturating_add(1)).fold(next, u64::max)
}

pub(super) fn decode_next_conflict(row: &[u8]) -> Result<u64, StoreError> {
    keys::parse_u64(row).ok_or_else(|| StoreError::malformed(META, META_NEXT_CONFLICT, "not a number"))
}

pub(super) fn decode_conflict(key: &[u8], row: &[u8]) -> Result<ConflictRow, StoreError> {
    let parse = || {
        let number = keys::parse_conflict(key)?;
        let (entry, statement) = row.split_first_chunk::<8>()?;
        let entry = LeafIndex::new(u64::from_be_bytes(*entry));
        Some(ConflictRow { number, entry, statement: Bytes::copy_from_slice(statement) })
    };
    parse().ok_or_else(|| StoreError::malformed(META, key, "not a number with an entry and a statement"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { store: StoreId::from_bytes([7; 32]), epoch: 1, origin: "log.example/a".into() }
    }

    #[test]
    fn an_identity_has_its_documented_bytes_and_reads_back() {
        let row = identity().encode();
        assert_eq!(&row[..16], b"govlog store v1\0");
        assert_eq!(&row[16..48], &[7; 32]);
        assert_eq!(&row[48..56], &[0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(&row[56..], b"log.example/a");
        assert_eq!(Identity::decode(&row).unwrap(), identity());
    }

    #[test]
    fn another_identity_is_refused() {
        let row = identity().encode();
        for end in 0..=56 {
            assert!(Identity::decode(&row[..end]).is_err(), "cut at {end}");
        }
        let mut other = row.clone();
        other[14] = b'2';
        assert!(Identity::decode(&other).is_err());
        let mut binary = row;
        binary[56] = 0xff;
        assert!(Identity::decode(&binary).is_err());
    }

    #[test]
    fn a_head_has_48_bytes_and_no_other_number() {
        let head = TreeHead { size: TreeSize::new(258), root: Digest::from_bytes([9; 32]), time: Millis::new(3) };
        let row = encode_head(&head);
        assert_eq!(&row[..8], &[0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(&row[40..], &[0, 0, 0, 0, 0, 0, 0, 3]);
        assert_eq!(decode_head(&row).unwrap(), head);
        assert!(decode_head(&row[..47]).is_err());
        assert!(decode_head(&[row, vec![0]].concat()).is_err());
    }

    #[test]
    fn a_note_row_reads_back_and_names_its_key_when_it_does_not() {
        let note = ArchivedNote { size: TreeSize::new(5), time: Millis::new(6), note: Bytes::from_static(b"n\n") };
        assert_eq!(decode_note(&[0, 0, 0, 0, 0, 0, 0, 5], &encode_note(&note)).unwrap(), note);
        let error = decode_note(&[0, 0, 0, 0, 0, 0, 0, 5], &[1; 7]).unwrap_err().to_string();
        assert!(error.contains("0000000000000005"), "{error}");
    }
}
