//! The archive: a ZIP file of which every byte follows from the names and contents of its members.
//!
//! "members STORED, sorted, names `[a-z0-9._/-]`, no directories, extras, comments or descriptors, fixed times" (DESIGN §4). Reading takes the
//! members and compares the whole with what writing them gives, so that nothing can stand between, before or after them, and every tool that
//! reads ZIP files reads the same. A general library promises neither to write the same bytes in its next version nor to refuse what it can
//! make sense of; this subset of the format is a page long.

use std::collections::BTreeMap;

/// The most bytes a custody file may have: it is judged in memory, and ZIP without its 64-bit extension ends at four times that.
pub const MAX_FILE_BYTES: usize = 1024 * 1024 * 1024;
/// The most members: the count is written in 16 bits, of which the highest value means something else.
pub const MAX_MEMBERS: usize = 65_534;
/// The most bytes of a name.
const MAX_NAME_BYTES: usize = 255;
/// The one name that people look for first, and that has capitals by custom.
pub(super) const VERIFY: &str = "VERIFY.md";

/// Why bytes are no archive of ours, or members cannot be written as one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// There is too much of it.
    #[error("{found} {what}; a custody file has at most {most}")]
    Bound {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        most: usize,
    },
    /// It does not begin as an archive does.
    #[error("no custody file: it does not begin with the header of a ZIP file's first member")]
    NotZip,
    /// It ends in the middle of a member.
    #[error("offset {offset}: the file ends within a member")]
    Truncated {
        /// Where the member begins.
        offset: usize,
    },
    /// A member has a name that none can have.
    #[error("member {0:?}: names are made of a-z, 0-9, '.', '_', '-' and '/', without empty or dotted parts")]
    Name(String),
    /// The members are not in order, or one stands there twice.
    #[error("member {name:?} stands after {before:?}; members are sorted by name, each there once")]
    Order {
        /// The member.
        name: String,
        /// The one before it.
        before: String,
    },
    /// A byte is another than the members ask for.
    #[error("offset {offset}, in {place}: the bytes are not those that its members give")]
    Differs {
        /// The first such byte.
        offset: usize,
        /// Where that is.
        place: String,
    },
}

/// Writes members as an archive.
///
/// # Errors
///
/// There are too many of them or they are too large, or a name is none.
pub(in crate::custody) fn write<B: AsRef<[u8]>>(members: &BTreeMap<String, B>) -> Result<Vec<u8>, ArchiveError> {
    members.keys().try_for_each(|name| check_name(name))?;
    let members: Vec<(&str, &[u8])> = members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_ref())).collect();
    check_bound("members", members.len(), MAX_MEMBERS)?;
    let size = members.iter().map(|(name, bytes)| LOCAL + CENTRAL + 2 * name.len() + bytes.len()).sum::<usize>() + END;
    check_bound("bytes", size, MAX_FILE_BYTES)?;
    let mut whole = Vec::with_capacity(size);
    emit(&members, &mut |_, bytes| {
        whole.extend_from_slice(bytes);
        true
    });
    Ok(whole)
}

/// Reads an archive's members.
///
/// # Errors
///
/// The bytes are not exactly what [`write()`] makes of them.
pub(in crate::custody) fn read(bytes: &[u8]) -> Result<BTreeMap<&str, &[u8]>, ArchiveError> {
    check_bound("bytes", bytes.len(), MAX_FILE_BYTES)?;
    if !is_archive(bytes) {
        return Err(ArchiveError::NotZip);
    }
    let mut members: Vec<(&str, &[u8])> = Vec::new();
    let mut rest = bytes;
    while rest.starts_with(&LOCAL_SIGNATURE) {
        let offset = bytes.len() - rest.len();
        let (name, content, after) = member(rest).ok_or(ArchiveError::Truncated { offset })?;
        let name = std::str::from_utf8(name).map_err(|_| ArchiveError::Name(name.escape_ascii().to_string()))?;
        check_name(name)?;
        if let Some((before, _)) = members.last().filter(|(before, _)| *before >= name) {
            return Err(ArchiveError::Order { name: name.to_owned(), before: (*before).to_owned() });
        }
        members.push((name, content));
        check_bound("members", members.len(), MAX_MEMBERS)?;
        rest = after;
    }
    compare(&members, bytes)?;
    Ok(members.into_iter().collect())
}

/// Says whether bytes begin as a custody file does, whatever they are.
#[must_use]
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(&LOCAL_SIGNATURE)
}

