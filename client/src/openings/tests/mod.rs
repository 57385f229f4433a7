//! The folder keeps what it promises; the document is read as strictly as it is written.

mod document;
mod folder;
mod redactions;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ciborium::Value;
use govlog_formats::record::sealed::Opening;

use super::*;

/// A folder of each kind, to write and to read.
struct Stores {
    dir: tempfile::TempDir,
    identities: Identities,
    recipient: String,
}

impl Stores {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (identities, recipient) = identity(dir.path(), "openings.key");
        Self { dir, identities, recipient }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("openings")
    }

    fn age(&self) -> Settings {
        let recipients = Recipients::parse(&[&self.recipient]).unwrap();
        Settings { protection: Protection::Age(recipients), retention_days: Some(30) }
    }

    fn open(&self, settings: Settings) -> Folder {
        drop(Folder::open(&self.path(), settings).unwrap());
        Folder::existing(&self.path(), self.identities.clone()).unwrap()
    }
}

fn identity(dir: &Path, name: &str) -> (Identities, String) {
    let (path, new) = (dir.join(name), NewIdentity::draw());
    std::fs::write(&path, new.file_bytes()).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    (Identities::load(&path).unwrap(), new.recipient)
}

const CLEAR: Settings = Settings { protection: Protection::Plaintext, retention_days: None };

fn field(path: &str) -> FieldOpening {
    FieldOpening { path: path.into(), opening: Opening { salt: [7; 32], value: Value::Bytes(b"{}".to_vec()) } }
}
