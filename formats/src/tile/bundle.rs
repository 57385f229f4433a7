//! Entry bundles: entries one after the other, each behind its length as a big-endian u16.

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
    #[error("an entry has at most 65,535 bytes, not {0}")]
    TooLong(usize),
}

/// Splits a bundle into its entries.
///
/// # Errors
///
/// Anything but exactly `width` entries is refused.
pub fn parse(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleError> {
    let _ = (bytes, width);
    unimplemented!()
}

/// Appends an entry to the bytes of a bundle.
///
/// # Errors
///
/// An entry of more than 65,535 bytes is refused, and nothing is written.
pub fn append(out: &mut Vec<u8>, entry: &[u8]) -> Result<(), BundleError> {
    let _ = (out, entry);
    unimplemented!()
}