/// Writes the members again, and compares what comes out with what was given.
fn compare(members: &[(&str, &[u8])], bytes: &[u8]) -> Result<(), ArchiveError> {
    let (mut at, mut differs) = (0, None);
    emit(members, &mut |place, written| {
        let found = bytes.get(at..).unwrap_or_default();
        let same = found.iter().zip(written).take_while(|(one, other)| one == other).count();
        at += same;
        if same < written.len() {
            differs = Some(place.to_owned());
        }
        differs.is_none()
    });
    match differs {
        Some(place) => Err(ArchiveError::Differs { offset: at, place }),
        None if at < bytes.len() => Err(ArchiveError::Differs { offset: at, place: "what follows its end".to_owned() }),
        None => Ok(()),
    }
}

/// Takes a member's name and content off the front; `None`: there are fewer bytes than its header says.
fn member(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (header, rest) = bytes.split_at_checked(LOCAL)?;
    let size = u32::from_le_bytes(header.get(18..22)?.try_into().ok()?);
    let name = u16::from_le_bytes(header.get(26..28)?.try_into().ok()?);
    let (name, rest) = rest.split_at_checked(usize::from(name))?;
    let (content, rest) = rest.split_at_checked(usize::try_from(size).ok()?)?;
    Some((name, content, rest))
}

/// Writes everything, piece by piece, each with the place it belongs to, until `sink` has had enough.
fn emit(members: &[(&str, &[u8])], sink: &mut dyn FnMut(&str, &[u8]) -> bool) {
    let (mut directory, mut offset) = (Vec::new(), 0_usize);
    for (name, content) in members {
        let shared = shared(name, content);
        let header = [&LOCAL_SIGNATURE[..], &shared].concat();
        for piece in [header.as_slice(), name.as_bytes(), content] {
            if !sink(name, piece) {
                return;
            }
        }
        directory.extend_from_slice(&CENTRAL_SIGNATURE);
        directory.extend_from_slice(&VERSION.to_le_bytes());
        directory.extend_from_slice(&shared);
        // No comment, disk 0, no attributes.
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&low32(offset).to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
        offset += LOCAL + name.len() + content.len();
    }
    let count = u16::try_from(members.len()).unwrap_or(u16::MAX).to_le_bytes();
    let (size, at) = (low32(directory.len()).to_le_bytes(), low32(offset).to_le_bytes());
    let end = [&END_SIGNATURE[..], &[0; 4], &count, &count, &size, &at, &[0; 2]].concat();
    if sink("the directory", &directory) {
        sink("the end record", &end);
    }
}

/// What a member's two headers have in common, from the version to the length of what is extra.
fn shared(name: &str, content: &[u8]) -> Vec<u8> {
    let (size, name) = (low32(content.len()).to_le_bytes(), u16::try_from(name.len()).unwrap_or(u16::MAX));
    // No flags, stored, at the beginning of ZIP's time.
    let fixed = [VERSION, 0, 0, 0, FIRST_OF_JANUARY_1980].map(u16::to_le_bytes).concat();
    [fixed.as_slice(), &crc32(content).to_le_bytes(), &size, &size, &name.to_le_bytes(), &[0; 2]].concat()
}

/// Within [`MAX_FILE_BYTES`] every length and offset fits.
fn low32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn check_name(name: &str) -> Result<(), ArchiveError> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(is_plain);
    if name == VERIFY || (name.len() <= MAX_NAME_BYTES && name.split('/').all(is_part)) {
        Ok(())
    } else {
        Err(ArchiveError::Name(name.to_owned()))
    }
}

fn check_bound(what: &'static str, found: usize, most: usize) -> Result<(), ArchiveError> {
    if found > most { Err(ArchiveError::Bound { what, found, most }) } else { Ok(()) }
}

/// The checksum that the format asks for; it guards against accidents, and nothing rests on it.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let [low, ..] = (crc ^ u32::from(*byte)).to_le_bytes();
        CRC_TABLE.get(usize::from(low)).copied().unwrap_or_default() ^ (crc >> 8)
    };
    !bytes.iter().fold(!0, step)
}

const CRC_TABLE: [u32; 256] = crc_table();

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "a constant, counted to 256")]
const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let (mut crc, mut bit) = (at as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
}

