//! Entry bundles: entries one after the other, each behind its length as a big-endian u16.

use super::WIDTH;
use crate::limits::MAX_ENTRY_BYTES;

/// Why bytes are not a bundle, or an entry fits in none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The bundle ends inside an entry, or before one that its width promises.
    #[error("the bundle ends inside entry {0}")]
    Truncated(u16),
    /// Bytes follow the last entry.
    #[error("{0} bytes follow the last entry of the bundle")]
    Trailing(usize),
    /// No bundle is as wide.
    #[error("a bundle has 1 to 256 entries, not {0}")]
    Width(u16),
    /// The entry has more bytes than a u16 can say.
    #[error("an entry has at most {MAX_ENTRY_BYTES} bytes, not {0}")]
    TooLong(usize),
}

/// Splits a bundle into its entries.
///
/// # Errors
///
/// Anything but exactly `width` entries is refused.
pub fn parse(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleError> {
    if width == 0 || u64::from(width) > WIDTH {
        return Err(BundleError::Width(width));
    }
    let mut entries = Vec::with_capacity(usize::from(width));
    let mut rest = bytes;
    for position in 0..width {
        let (entry, after) = split_entry(rest).ok_or(BundleError::Truncated(position))?;
        entries.push(entry);
        rest = after;
    }
    if rest.is_empty() { Ok(entries) } else { Err(BundleError::Trailing(rest.len())) }
}

/// Appends an entry to the bytes of a bundle.
///
/// # Errors
///
/// An entry of more than 65,535 bytes is refused, and nothing is written.
pub fn append(out: &mut Vec<u8>, entry: &[u8]) -> Result<(), BundleError> {
    let length = u16::try_from(entry.len()).map_err(|_| BundleError::TooLong(entry.len()))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(entry);
    Ok(())
}

/// Splits the first entry off; nothing when the bytes end inside it.
fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
