//! A tar archive of plain files (POSIX ustar and pax, GNU long names), read from memory in one pass.
//!
//! OPA passes over links and devices in a bundle; here they are refused, for nothing that is signed is one. A name is taken once.

use std::collections::BTreeSet;

/// The size of everything in an archive.
const BLOCK: usize = 512;
/// The most entries of an archive.
const MAX_ENTRIES: usize = 16_384;
/// The most bytes of a name.
const MAX_NAME_BYTES: usize = 1024;
/// The most bytes of a header that says more of the next entry.
const MAX_EXTENDED_BYTES: usize = 64 * 1024;

/// A file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File<'a> {
    /// Its path, as signatures have it: without a leading slash.
    pub(super) name: String,
    pub(super) bytes: &'a [u8],
}

impl File<'_> {
    /// The last part of its path.
    pub(super) fn base(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }
}

/// Why an archive is refused. Entries are counted from 0, names are not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// It ends within an entry.
    #[error("entry {0} of the archive is cut off")]
    CutOff(usize),
    /// What stands there is no header.
    #[error("entry {0} of the archive: not a tar header")]
    Header(usize),
    /// It is neither a file nor a folder.
    #[error("entry {0} of the archive is neither a plain file nor a folder")]
    Kind(usize),
    /// The name is none that a signature could list.
    #[error("entry {0} of the archive: its name is not UTF-8, too long, or has an empty segment, '.' or '..'")]
    Name(usize),
    /// Two files have one name.
    #[error("entry {0} of the archive has the name of an earlier one")]
    Twice(usize),
    /// There are too many.
    #[error("an archive of more than {MAX_ENTRIES} entries")]
    Entries,
}

/// What a pax or GNU header says of the entry behind it.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    size: Option<usize>,
}

/// Reads the files of an archive, in order.
pub(super) fn files(archive: &[u8]) -> Result<Vec<File<'_>>, ArchiveError> {
    let (mut files, mut names) = (Vec::new(), BTreeSet::new());
    let (mut rest, mut extended) = (archive, Extended::default());
    for position in 0.. {
        if position == MAX_ENTRIES {
            return Err(ArchiveError::Entries);
        }
        // Go's reader, and so OPA, takes the end of the bytes for the end of the archive too.
        let Some((header, behind)) = rest.split_first_chunk::<BLOCK>() else {
            return if rest.is_empty() { Ok(files) } else { Err(ArchiveError::CutOff(position)) };
        };
        if header.iter().all(|byte| *byte == 0) {
            return Ok(files);
        }
        let header = Header::read(header).ok_or(ArchiveError::Header(position))?;
        let said = std::mem::take(&mut extended);
        let is_extension = matches!(header.kind, b'x' | b'g' | b'L');
        let size = said.size.filter(|_| !is_extension).unwrap_or(header.size);
        let padded = size.checked_next_multiple_of(BLOCK).ok_or(ArchiveError::CutOff(position))?;
        let (Some(body), Some(next)) = (behind.get(..size), behind.get(padded..)) else {
            return Err(ArchiveError::CutOff(position));
        };
        rest = next;
        if is_extension {
            extended = extension(header.kind, body, said).ok_or(ArchiveError::Header(position))?;
            continue;
        }
        let name = said.name.unwrap_or(header.name);
        match header.kind {
            b'5' => {}
            b'\0' if name.ends_with(b"/") => {}
            b'0' | b'\0' => {
                let name = plain(&name).ok_or(ArchiveError::Name(position))?;
                if !names.insert(name.clone()) {
                    return Err(ArchiveError::Twice(position));
                }
                files.push(File { name, bytes: body });
            }
            _ => return Err(ArchiveError::Kind(position)),
        }
    }
    Ok(files)
}

/// The fields of a header that are used.
struct Header {
    name: Vec<u8>,
    size: usize,
    kind: u8,
}

impl Header {
    fn read(block: &[u8; BLOCK]) -> Option<Self> {
        let field = |from: usize, len: usize| block.get(from..from + len).unwrap_or_default();
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        let in_sum: u32 = field(148, 8).iter().map(|byte| u32::from(*byte)).sum();
        // The checksum is taken as if its own field held spaces.
        if octal(field(148, 8))? != usize::try_from(sum - in_sum + 8 * u32::from(b' ')).ok()? {
            return None;
        }
        let (name, prefix) = (text(field(0, 100)), text(field(345, 155)));
        // GNU has other things where ustar has the prefix.
        let is_ustar = field(257, 6) == b"ustar\0";
        let name = if is_ustar && !prefix.is_empty() { [prefix, b"/", name].concat() } else { name.to_vec() };
        Some(Self { name, size: octal(field(124, 12))?, kind: *block.get(156)? })
    }
}

/// Reads what a header says of the next entry; `None` if it is none, or says that the entry is not a plain file.
fn extension(kind: u8, body: &[u8], before: Extended) -> Option<Extended> {
    if body.len() > MAX_EXTENDED_BYTES {
        return None;
    }
    if kind == b'L' {
        return Some(Extended { name: Some(text(body).to_vec()), ..before });
    }
    let mut said = before;
    let mut rest = body;
    while !rest.is_empty() {
        // "25 path=policy/a.rego\n": the length is that of the whole record.
        let space = rest.iter().position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(rest.get(..space)?).ok()?.parse().ok()?;
        let record = rest.get(space + 1..length)?.strip_suffix(b"\n")?;
        rest = rest.get(length..)?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        let (key, value) = (record.get(..equals)?, record.get(equals + 1..)?);
        match key {
            // Of all entries: nobody writes that, and readers differ.
            b"path" | b"size" if kind == b'g' => return None,
            b"path" => said.name = Some(value.to_vec()),
            b"size" => said.size = Some(std::str::from_utf8(value).ok()?.parse().ok()?),
            key if key.starts_with(b"GNU.sparse") => return None,
            _ => {}
        }
    }
    Some(said)
}

/// A number in octal digits, ended by a space, a zero or the field.
fn octal(field: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches([' ', '\0']);
    if digits.is_empty() { Some(0) } else { usize::from_str_radix(digits, 8).ok() }
}

/// The bytes before the first zero.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The path of a file, without the slash that `opa build` begins it with.
fn plain(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name.strip_prefix(b"/").unwrap_or(name)).ok()?;
    let is_plain = name.len() <= MAX_NAME_BYTES && !name.contains('\0');
    let is_segment = |segment: &str| !matches!(segment, "" | "." | "..");
    (is_plain && name.split('/').all(is_segment)).then(|| name.to_owned())
}