const LOCAL_SIGNATURE: [u8; 4] = *b"PK\x03\x04";
const CENTRAL_SIGNATURE: [u8; 4] = *b"PK\x01\x02";
const END_SIGNATURE: [u8; 4] = *b"PK\x05\x06";
/// The fixed lengths of a member's header, of its entry in the directory, and of the end record.
const LOCAL: usize = 30;
const CENTRAL: usize = 46;
const END: usize = 22;
/// 1.0, the least: nothing of later versions is used.
const VERSION: u16 = 10;
const FIRST_OF_JANUARY_1980: u16 = 1 << 5 | 1;

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn members() -> BTreeMap<String, Vec<u8>> {
        let pairs = [("VERIFY.md", &b"how"[..]), ("a/b.cose", b"\x00\xff"), ("a/c-1.note", b""), ("z_9", &[7; 300])];
        pairs.map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).into()
    }

    #[test]
    fn what_is_written_is_read_and_the_same_members_give_the_same_bytes() {
        let members = members();
        let bytes = write(&members).unwrap();
        assert_eq!(bytes, write(&members).unwrap());
        let read = read(&bytes).unwrap();
        assert!(read.iter().map(|(name, bytes)| (*name, *bytes)).eq(members.iter().map(|(n, b)| (n.as_str(), &b[..]))));
        let none = write::<Vec<u8>>(&BTreeMap::new()).unwrap();
        assert_eq!(super::read(&none), Err(ArchiveError::NotZip), "an archive without members is none of ours");
    }

    /// "CRC-32 of `123456789`" is the check value that catalogues of checksums give: cbf43926.
    #[test]
    fn the_checksum_is_that_of_the_format() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn every_bit_counts() {
        let bytes = write(&members()).unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut altered = bytes.clone();
                altered[at] ^= 1 << bit;
                assert!(read(&altered).is_err(), "byte {at}, bit {bit}");
            }
        }
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "{length} bytes");
        }
        let more = [bytes.as_slice(), b"\0"].concat();
        let place = "what follows its end".to_owned();
        assert_eq!(read(&more), Err(ArchiveError::Differs { offset: bytes.len(), place }));
        assert!(read(&[b"\0", bytes.as_slice()].concat()).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_what_would_be_written(
            members in proptest::collection::btree_map("[a-c]{1,2}(/[a-c._-]{1,3})?", proptest::collection::vec(any::<u8>(), 0..40), 1..6),
            cut in any::<prop::sample::Index>(),
            noise in proptest::collection::vec(any::<u8>(), 0..8),
        ) {
            let Ok(bytes) = write(&members) else { return Ok(()) };
            let found: BTreeMap<String, Vec<u8>> =
                read(&bytes).unwrap().into_iter().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect();
            prop_assert_eq!(&found, &members);
            // Noise anywhere: refused, or the very archive that its members give.
            let at = cut.index(bytes.len());
            let altered = [&bytes[..at], &noise, &bytes[at..]].concat();
            if let Ok(read) = read(&altered) {
                let read: BTreeMap<String, &[u8]> = read.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
                prop_assert_eq!(write(&read).unwrap(), altered);
            }
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let long = "a".repeat(256);
        for name in
            ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", "A", "a b", "a\\b", "a:b", "é", "verify.MD", &long]
        {
            let members = BTreeMap::from([(name.to_owned(), Vec::new())]);
            assert_eq!(write(&members), Err(ArchiveError::Name(name.to_owned())), "{name:?}");
        }
    }

    #[test]
    fn members_stand_in_order_and_once() {
        let one = |name: &str| write(&BTreeMap::from([(name.to_owned(), b"x".to_vec())])).unwrap();
        let local = |name: &str| one(name)[..LOCAL + name.len() + 1].to_vec();
        for (first, second) in [("b", "a"), ("a", "a")] {
            let error = read(&[local(first), local(second)].concat()).unwrap_err();
            assert_eq!(error, ArchiveError::Order { name: second.to_owned(), before: first.to_owned() });
        }
    }

    /// Stock tools must take it without a complaint: python3, which the page in every file asks for, and unzip where it is installed.
    #[test]
    fn stock_tools_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file.zip");
        std::fs::write(&path, write(&members()).unwrap()).unwrap();
        let python = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(','.join(z.namelist()))";
        let commands: [(&str, &[&str]); 2] = [("unzip", &["-tqq"]), ("python3", &["-c", python])];
        for (program, arguments) in commands {
            let done = match Command::new(program).args(arguments).arg(&path).output() {
                Err(error) if program == "unzip" && error.kind() == std::io::ErrorKind::NotFound => continue,
                done => done.unwrap(),
            };
            assert!(done.status.success() && done.stderr.is_empty(), "{program}: {done:?}");
            let names = members().keys().cloned().collect::<Vec<_>>().join(",");
            assert!(program == "unzip" || String::from_utf8(done.stdout).unwrap().trim() == names);
        }
    }
}
