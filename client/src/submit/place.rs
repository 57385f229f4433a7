//! Where a stream stands in a log: the log's hint, and the entry it names, checked.

use std::time::Duration;

use govlog_formats::cose::PublicKey;
use govlog_formats::digest::Digest;
use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::search::percent_encode;
use govlog_formats::statement::{SignedStatement, Signer};
use govlog_formats::transparent::TransparentStatement;

use crate::source::{Fetched, Http, SourceError};
use crate::trust::History;

/// How long to wait until the entry that a stream stands at is published.
const PATIENCE: Duration = Duration::from_secs(10);

/// The next position in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The position that the next statement takes.
    pub next_seq: u64,
    /// The identity of the statement before it; zeros where there is none.
    pub prev: Digest,
}

/// Why it is not known where a stream stands.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// The log could not be reached, or answers with an unexpected status.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The log's word does not hold, or cannot be checked yet.
    #[error("the place in stream {stream}: {why}")]
    Wrong {
        /// The stream.
        stream: String,
        /// What is wrong.
        why: String,
    },
}

/// By what an issuer knows its own statements.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// The key that it signs with now.
    pub key: &'a PublicKey,
    /// Where it signs with certificates, whose keys come and go: the admission policies that say which of them were its own.
    pub history: Option<&'a History>,
}

impl<'a> From<&'a PublicKey> for Own<'a> {
    fn from(key: &'a PublicKey) -> Self {
        Self { key, history: None }
    }
}

impl Own<'_> {
    /// Checks that a statement is one of these, which stands at an index.
    fn check(&self, statement: &SignedStatement, index: LeafIndex) -> Result<(), String> {
        let Err(error) = statement.verify_signature(self.key) else { return Ok(()) };
        let policy = self.history.and_then(|history| history.in_force_at(index));
        match (policy, statement.signer()) {
            (Some(policy), Signer::X5chain(_)) => {
                policy.authenticate(statement).map(drop).map_err(|refusal| refusal.to_string())
            }
            _ => Err(error.to_string()),
        }
    }
}

/// Asks where an issuer's stream stands, and checks that the last entry is a statement of it that the issuer signed.
///
/// That none follows is the log's word: it finds out by refusing what continues from an older place.
///
/// # Errors
///
/// The log cannot be reached, or what it says does not hold.
pub fn place(http: &Http, iss: &str, stream: &str, own: Own<'_>) -> Result<Place, PlaceError> {
    let wrong = |why: String| PlaceError::Wrong { stream: stream.to_owned(), why };
    let path = format!("v1/streams?issuer={}&stream={}", percent_encode(iss), percent_encode(stream));
    let reply = http.ask(&path, MAX_HINT_BYTES)?;
    if reply.status != 200 {
        return Err(http.unexpected(&path, reply.status, &reply.body).into());
    }
    let hint: Hint = serde_json::from_slice(&reply.body).map_err(|error| wrong(error.to_string()))?;
    let Some(last) = hint.last else { return Ok(Place { next_seq: 0, prev: Digest::ZERO }) };
    let id: EntryId = last.parse().map_err(|error| wrong(format!("{last}: {error}")))?;
    let Fetched::Statement(bytes) = http.transparent_statement(id, PATIENCE)? else {
        return Err(wrong(format!("its last entry {id} is not published, so it cannot be checked; try again later")));
    };
    let transparent = TransparentStatement::parse(&bytes).map_err(|error| wrong(format!("entry {id}: {error}")))?;
    let statement = transparent.statement();
    let claims = statement.claims();
    let position = claims.stream.as_ref().filter(|at| at.stream == stream && claims.iss == iss);
    let position =
        position.ok_or_else(|| wrong(format!("entry {id}, which the log names as its last, is not of it")))?;
    own.check(statement, id.index).map_err(|error| {
        wrong(format!(
            "its last entry {id} was not signed with this key ({error}); use the key that signed it, or another stream"
        ))
    })?;
    Ok(Place { next_seq: position.seq + 1, prev: statement.sig_structure_digest() })
}

#[derive(serde::Deserialize)]
struct Hint {
    last: Option<String>,
}

const MAX_HINT_BYTES: usize = 64 * 1024;
