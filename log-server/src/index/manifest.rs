//! The engine's list of files, checked before the engine reads it.
//!
//! `CURRENT` names a file `MANIFEST-<number>`, a sequence of records in blocks of 32 KiB: checksum u32 ‖ length u16 ‖ type u8 ‖ content, integers
//! little-endian, and zeros where no header fits into what is left of a block. With a bit flipped in it the engine (11.8.1) was seen to look for
//! the next record for ever, which neither ends nor can be stopped. So every record is checked here, and whatever is not as it was written is a
//! fault: an index costs only time.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use super::fault::{Fault, file};

const BLOCK: usize = 32 << 10;
const HEADER: usize = 7;
const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

/// Checks the list of files of the database at `path`, if there is one.
///
/// # Errors
/// [`Fault::Manifest`] when it is not as it was written.
pub(super) fn check(path: &Path) -> Result<(), Fault> {
    let current = path.join("CURRENT");
    if !current.exists() {
        // The engine makes a new database. Sorted files of an old one would be nobody's.
        return Ok(());
    }
    let named = fs::read(&current).map_err(file(&current))?;
    let name = std::str::from_utf8(&named).ok().and_then(|text| text.strip_suffix('\n'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let name = name.filter(|name| name.strip_prefix("MANIFEST-").is_some_and(is_number));
    let listed = path.join(name.ok_or(Fault::Manifest("CURRENT names no file"))?);
    let bytes = fs::read(&listed).map_err(file(&listed))?;
    records(&bytes).map_err(Fault::Manifest)
}

/// Checks that bytes are whole records from beginning to end.
fn records(bytes: &[u8]) -> Result<(), &'static str> {
    let mut within = false;
    for block in bytes.chunks(BLOCK) {
        let mut rest = block;
        while rest.len() >= HEADER {
            let (kind, after) = record(rest)?;
            within = match (within, kind) {
                (false, FULL) | (true, LAST) => false,
                (false, FIRST) | (true, MIDDLE) => true,
                _ => return Err("a record is in the wrong place"),
            };
            rest = after;
        }
        if rest.iter().any(|byte| *byte != 0) || (block.len() < BLOCK && !rest.is_empty()) {
            return Err("a record is cut short");
        }
    }
    if within || bytes.is_empty() { Err("the last record is not there") } else { Ok(()) }
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
    fn every_flipped_bit_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let mut options = rocksdb::Options::default();
        options.create_if_missing(true);
        drop(rocksdb::DB::open(&options, directory.path()).unwrap());
        check(directory.path()).unwrap();
        let manifest = fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().path());
        let manifest = manifest.filter(|path| path.display().to_string().contains("MANIFEST-")).max().unwrap();
        let bytes = fs::read(&manifest).unwrap();
        assert!(bytes.len() > 100);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(records(&flipped).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            // What ends between two records is a whole list, of an earlier time: then segments are missing, and that is seen.
            let _ = records(&bytes[..length]);
        }
        fs::write(directory.path().join("CURRENT"), "MANIFEST-1x\n").unwrap();
        assert!(matches!(check(directory.path()), Err(Fault::Manifest(_))));
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
        records(&whole).unwrap();
        // Six bytes are left of the block, too few for a header.
        let padded = [piece(FULL, &[7; BLOCK - HEADER - 6]), vec![0; 6], piece(FULL, b"x")].concat();
        records(&padded).unwrap();
        let unpadded = [piece(FULL, &[7; BLOCK - HEADER - 6]), vec![1; 6], piece(FULL, b"x")].concat();
        for wrong in
            [&unpadded[..], &whole[..BLOCK], &whole[..2 * BLOCK + 3], &piece(MIDDLE, b"x"), &piece(9, b"x"), b""]
        {
            assert!(records(wrong).is_err());
        }
    }
}
