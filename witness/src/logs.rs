//! The list of logs the witness cosigns for: a text file, one vkey a line.
//!
//! Empty lines and lines that begin with `#` are skipped. A vkey's name is the log's origin; a log that changes its key has two lines for a
//! while. The file is looked at again for every request, so that adding or removing a line needs no restart.
//!
//! Trust: whoever can write this file decides for which keys the witness cosigns.

use std::{
    collections::HashMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use govlog_formats::{
    checkpoint::Origin,
    note::{KeyError, Vkey},
};

use crate::{
    durable::{self, ReplaceError},
    lock::{FolderLock, LockError},
};

/// The keys trusted for each origin.
type Keys = HashMap<Origin, Vec<Vkey>>;

/// The list as it was when it was last read.
#[derive(Debug)]
pub struct LogList {
    path: PathBuf,
    own: Vkey,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    content: Vec<u8>,
    keys: Arc<Keys>,
    /// Why the file, as last looked at, is not what `keys` says.
    trouble: Option<String>,
}

impl LogList {
    /// Reads the list. `own` is the witness's key, which must not be a log's as well.
    ///
    /// # Errors
    /// [`LogsError`] names the line that is wrong.
    pub fn open(path: &Path, own: &Vkey) -> Result<Self, LogsError> {
        let content = read(path)?;
        let keys = Arc::new(parse(path, &content, own)?);
        let held = Held { content, keys, trouble: None };
        Ok(Self { path: path.to_owned(), own: own.clone(), held: Mutex::new(held) })
    }

    /// Returns the keys trusted for an origin, after a look at the file; none when the origin is not listed.
    ///
    /// # Errors
    /// While the file cannot be read or is malformed, logs that were on it go on being served and for all others this is the error: whether they
    /// were added is not known.
    pub fn keys(&self, origin: &Origin) -> Result<Vec<Vkey>, LogsError> {
        let refreshed = self.refresh();
        let keys = self.held().keys.get(origin).cloned();
        match (keys, refreshed) {
            (Some(keys), _) => Ok(keys),
            (None, Ok(())) => Ok(Vec::new()),
            (None, Err(error)) => Err(error),
        }
    }

    /// Returns every origin with its keys, as last read.
    #[must_use]
    pub fn all(&self) -> Arc<HashMap<Origin, Vec<Vkey>>> {
        Arc::clone(&self.held().keys)
    }

    /// Looks at the file and says what is wrong with it, if anything is.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.refresh().err().map(|error| error.to_string())
    }

    /// Takes over what the file says now.
    fn refresh(&self) -> Result<(), LogsError> {
        let result = self.reread();
        let trouble = result.as_ref().err().map(ToString::to_string);
        let mut held = self.held();
        if held.trouble != trouble {
            match &trouble {
                Some(trouble) => {
                    tracing::error!(%trouble, "the list of logs is not usable; the last usable one stays in force")
                }
                None => tracing::info!("the list of logs is usable again"),
            }
            held.trouble = trouble;
        }
        result
    }

    fn reread(&self) -> Result<(), LogsError> {
        let content = read(&self.path)?;
        if content == self.held().content {
            return Ok(());
        }
        let keys = parse(&self.path, &content, &self.own)?;
        tracing::info!(logs = keys.len(), "the list of logs changed");
        let mut held = self.held();
        held.content = content;
        held.keys = Arc::new(keys);
        Ok(())
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        // Content and keys are replaced together, after parsing: a panic elsewhere leaves them matching.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds a vkey to the list, durably, and says whether it was new. The witness may be running.
///
/// # Errors
/// [`LogsError`]; the list is as before then.
pub fn add(path: &Path, own: &Vkey, vkey: &Vkey) -> Result<bool, LogsError> {
    let _alone = FolderLock::wait(&path.with_extension("lock"))?;
    let mut content = read(path)?;
    let keys = parse(path, &content, own)?;
    if keys.values().flatten().any(|listed| listed == vkey) {
        return Ok(false);
    }
    if content.last().is_some_and(|&last| last != b'\n') {
        content.push(b'\n');
    }
    content.extend_from_slice(format!("{vkey}\n").as_bytes());
    parse(path, &content, own)?;
    durable::replace(path, &content, 0o644)
        .map_err(|error| LogsError::Write { path: path.to_owned(), error: WriteError(error) })?;
    Ok(true)
}

fn read(path: &Path) -> Result<Vec<u8>, LogsError> {
    let failed = |error| LogsError::Read { path: path.to_owned(), error };
    let mut content = Vec::new();
    fs::File::open(path).map_err(failed)?.take(MAX_LIST_BYTES + 1).read_to_end(&mut content).map_err(failed)?;
    if u64::try_from(content.len()).is_ok_and(|bytes| bytes > MAX_LIST_BYTES) {
        return Err(LogsError::TooLarge { path: path.to_owned() });
    }
    Ok(content)
}

fn parse(path: &Path, content: &[u8], own: &Vkey) -> Result<Keys, LogsError> {
    let path = || path.to_owned();
    let text = std::str::from_utf8(content).map_err(|_| LogsError::NotUtf8 { path: path() })?;
    let mut keys = Keys::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let line_text = line.trim();
        if line_text.is_empty() || line_text.starts_with('#') {
            continue;
        }
        let vkey: Vkey = line_text.parse().map_err(|error| LogsError::Line { path: path(), line: number, error })?;
        // "The Ed25519 signed message format doesn't commit to the cosigner name, so the same public key can't be used across multiple
        // cosigners." (C2SP tlog-cosignature v1.1.0-rc.1, Ed25519 signed message)
        if vkey.public_key() == own.public_key() {
            return Err(LogsError::OwnKey { path: path(), line: number });
        }
        let listed = keys.entry(Origin::from(vkey.name().clone())).or_default();
        if !listed.contains(&vkey) {
            listed.push(vkey);
        }
    }
    Ok(keys)
}

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogsError {
    /// The file cannot be read.
    #[error("cannot read the list of logs {}: {error}", path.display())]
    Read {
        /// The list.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file is larger than a list may be.
    #[error("the list of logs {} has more than {MAX_LIST_BYTES} bytes", path.display())]
    TooLarge {
        /// The list.
        path: PathBuf,
    },
    /// The file is not text.
    #[error("the list of logs {} is not UTF-8", path.display())]
    NotUtf8 {
        /// The list.
        path: PathBuf,
    },
    /// A line is not a vkey.
    #[error("{}:{line}: {error}; a line is a log's vkey, as `govlog-server init` prints it", path.display())]
    Line {
        /// The list.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// What is wrong with it.
        error: KeyError,
    },
    /// A line is the witness's own key.
    #[error("{}:{line}: this is the witness's own key; a log must have one of its own", path.display())]
    OwnKey {
        /// The list.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
    },
    /// The list cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The list cannot be written.
    #[error("cannot write the list of logs {}: {error}", path.display())]
    Write {
        /// The list.
        path: PathBuf,
        /// How it failed.
        error: WriteError,
    },
}

/// How writing a file failed, and whether the old one certainly stands.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct WriteError(ReplaceError);

/// Room for some ten thousand logs.
const MAX_LIST_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Log, own};

    fn list(content: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs.txt");
        fs::write(&path, content).unwrap();
        (folder, path)
    }

    #[test]
    fn reads_vkeys_and_skips_comments() {
        let (a, b) = (Log::new("log.example/a", 0), Log::new("log.example/b", 0));
        let (_folder, path) = list(&format!("# ours\n\n{}\n  {} \n{}\n", a.vkey(), b.vkey(), a.vkey()));
        let logs = LogList::open(&path, own().vkey()).unwrap();
        assert_eq!(logs.keys(&a.origin()).unwrap(), [a.vkey()]);
        assert_eq!(logs.keys(&b.origin()).unwrap(), [b.vkey()]);
        assert_eq!(logs.keys(&"log.example/c".parse().unwrap()).unwrap(), []);
        assert_eq!(logs.all().len(), 2);
    }

    #[test]
    fn names_the_line_that_is_wrong() {
        let a = Log::new("log.example/a", 0);
        let (_folder, path) = list(&format!("{}\nnonsense\n", a.vkey()));
        let error = LogList::open(&path, own().vkey()).unwrap_err();
        assert!(matches!(error, LogsError::Line { line: 2, .. }));
        assert!(error.to_string().contains("logs.txt:2"), "{error}");
    }

    #[test]
    fn refuses_the_witnesss_own_key() {
        let (_folder, path) = list(&format!("{}\n", own().vkey()));
        assert!(matches!(LogList::open(&path, own().vkey()), Err(LogsError::OwnKey { line: 1, .. })));
        fs::write(&path, "").unwrap();
        assert!(matches!(add(&path, own().vkey(), own().vkey()), Err(LogsError::OwnKey { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn a_missing_or_huge_or_binary_list_is_refused() {
        let (_folder, path) = list("");
        let open = || LogList::open(&path, own().vkey());
        fs::write(&path, vec![b'\n'; 1 + usize::try_from(MAX_LIST_BYTES).unwrap()]).unwrap();
        assert!(matches!(open(), Err(LogsError::TooLarge { .. })));
        fs::write(&path, [0xff]).unwrap();
        assert!(matches!(open(), Err(LogsError::NotUtf8 { .. })));
        fs::remove_file(&path).unwrap();
        assert!(matches!(open(), Err(LogsError::Read { .. })));
    }

    #[test]
    fn what_is_added_or_removed_counts_at_once() {
        let (a, b) = (Log::new("log.example/a", 0), Log::new("log.example/b", 0));
        let (_folder, path) = list("# none yet");
        let logs = LogList::open(&path, own().vkey()).unwrap();
        assert_eq!(logs.keys(&a.origin()).unwrap(), []);
        assert!(add(&path, own().vkey(), &a.vkey()).unwrap());
        assert!(add(&path, own().vkey(), &b.vkey()).unwrap());
        assert!(!add(&path, own().vkey(), &a.vkey()).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("# none yet\n{}\n{}\n", a.vkey(), b.vkey()));
        assert_eq!(logs.keys(&a.origin()).unwrap(), [a.vkey()]);
        fs::write(&path, format!("{}\n", b.vkey())).unwrap();
        assert_eq!(logs.keys(&a.origin()).unwrap(), []);
        assert_eq!(logs.keys(&b.origin()).unwrap(), [b.vkey()]);
    }

    #[test]
    fn a_list_broken_at_runtime_keeps_known_logs_and_is_no_answer_for_others() {
        let (a, b) = (Log::new("log.example/a", 0), Log::new("log.example/b", 0));
        let (_folder, path) = list(&format!("{}\n", a.vkey()));
        let logs = LogList::open(&path, own().vkey()).unwrap();
        fs::write(&path, "half a l").unwrap();
        assert_eq!(logs.keys(&a.origin()).unwrap(), [a.vkey()]);
        assert!(logs.keys(&b.origin()).is_err());
        assert!(logs.trouble().is_some());
        fs::write(&path, format!("{}\n", b.vkey())).unwrap();
        assert_eq!(logs.keys(&a.origin()).unwrap(), []);
        assert_eq!(logs.trouble(), None);
    }

    #[test]
    fn additions_that_race_are_all_kept() {
        let (_folder, path) = list("");
        std::thread::scope(|scope| {
            for n in 0..16 {
                let path = &path;
                scope.spawn(move || add(path, own().vkey(), &Log::new(&format!("log.example/{n}"), 0).vkey()).unwrap());
            }
        });
        assert_eq!(LogList::open(&path, own().vkey()).unwrap().all().len(), 16);
    }
}
