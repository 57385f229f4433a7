//! One entry as a transparent statement, from a log's server.

use std::time::{Duration, Instant};

use govlog_formats::entry_id::EntryId;

use super::{Http, SourceError};

/// Above the largest transparent statement: an entry, and a receipt with its note.
const MAX_BYTES: usize = 1024 * 1024;

/// What asking for a transparent statement came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// Its bytes, unjudged.
    Statement(Vec<u8>),
    /// It was not published in time.
    NotPublished,
    /// The log has no such entry.
    Absent,
}

impl Http {
    /// Fetches a transparent statement, asking again as the server's `Retry-After` says until it is published.
    ///
    /// # Errors
    ///
    /// The server cannot be reached, or answers with an unexpected status.
    pub fn transparent_statement(&self, id: EntryId, patience: Duration) -> Result<Fetched, SourceError> {
        let path = format!("entries/{id}/statement");
        let started = Instant::now();
        loop {
            let reply = self.ask(&path, MAX_BYTES)?;
            match reply.status {
                200 => return Ok(Fetched::Statement(reply.body)),
                302 | 429 if started.elapsed() < patience => {
                    std::thread::sleep(Duration::from_secs(reply.retry_after.unwrap_or(1).clamp(1, 5)));
                }
                302 => return Ok(Fetched::NotPublished),
                404 => return Ok(Fetched::Absent),
                status => return Err(self.unexpected(&path, status, &reply.body)),
            }
        }
    }
}
