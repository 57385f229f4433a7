//! Where a log is read from: its public HTTP routes, or a folder that holds the same files.
//!
//! Trust: none. Whoever controls a source can withhold or invent bytes; every caller verifies what it gets before it
//! relies on it or keeps it. The only promise made here is that no answer is larger than what was asked for.

mod at_once;
mod folder;
mod head;
mod http;
mod notes;
mod records;
mod statement;
mod tree;

pub(crate) use at_once::at_once;
pub use folder::Folder;
pub use head::{Head, HeadError};
pub use http::{Http, Reply};
pub use notes::{Published, published};
pub(crate) use notes::{each_published, page as published_page};
pub use records::RecordsError;
pub use statement::Fetched;
pub(crate) use tree::MAX_BUNDLE_BYTES;
pub use tree::{Tree, TreeError};

use std::path::PathBuf;

pub use govlog_tls::outbound::Outbound;

/// A place that answers for the public files of one log.
#[derive(Debug)]
pub enum Source {
    /// A server.
    Http(Http),
    /// A folder with the layout of C2SP tlog-tiles: `checkpoint`, `tile/…`, `tile/entries/…`.
    Folder(Folder),
}

/// Why a source gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The address is neither an `http(s)` URL nor a folder.
    #[error(
        "{0}: neither an http:// or https:// address nor a folder; give the log's address, such as http://127.0.0.1:8080"
    )]
    NotASource(String),
    /// The server could not be reached, or the connection broke.
    #[error("{url}: {cause}; is the log running there?")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What the connection says.
        cause: String,
    },
    /// What the server is to be shown, or to be believed by, cannot be used.
    #[error("{url}: {cause}")]
    Credentials {
        /// The server.
        url: String,
        /// What is wrong.
        cause: String,
    },
    /// The server answered with a status that this question does not allow.
    #[error("{url}: the server answered {status}{}", if detail.is_empty() { String::new() } else { format!(": {detail}") })]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the body, if it is text.
        detail: String,
    },
    /// The answer is larger than anything this question can have.
    #[error("{what}: more than {max} bytes, which nothing valid here has")]
    TooLarge {
        /// What was asked for.
        what: String,
        /// The bound in bytes.
        max: usize,
    },
    /// A file could not be read.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
}

impl Source {
    /// Opens a source: an `http(s)` address, or the path of a folder.
    ///
    /// # Errors
    ///
    /// [`SourceError::NotASource`] when it is neither.
    pub fn open(place: &str) -> Result<Self, SourceError> {
        Self::open_as(place, &Outbound::default())
    }

    /// As [`Source::open`]; a server is shown this certificate and token, and believed by these authorities.
    ///
    /// # Errors
    ///
    /// As [`Source::open`], and when the files cannot be used.
    pub fn open_as(place: &str, outbound: &Outbound) -> Result<Self, SourceError> {
        if place.starts_with("http://") || place.starts_with("https://") {
            return Http::new(place, outbound).map(Self::Http);
        }
        let path = PathBuf::from(place);
        if path.is_dir() { Ok(Self::Folder(Folder::new(path))) } else { Err(SourceError::NotASource(place.to_owned())) }
    }

    /// Reads one public file, such as `checkpoint` or `tile/0/000`; `None` when the source has none.
    ///
    /// # Errors
    ///
    /// The source cannot be reached, answers with an unexpected status, or sends more than `max` bytes.
    pub fn get(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, SourceError> {
        match self {
            Self::Http(http) => http.get(path, max),
            Self::Folder(folder) => folder.get(path, max),
        }
    }

    /// The server behind this source, where there is one.
    #[must_use]
    pub fn http(&self) -> Option<&Http> {
        match self {
            Self::Http(http) => Some(http),
            Self::Folder(_) => None,
        }
    }
}
