//! The engine's list of files, checked before the engine reads it.
//!
//! `CURRENT` names a file `MANIFEST-<number>`, a sequence of records in blocks of 32 KiB: checksum u32 ‖ length u16 ‖ type u8 ‖ content, integers
//! little-endian, and zeros where no header fits into what is left of a block. With a bit flipped in it the engine (11.8.1) was seen to look for
//! the next record for ever, which neither ends nor can be stopped. So every record is checked here first. How its end may look depends on what the
//! database is: [`End`].

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

const BLOCK: usize = 32 << 10;
const HEADER: usize = 7;
const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

/// What the end of the list may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The end of a whole record, and nothing else: for a database that is made anew where anything is wrong with it.
    Whole,
    /// A power cut may have left a part of a record, or zeros: the engine stops reading there.
    Torn,
}

/// Why a database is not opened.
#[derive(Debug)]
pub(crate) enum ManifestError {
    /// A file could not be read.
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The list is not as it was written.
    Content(&'static str),
}

/// Checks the list of files of the database at `path`, if there is one.
///
/// # Errors
/// [`ManifestError`] when it is not as it was written.
pub(crate) fn check(path: &Path, end: End) -> Result<(), ManifestError> {
    let read = |file: &Path| fs::read(file).map_err(|source| ManifestError::File { path: file.to_owned(), source });
    let current = path.join("CURRENT");
    if !current.exists() {
        // The engine makes a new database. Sorted files of an old one would be nobody's.
        return Ok(());
    }
    let named = read(&current)?;
    let name = std::str::from_utf8(&named).ok().and_then(|text| text.strip_suffix('\n'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let name = name.filter(|name| name.strip_prefix("MANIFEST-").is_some_and(is_number));
    let listed = path.join(name.ok_or(ManifestError::Content("CURRENT names no file"))?);
    records(&read(&listed)?, end).map_err(ManifestError::Content)
}

/// Checks that bytes are records from beginning to end.
fn records(bytes: &[u8], end: End) -> Result<(), &'static str> {
    let (mut within, mut left) = (false, bytes);
    while !left.is_empty() {
        let (block, later) = left.split_at(left.len().min(BLOCK));
        let mut rest = block;
        while rest.len() >= HEADER {
            // Where the engine's own buffer has zeros, or not yet all of a record, the file was being written when the power went.
            let is_torn = || later.is_empty() && (is_cut(rest) || is_zero(rest));
            if end == End::Torn && is_torn() {
                return Ok(());
            }
            let (kind, after) = record(rest)?;
            within = match (within, kind) {
                (false, FULL) | (true, LAST) => false,
                (false, FIRST) | (true, MIDDLE) => true,
                _ => return Err("a record is in the wrong place"),
            };
            rest = after;
        }
        let is_padding = block.len() == BLOCK && is_zero(rest);
        if !rest.is_empty() && !is_padding && (end == End::Whole || !later.is_empty()) {
            return Err("a record is cut short");
        }
        left = later;
    }
    match end {
        End::Whole if within => Err("the last record is not there"),
        _ if bytes.is_empty() => Err("it is empty"),
        _ => Ok(()),
    }
}

/// Whether bytes are too few for the record that begins there.
fn is_cut(bytes: &[u8]) -> bool {
    let length = bytes.get(4..6).and_then(|length| length.try_into().ok()).map(u16::from_le_bytes);
    length.is_none_or(|length| bytes.len() < HEADER + usize::from(length))
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Checks the record at the beginning of bytes; returns its type, and what follows it.
fn record(bytes: &[u8]) -> Result<(u8, &[u8]), &'static str> {
    let cut = "a record is cut short";
    let (checksum, rest) = bytes.split_first_chunk::<4>().ok_or(cut)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(cut)?;
    let length = usize::from(u16::from_le_bytes(*length));
    let (checked, after) = rest.split_at_checked(length + 1).ok_or(cut)?;
    if masked(crc32c(checked)) != u32::from_le_bytes(*checksum) {
        return Err("a record does not match its checksum");
    }
    Ok((checked.first().copied().unwrap_or_default(), after))
}

/// The form in which checksums are stored, so that a checksum of checksums is a sound one.
const fn masked(checksum: u32) -> u32 {
    checksum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli; RFC 3720 appendix B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    static TABLE: LazyLock<Vec<u32>> = LazyLock::new(|| {
        let step = |crc: u32, _: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        (0..256).map(|byte| (0..8).fold(byte, step)).collect()
    });
    let step = |crc: u32, byte: &u8| {
        let [low, ..] = crc.to_le_bytes();
        let place = usize::from(low ^ byte);
        crc >> 8 ^ TABLE.get(place).copied().unwrap_or_default()
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of the algorithm, and an example of RFC 3720 B.4.
    #[test]
    fn the_checksum_is_crc32c() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn every_flipped_bit_is_found_and_a_torn_end_is_told_from_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut options = rocksdb::Options::default();
        options.create_if_missing(true);
        drop(rocksdb::DB::open(&options, directory.path()).unwrap());
        check(directory.path(), End::Whole).unwrap();
        let manifest = fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().path());
        let manifest = manifest.filter(|path| path.display().to_string().contains("MANIFEST-")).max().unwrap();
        let bytes = fs::read(&manifest).unwrap();
        assert!(bytes.len() > 100);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(records(&flipped, End::Whole).is_err(), "bit {bit}");
            // Only a length may be one that the power cut short.
            assert!(records(&flipped, End::Torn).is_err() || is_in_a_length(&bytes, bit / 8), "bit {bit}");
        }
        let ends = ends(&bytes);
        assert!(ends.len() > 2);
        for length in 1..bytes.len() {
            // What ends between two records is a whole list, of an earlier time: then segments are missing, and that is seen.
            assert_eq!(records(&bytes[..length], End::Whole).is_ok(), ends.contains(&length), "{length} bytes");
            records(&bytes[..length], End::Torn).unwrap();
            records(&[&bytes[..], &vec![0; length]].concat(), End::Torn).unwrap();
        }
        fs::write(directory.path().join("CURRENT"), "MANIFEST-1x\n").unwrap();
        assert!(matches!(check(directory.path(), End::Torn), Err(ManifestError::Content(_))));
    }

