//! Making a witness's folder.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use govlog_formats::note::{KeyName, Vkey};

use crate::{
    config::{self, Config},
    durable,
    key::{self, KeyFileError},
};

/// Makes a new witness in a folder: key, empty list of logs, configuration, empty state. Returns the witness's vkey.
///
/// # Errors
/// A folder that holds a witness already is left alone.
pub fn init(folder: &Path, name: KeyName, listen: SocketAddr, admin: SocketAddr) -> Result<Vkey, InitError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| InitError::Io { path, error }
    };
    let config = Config::in_folder(folder);
    let file = folder.join(CONFIG_FILE);
    for there in [&config.key, &config.logs, &config.state, &config.evidence, &file] {
        if key::is_there(there) {
            return Err(InitError::Exists { path: there.clone() });
        }
    }
    fs::create_dir_all(folder).map_err(failed(folder))?;
    for (new, mode) in [(&config.state, 0o700), (&config.evidence, 0o755)] {
        fs::DirBuilder::new().mode(mode).create(new).map_err(failed(new))?;
    }
    durable::create(&config.logs, LIST_HEAD.as_bytes(), 0o644).map_err(failed(&config.logs))?;
    let signer = key::create(&config.key, name)?;
    // Last, and durable with all that was made before it: a folder without it was not finished.
    durable::create(&file, config::template(listen, admin).as_bytes(), 0o644).map_err(failed(&file))?;
    Ok(signer.vkey().clone())
}

/// Why no witness was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// There is something of a witness already.
    #[error("{} exists: a witness is made in a folder that has none", path.display())]
    Exists {
        /// What was found.
        path: PathBuf,
    },
    /// The key could not be made.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// A file could not be made.
    #[error("cannot make {}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// The configuration's name in a witness's folder.
pub(crate) const CONFIG_FILE: &str = "witness.toml";

const LIST_HEAD: &str = "# The logs this witness cosigns for: one vkey a line; its name is the log's origin.
# Add one with `govlog-witness add-log`, or by hand; the running witness notices.
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Clock, witness::Witness};

    fn make(folder: &Path) -> Result<Vkey, InitError> {
        init(folder, "witness.example/w1".parse().unwrap(), config::DEFAULT_LISTEN, config::DEFAULT_ADMIN)
    }

    #[test]
    fn what_was_made_opens() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("deep/er");
        let vkey = make(&folder).unwrap();
        let config = Config::load(&folder.join(CONFIG_FILE)).unwrap();
        assert_eq!(config.listen, config::DEFAULT_LISTEN);
        assert_eq!(*Witness::open(&config, Clock::system()).unwrap().vkey(), vkey);
    }

    #[test]
    fn a_second_one_is_refused_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let vkey = make(folder.path()).unwrap();
        assert!(matches!(make(folder.path()), Err(InitError::Exists { .. })));
        let config = Config::load(&folder.path().join(CONFIG_FILE)).unwrap();
        assert_eq!(*Witness::open(&config, Clock::system()).unwrap().vkey(), vkey);
    }

    #[test]
    fn state_without_a_key_is_not_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("state")).unwrap();
        assert!(matches!(make(folder.path()), Err(InitError::Exists { path }) if path.ends_with("state")));
    }
}
