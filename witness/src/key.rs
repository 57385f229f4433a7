//! The witness's signing key: one line in a file only its owner can read.
//!
//! The line is the text form note tools use for private keys, so that the key can be carried over from and to another witness program.
//!
//! Trust: whoever reads this file can cosign in the witness's name.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use govlog_formats::note::{KeyError, KeyName, NoteSigner, SignatureAlgorithm};
use govlog_tls::secret;

use crate::durable;

/// Makes a key from the system's randomness and writes it to a new file of mode 0600.
///
/// # Errors
/// [`KeyFileError::Exists`] when there is a file already: a key is never overwritten.
pub(crate) fn create(path: &Path, name: KeyName) -> Result<NoteSigner, KeyFileError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| KeyFileError::NoRandomness)?;
    let signer = NoteSigner::from_seed(name, SignatureAlgorithm::CosignatureEd25519, &seed)
        .map_err(|error| KeyFileError::Malformed { path: path.to_owned(), error })?;
    let line = format!("{}\n", signer.to_secret_text());
    durable::create(path, line.as_bytes(), 0o600).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.to_owned() },
        _ => KeyFileError::Io { path: path.to_owned(), error },
    })?;
    Ok(signer)
}

/// Reads the key.
///
/// # Errors
/// A file that others than its owner can read or write is refused, as is a key of another type than a cosigner's.
pub(crate) fn load(path: &Path) -> Result<NoteSigner, KeyFileError> {
    let failed = |error| KeyFileError::Io { path: path.to_owned(), error };
    let file = File::open(path).map_err(failed)?;
    if let Some(mode) = secret::exposed(&file).map_err(failed)? {
        return Err(KeyFileError::Readable { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(MAX_KEY_BYTES).read_to_string(&mut text).map_err(failed)?;
    let signer = NoteSigner::from_secret_text(text.trim_end_matches('\n'))
        .map_err(|error| KeyFileError::Malformed { path: path.to_owned(), error })?;
    match signer.vkey().algorithm() {
        SignatureAlgorithm::CosignatureEd25519 => Ok(signer),
        other => Err(KeyFileError::NotACosigner { path: path.to_owned(), found: other.type_byte() }),
    }
}

/// Says whether a path exists, broken links included.
pub(crate) fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Why a key file is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file is there already.
    #[error("{} exists; a key is never overwritten", path.display())]
    Exists {
        /// The key file.
        path: PathBuf,
    },
    /// Others can read the file, or write it.
    #[error("{} has mode {mode:04o}: others could take the key or swap it; run `chmod 600` on it, and consider whether it was read", path.display())]
    Readable {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is not a key.
    #[error("{} holds no key: {error}", path.display())]
    Malformed {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        error: KeyError,
    },
    /// The key signs logs' notes, not cosignatures.
    #[error("the key in {} is of type 0x{found:02x}; a witness needs 0x04", path.display())]
    NotACosigner {
        /// The key file.
        path: PathBuf,
        /// The type byte found.
        found: u8,
    },
    /// The system gave no random bytes.
    #[error("the system gives no random bytes to make a key from")]
    NoRandomness,
    /// The file cannot be read or written.
    #[error("cannot use {}: {error}", path.display())]
    Io {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// A key line has about 100 bytes beside its name.
const MAX_KEY_BYTES: u64 = 4096;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn name() -> KeyName {
        "witness.example/w1".parse().unwrap()
    }

    #[test]
    fn a_new_key_is_read_back_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let made = create(&path, name()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load(&path).unwrap().vkey(), made.vkey());
        assert!(made.vkey().to_string().starts_with("witness.example/w1+"));
        assert_eq!(made.vkey().algorithm().type_byte(), 0x04);
    }

    #[test]
    fn two_keys_differ() {
        let folder = tempfile::tempdir().unwrap();
        let one = create(&folder.path().join("1"), name()).unwrap();
        let two = create(&folder.path().join("2"), name()).unwrap();
        assert_ne!(one.vkey(), two.vkey());
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let made = create(&path, name()).unwrap();
        assert!(matches!(create(&path, name()), Err(KeyFileError::Exists { .. })));
        assert_eq!(load(&path).unwrap().vkey(), made.vkey());
    }

    #[test]
    fn a_key_others_can_read_or_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, name()).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(
                matches!(load(&path), Err(KeyFileError::Readable { mode: found, .. }) if found == mode),
                "{mode:o}"
            );
        }
        for mode in [0o600, 0o400] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            load(&path).unwrap();
        }
    }

    #[test]
    fn a_log_key_is_refused_and_no_error_shows_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let log = NoteSigner::from_seed(name(), SignatureAlgorithm::Ed25519, &[1; 32]).unwrap();
        durable::create(&path, log.to_secret_text().as_bytes(), 0o600).unwrap();
        assert!(matches!(load(&path), Err(KeyFileError::NotACosigner { found: 0x01, .. })));
        let broken = log.to_secret_text().replace("AQEB", "AQ!B");
        fs::write(&path, &broken).unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(!error.contains("AQEB"), "{error}");
    }
}
