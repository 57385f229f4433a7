//! The heads of CBOR items: major type and argument (RFC 8949 §3).

use super::CborFault;

pub(super) const UINT: u8 = 0;
pub(super) const NINT: u8 = 1;
pub(super) const BYTES: u8 = 2;
pub(super) const TEXT: u8 = 3;
pub(super) const ARRAY: u8 = 4;
pub(super) const MAP: u8 = 5;
pub(super) const TAG: u8 = 6;
pub(super) const SIMPLE: u8 = 7;

/// The byte that ends what has an indefinite length.
pub(super) const BREAK: u8 = 0xff;

/// The first bytes of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The major type, 0–7.
    pub(super) major: u8,
    /// The argument; none stands for an indefinite length.
    pub(super) argument: Option<u64>,
    /// How many bytes the head has: 1, 2, 3, 5 or 9.
    pub(super) len: usize,
}

impl Head {
    /// Reads the head of the item that begins at an offset.
    pub(super) fn read(bytes: &[u8], at: usize) -> Result<Self, CborFault> {
        let rest = bytes.get(at..).unwrap_or_default();
        let first = *rest.first().ok_or(CborFault::Truncated)?;
        let (major, info) = (first >> 5, first & 0x1f);
        let (argument, len) = match info {
            0..=23 => (Some(u64::from(info)), 1),
            24 => (Some(argument::<1>(rest)?), 2),
            25 => (Some(argument::<2>(rest)?), 3),
            26 => (Some(argument::<4>(rest)?), 5),
            27 => (Some(argument::<8>(rest)?), 9),
            31 if first == BREAK => return Err(CborFault::Break),
            31 if (BYTES..=MAP).contains(&major) => (None, 1),
            // "28, 29, 30: These values are reserved […] the encoded item is not well-formed. 31: […] If the major type is 0, 1,
            // or 6, the encoded item is not well-formed." (RFC 8949 §3)
            _ => return Err(CborFault::Reserved(first)),
        };
        Ok(Self { major, argument, len })
    }

    /// Says whether a shorter head could not hold the argument.
    pub(super) const fn is_shortest(&self) -> bool {
        let Some(argument) = self.argument else { return true };
        self.len == head_len(argument)
    }
}

/// Returns how many bytes the shortest head with an argument has.
pub(super) const fn head_len(argument: u64) -> usize {
    match argument {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

/// Reads the `N` bytes after the first one as a big-endian number.
fn argument<const N: usize>(rest: &[u8]) -> Result<u64, CborFault> {
    let bytes = rest.get(1..1 + N).ok_or(CborFault::Truncated)?;
    Ok(bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
}
