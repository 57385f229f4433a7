//! What a submitter must not forget: its place in each stream, and what it has signed but not seen logged.
//!
//! The file lies beside the key, `<key>.streams`, mode 0600. Signed bytes are durable here before the first of them is
//! sent: a process that died in between sends the same bytes again, and the log knows them as the same statement.

use std::io;
use std::path::{Path, PathBuf};

use govlog_formats::base64;
use govlog_formats::digest::Digest;
use govlog_tls::secret;
use serde::{Deserialize, Serialize};

use crate::durable;

/// The version of the file's layout.
const VERSION: u32 = 1;

/// The streams that one key signs.
#[derive(Debug)]
pub struct StreamFile {
    path: PathBuf,
    streams: Vec<Stream>,
}

/// One stream of one issuer in one log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// The log's origin.
    pub origin: String,
    /// The issuer.
    pub iss: String,
    /// The stream's name.
    pub stream: String,
    /// The position that the next statement takes.
    pub next_seq: u64,
    /// SHA-256 of the Sig_structure of the statement before it, hex.
    pub prev: String,
    /// Statements signed for the positions before `next_seq` that are not known to be logged, base64url, in order.
    #[serde(default)]
    pub pending: Vec<String>,
    /// Whether `submit` uses this stream when none is named.
    #[serde(default)]
    pub default: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    version: u32,
    #[serde(default)]
    streams: Vec<Stream>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The file cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The file is not one of ours.
    #[error(
        "{path}: {why}; it holds your place in your streams: restore it, or move it away to continue from what the log shows"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl StreamFile {
    /// Reads the file beside a key; a missing file has no streams.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not one of ours: it is never overwritten then.
    pub fn beside(key: &Path) -> Result<Self, StateError> {
        let mut name = key.as_os_str().to_owned();
        name.push(".streams");
        let path = PathBuf::from(name);
        let streams = read(&path)?;
        Ok(Self { path, streams })
    }

    /// Reads the file again: another process may have written it since.
    ///
    /// # Errors
    ///
    /// As [`StreamFile::beside`].
    pub fn reload(&mut self) -> Result<(), StateError> {
        self.streams = read(&self.path)?;
        Ok(())
    }

    /// Finds a stream by name, or the default one of an issuer.
    #[must_use]
    pub fn find(&self, origin: &str, iss: &str, name: Option<&str>) -> Option<&Stream> {
        self.streams.iter().find(|stream| {
            stream.origin == origin && stream.iss == iss && name.map_or(stream.default, |name| stream.stream == name)
        })
    }

    /// Puts a stream in the place of the one with its name, durably.
    ///
    /// # Errors
    ///
    /// The file cannot be written; the old one then still stands.
    pub fn put(&mut self, stream: Stream) -> Result<(), StateError> {
        let same = |other: &Stream| {
            (&other.origin, &other.iss, &other.stream) == (&stream.origin, &stream.iss, &stream.stream)
        };
        match self.streams.iter_mut().find(|other| same(other)) {
            Some(place) => *place = stream,
            None => self.streams.push(stream),
        }
        let layout = Layout { version: VERSION, streams: self.streams.clone() };
        let text = toml::to_string(&layout)
            .map_err(|error| StateError::Malformed { path: self.path.clone(), why: error.to_string() })?;
        durable::replace(&self.path, 0o600, text.as_bytes())
            .map_err(|cause| StateError::File { path: self.path.clone(), cause })
    }
}

/// Reads and checks the file; a missing one has no streams.
fn read(path: &Path) -> Result<Vec<Stream>, StateError> {
    let text = match secret::open(path).and_then(io::read_to_string) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(StateError::File { path: path.to_owned(), cause }),
    };
    let malformed = |why: String| StateError::Malformed { path: path.to_owned(), why };
    let layout: Layout = toml::from_str(&text).map_err(|error| malformed(error.message().to_owned()))?;
    if layout.version != VERSION {
        return Err(malformed(format!("version {} is not {VERSION}", layout.version)));
    }
    for stream in &layout.streams {
        stream
            .prev
            .parse::<Digest>()
            .map_err(|_| malformed(format!("prev of stream {} is not a digest", stream.stream)))?;
        for bytes in &stream.pending {
            base64::decode_url(bytes)
                .map_err(|_| malformed(format!("a pending statement of stream {} is damaged", stream.stream)))?;
        }
    }
    Ok(layout.streams)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(name: &str, default: bool) -> Stream {
        Stream {
            origin: "log.example/a".into(),
            iss: "spiffe://prod.example/pep".into(),
            stream: name.into(),
            next_seq: 3,
            prev: Digest::ZERO.to_string(),
            pending: vec![base64::encode_url(b"signed")],
            default,
        }
    }

    #[test]
    fn remembers_across_processes() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("pep.key");
        let mut file = StreamFile::beside(&key).unwrap();
        file.put(stream("cli-1", true)).unwrap();
        file.put(stream("other", false)).unwrap();
        let mut changed = stream("cli-1", true);
        changed.next_seq = 4;
        file.put(changed.clone()).unwrap();

        let again = StreamFile::beside(&key).unwrap();
        assert_eq!(again.find("log.example/a", "spiffe://prod.example/pep", None), Some(&changed));
        assert_eq!(
            again.find("log.example/a", "spiffe://prod.example/pep", Some("other")),
            Some(&stream("other", false))
        );
        assert_eq!(again.find("log.example/b", "spiffe://prod.example/pep", None), None);
    }

    #[test]
    fn refuses_a_damaged_file_and_leaves_it() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("pep.key");
        let beside = dir.path().join("pep.key.streams");
        for text in ["", "version = 2", "version = 1\nextra = 1", "version = 1\n[[streams]]\nstream = 1"] {
            write(&beside, text, 0o600);
            assert!(matches!(StreamFile::beside(&key), Err(StateError::Malformed { .. })), "{text:?}");
            assert_eq!(std::fs::read_to_string(&beside).unwrap(), text);
        }
    }

    /// Whoever writes it decides which bytes are sent next, and whoever reads it knows what will be.
    #[test]
    fn refuses_a_file_that_others_can_read_or_write() {
        let dir = tempfile::tempdir().unwrap();
        for mode in [0o640, 0o604, 0o620] {
            write(&dir.path().join("pep.key.streams"), "version = 1\nstreams = []\n", mode);
            let error = StreamFile::beside(&dir.path().join("pep.key")).unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        write(&dir.path().join("pep.key.streams"), "version = 1\nstreams = []\n", 0o600);
        StreamFile::beside(&dir.path().join("pep.key")).unwrap();
    }

    fn write(path: &Path, text: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}
