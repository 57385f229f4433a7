//! The opening store: what opens the sealed values of entries, kept apart from the log.
//!
//! Trust: whoever reads it can disclose what the log only commits to; whoever deletes from it erases that for good, and no proof changes.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ciborium::Value;
use govlog_formats::cbor;
use govlog_formats::digest::Digest;

use crate::seal::FieldOpening;

/// A place for openings, by the leaf hash of the entry whose sealed values they open.
///
/// **Promise**: when [`put`](Self::put) returns, all of them are on disk; putting the same again changes nothing. Until then the caller keeps
/// them.
pub trait OpeningStore: Send + Sync {
    /// Stores openings.
    ///
    /// # Errors
    ///
    /// The store cannot be written; some may be there.
    fn put(&self, openings: &[(Digest, &[u8])]) -> io::Result<()>;
}

/// A folder that only its owner can read: `<first two digits>/<leaf hash>.cbor`.
///
/// One file for each entry, so that destroying one opening is removing one file.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens the folder, or makes it.
    ///
    /// # Errors
    ///
    /// It cannot be made, or others than its owner can read it.
    pub fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let mode = std::fs::metadata(path)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            let why = format!("others can read the opening store (mode {mode:04o}); run: chmod 700 {}", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        Ok(Self { path: path.to_owned() })
    }

    /// Gives the file of an entry's openings.
    #[must_use]
    pub fn file(&self, leaf: &Digest) -> PathBuf {
        let name = leaf.to_string();
        self.path.join(name.get(..2).unwrap_or_default()).join(format!("{name}.cbor"))
    }
}

impl OpeningStore for Folder {
    fn put(&self, openings: &[(Digest, &[u8])]) -> io::Result<()> {
        for (leaf, bytes) in openings {
            let path = self.file(leaf);
            if let Some(folder) = path.parent() {
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?.write_all(bytes)?;
        }
        // A crash before this may leave any of them short or missing: they are still in the outbox, and are put again.
        // One call for all, since a sync for each file would take as long as everything else together.
        if openings.is_empty() { Ok(()) } else { Ok(rustix::fs::syncfs(File::open(&self.path)?)?) }
    }
}

/// Writes what opens the sealed values of one entry: deterministic CBOR.
///
/// `of_refused`: the openings of the refused statement that the entry's `input` holds.
#[must_use]
pub fn encode(kind: &str, openings: &[FieldOpening], of_refused: &[u8]) -> Vec<u8> {
    if openings.is_empty() {
        return Vec::new();
    }
    let fields = openings.iter().map(|field| {
        Value::Map(vec![
            ("path".into(), field.path.as_str().into()),
            ("salt".into(), Value::Bytes(field.opening.salt.to_vec())),
            ("value".into(), field.opening.value.clone()),
        ])
    });
    let mut map =
        vec![("v".into(), 1.into()), ("kind".into(), kind.into()), ("openings".into(), Value::Array(fields.collect()))];
    if !of_refused.is_empty() {
        map.push(("refused".into(), Value::Bytes(of_refused.to_vec())));
    }
    cbor::to_deterministic(&Value::Map(map))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use govlog_formats::record::sealed::Opening;

    use super::*;

    #[test]
    fn openings_are_files_that_only_their_owner_can_read() {
        let dir = tempfile::tempdir().unwrap();
        let store = Folder::open(&dir.path().join("openings")).unwrap();
        let (one, two) = (Digest::sha256(b"1"), Digest::sha256(b"2"));
        store.put(&[(one, b"first"), (two, b"second")]).unwrap();
        store.put(&[(one, b"first")]).unwrap();
        assert_eq!(std::fs::read(store.file(&one)).unwrap(), b"first");
        assert_eq!(std::fs::read(store.file(&two)).unwrap(), b"second");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&store.file(&one)), 0o600);
        assert_eq!(mode(store.file(&one).parent().unwrap()), 0o700);
    }

    #[test]
    fn a_folder_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let error = Folder::open(dir.path()).unwrap_err();
        assert!(error.to_string().contains("chmod 700"), "{error}");
    }

    #[test]
    fn what_is_written_opens_what_was_sealed() {
        let opening = Opening { salt: [7; 32], value: Value::Bytes(b"{}".to_vec()) };
        let bytes = encode("decision", &[FieldOpening { path: "input".into(), opening: opening.clone() }], b"");
        let value = cbor::parse(&bytes).unwrap();
        let map = value.as_map().unwrap();
        let fields = map.iter().find(|(key, _)| key.as_text() == Some("openings")).unwrap().1.as_array().unwrap();
        let field = fields[0].as_map().unwrap();
        let of = |name: &str| field.iter().find(|(key, _)| key.as_text() == Some(name)).unwrap().1.clone();
        let read = Opening { salt: of("salt").into_bytes().unwrap().try_into().unwrap(), value: of("value") };
        opening.seal().open(&read).unwrap();
        assert_eq!(encode("stream", &[], b""), b"");
    }
}
