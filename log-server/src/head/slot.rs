//! One slot of the head file, byte by byte. Integers are big-endian.
//!
//! | Offset | Length | What |
//! |---|---|---|
//! | 0 | 16 | `govlog head v1` and two zero bytes |
//! | 16 | 32 | store id |
//! | 48 | 32 | SHA-256 of the origin |
//! | 80 | 8 | generation |
//! | 88 | 8 | tree size |
//! | 96 | 32 | root hash |
//! | 128 | 8 | commit time, milliseconds |
//! | 136 | 32 | SHA-256 of bytes 0 to 135 |
//! | 168 | 3,928 | zero |
//!
//! All that differs from one write to the next lies in the first 512 bytes, one sector of any disk. A slot whose write was
//! cut short at any byte is either the old one, the new one, or invalid.

use govlog_formats::digest::Digest;
use govlog_formats::merkle::TreeSize;

use super::HeadOwner;
use crate::clock::Millis;
use crate::store::StoreId;
use crate::tree::TreeHead;

/// Bytes of one slot.
pub(super) const SLOT_BYTES: usize = 4096;
const MAGIC: &[u8; 16] = b"govlog head v1\0\0";
/// Bytes that the digest covers.
const FIELDS: usize = 136;
/// Bytes that say something: fields and digest.
pub(super) const WRITTEN: usize = FIELDS + 32;

/// What is wrong with a slot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SlotFault {
    /// It does not begin as a slot of this version does.
    #[error("is no head slot, version 1")]
    Magic,
    /// Its digest is not that of its fields.
    #[error("has a digest that is not that of its fields")]
    Digest,
    /// There is something behind the digest.
    #[error("is not zero at byte {0}")]
    Padding(usize),
    /// Its generation belongs into the other slot.
    #[error("holds generation {0}, which belongs into the other slot")]
    Place(u64),
    /// It is not as long as a slot.
    #[error("is not 4096 bytes long")]
    Length,
}

/// A slot's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) owner: HeadOwner,
    pub(super) generation: u64,
    pub(super) head: TreeHead,
}

impl Slot {
    /// Returns which slot a generation is written to: they alternate.
    pub(super) const fn place(generation: u64) -> u64 {
        generation % 2
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SLOT_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(self.owner.store.as_bytes());
        bytes.extend_from_slice(self.owner.origin.as_bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.head.size.get().to_be_bytes());
        bytes.extend_from_slice(self.head.root.as_bytes());
        bytes.extend_from_slice(&self.head.time.get().to_be_bytes());
        let digest = Digest::sha256(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        bytes.resize(SLOT_BYTES, 0);
        bytes
    }

    /// Reads the slot that stands at `place`, 0 or 1.
    pub(super) fn decode(place: u64, bytes: &[u8]) -> Result<Self, SlotFault> {
        if bytes.len() != SLOT_BYTES {
            return Err(SlotFault::Length);
        }
        let (fields, rest) = bytes.split_first_chunk::<FIELDS>().ok_or(SlotFault::Length)?;
        let (digest, padding) = rest.split_first_chunk::<32>().ok_or(SlotFault::Length)?;
        let after_magic = fields.strip_prefix(MAGIC).ok_or(SlotFault::Magic)?;
        if Digest::sha256(fields).as_bytes() != digest {
            return Err(SlotFault::Digest);
        }
        if let Some(at) = padding.iter().position(|byte| *byte != 0) {
            return Err(SlotFault::Padding(WRITTEN + at));
        }
        let slot = Self::parse(after_magic).ok_or(SlotFault::Length)?;
        if Self::place(slot.generation) != place {
            return Err(SlotFault::Place(slot.generation));
        }
        Ok(slot)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (store, rest) = bytes.split_first_chunk::<32>()?;
        let (origin, rest) = rest.split_first_chunk::<32>()?;
        let (generation, rest) = rest.split_first_chunk::<8>()?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let (root, rest) = rest.split_first_chunk::<32>()?;
        let (time, _) = rest.split_first_chunk::<8>()?;
        Some(Self {
            owner: HeadOwner { store: StoreId::from_bytes(*store), origin: Digest::from_bytes(*origin) },
            generation: u64::from_be_bytes(*generation),
            head: TreeHead {
                size: TreeSize::new(u64::from_be_bytes(*size)),
                root: Digest::from_bytes(*root),
                time: Millis::new(u64::from_be_bytes(*time)),
            },
        })
    }
}

#[cfg(test)]
pub(super) fn sample(generation: u64, size: u64) -> Slot {
    let owner = HeadOwner { store: StoreId::from_bytes([1; 32]), origin: Digest::sha256(b"log.example/a") };
    let root = Digest::sha256(&size.to_be_bytes());
    Slot { owner, generation, head: TreeHead { size: TreeSize::new(size), root, time: Millis::new(1000 + size) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_has_its_documented_bytes_and_reads_back() {
        let slot = sample(0x0102, 0x0304);
        let bytes = slot.encode();
        assert_eq!(bytes.len(), SLOT_BYTES);
        assert_eq!(&bytes[..16], b"govlog head v1\0\0");
        assert_eq!(&bytes[16..48], &[1; 32]);
        assert_eq!(&bytes[48..80], Digest::sha256(b"log.example/a").as_bytes());
        assert_eq!(&bytes[80..88], &[0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(&bytes[88..96], &[0, 0, 0, 0, 0, 0, 3, 4]);
        assert_eq!(&bytes[96..128], slot.head.root.as_bytes());
        assert_eq!(&bytes[128..136], &(1000u64 + 0x0304).to_be_bytes());
        assert_eq!(&bytes[136..168], Digest::sha256(&bytes[..136]).as_bytes());
        assert!(bytes[168..].iter().all(|byte| *byte == 0));
        assert_eq!(Slot::decode(0, &bytes).unwrap(), slot);
        assert_eq!(Slot::decode(1, &bytes), Err(SlotFault::Place(0x0102)));
    }

    #[test]
    fn every_single_bit_counts() {
        let bytes = sample(3, 5).encode();
        for bit in 0..SLOT_BYTES * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Slot::decode(1, &flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_write_cut_short_at_any_byte_leaves_the_old_the_new_or_an_invalid_slot() {
        let (old, new) = (sample(3, 5), sample(5, 9));
        let (before, after) = (old.encode(), new.encode());
        let mut torn = 0;
        for cut in 0..=SLOT_BYTES {
            let bytes = [&after[..cut], &before[cut..]].concat();
            match Slot::decode(1, &bytes) {
                Ok(slot) if slot == old => assert_eq!(bytes, before, "cut {cut}"),
                Ok(slot) if slot == new => assert_eq!(bytes, after, "cut {cut}"),
                Ok(slot) => panic!("cut {cut} reads as a third head: {slot:?}"),
                Err(_) => torn += 1,
            }
        }
        assert!(torn > 50, "some cuts must tear: {torn}");
    }

    #[test]
    fn lengths_other_than_a_slot_are_refused() {
        let bytes = sample(3, 5).encode();
        for length in [0, 1, 16, 135, 136, 167, 168, 4095] {
            assert_eq!(Slot::decode(1, &bytes[..length]), Err(SlotFault::Length), "{length} bytes");
        }
        assert_eq!(Slot::decode(1, &[bytes, vec![0]].concat()), Err(SlotFault::Length));
    }
}
