//! A private key on disk: PKCS#8 PEM that only its owner can read.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use govlog_formats::cose::{KeyError, SigningKey};
use govlog_tls::secret;

/// Why a key file is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file cannot be read.
    #[error("{}: {cause}", path.display())]
    File {
        /// The key file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Others than its owner can read or write the file.
    #[error("{path}: others can read this private key (mode {mode:04o}); run: chmod 600 {path}", path = path.display())]
    Readable {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is no key.
    #[error("{}: {cause}; make a key with: govlog key new", path.display())]
    Malformed {
        /// The key file.
        path: PathBuf,
        /// What is wrong.
        cause: KeyError,
    },
}

/// Reads a private key.
///
/// # Errors
///
/// The file cannot be read, can be read by others, or holds no key.
pub fn load(path: &Path) -> Result<SigningKey, KeyFileError> {
    let failed = |cause| KeyFileError::File { path: path.to_owned(), cause };
    let file = File::open(path).map_err(failed)?;
    if let Some(mode) = secret::exposed(&file).map_err(failed)? {
        return Err(KeyFileError::Readable { path: path.to_owned(), mode });
    }
    let mut pem = String::new();
    file.take(MAX_KEY_BYTES).read_to_string(&mut pem).map_err(failed)?;
    SigningKey::from_pkcs8_pem(&pem).map_err(|cause| KeyFileError::Malformed { path: path.to_owned(), cause })
}

/// Far above the PEM of any key there is.
const MAX_KEY_BYTES: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use govlog_formats::cose::Curve;

    use super::*;

    #[test]
    fn a_key_is_read_when_it_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pep.key");
        assert!(matches!(load(&path), Err(KeyFileError::File { .. })));
        let key = SigningKey::from_seed(Curve::P256, &[7; 32]).unwrap();
        std::fs::write(&path, key.to_pkcs8_pem()).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load(&path), Err(KeyFileError::Readable { mode: 0o640, .. })));
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(load(&path).unwrap().public(), key.public());
        std::fs::write(&path, "no key").unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("govlog key new"));
    }
}