    /// Where each record of a list of one block ends.
    fn ends(bytes: &[u8]) -> Vec<usize> {
        let mut ends = Vec::new();
        let mut end = 0;
        while end < bytes.len() {
            end += HEADER + usize::from(u16::from_le_bytes([bytes[end + 4], bytes[end + 5]]));
            ends.push(end);
        }
        ends
    }

    fn is_in_a_length(bytes: &[u8], at: usize) -> bool {
        std::iter::once(0).chain(ends(bytes)).any(|begin| (begin + 4..begin + 6).contains(&at))
    }

    #[test]
    fn records_may_reach_over_blocks() {
        let piece = |kind: u8, content: &[u8]| {
            let checked = [&[kind][..], content].concat();
            let length = u16::try_from(content.len()).unwrap();
            [&masked(crc32c(&checked)).to_le_bytes()[..], &length.to_le_bytes(), &checked].concat()
        };
        let whole =
            [piece(FIRST, &[7; BLOCK - HEADER]), piece(MIDDLE, &[7; BLOCK - HEADER]), piece(LAST, &[7; 9])].concat();
        records(&whole, End::Whole).unwrap();
        // Six bytes are left of the block, too few for a header.
        let padded = [piece(FULL, &[7; BLOCK - HEADER - 6]), vec![0; 6], piece(FULL, b"x")].concat();
        records(&padded, End::Whole).unwrap();
        let unpadded = [piece(FULL, &[7; BLOCK - HEADER - 6]), vec![1; 6], piece(FULL, b"x")].concat();
        for wrong in
            [&unpadded[..], &whole[..BLOCK], &whole[..2 * BLOCK + 3], &piece(MIDDLE, b"x"), &piece(9, b"x"), b""]
        {
            assert!(records(wrong, End::Whole).is_err());
        }
    }
}
