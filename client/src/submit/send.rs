//! Sending signed statements and reading what the log says of each.

use govlog_formats::batch::{self, BatchError, BatchResult};
use govlog_formats::limits::{MAX_BATCH_BYTES, MAX_BATCH_STATEMENTS, MAX_TLOG_PROOF_BYTES};

use crate::source::{Http, SourceError};

/// What to wait for before the log answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Durable, under a root that the log signed.
    Committed,
    /// Under a checkpoint that meets the log's witness policy.
    Published,
}

/// What the log says of one statement.
pub type Answer = BatchResult;

/// Why a batch got no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The log could not be reached, or refused the batch as a whole.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The answer cannot be read.
    #[error("the log's answer to the batch: {0}")]
    Answer(#[from] BatchError),
    /// The answer has another number of results.
    #[error("the log answered {found} results for {sent} statements")]
    Count {
        /// How many statements were sent.
        sent: usize,
        /// How many results came back.
        found: usize,
    },
}

impl Wait {
    /// The word in `?wait=`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Published => "published",
        }
    }
}

/// Sends statements in order, as many to a request as the log takes, and gives an answer for each that was sent.
///
/// Stops early, with fewer answers, after a request in which one was not taken: what follows in its stream would be refused too.
///
/// # Errors
///
/// The log cannot be reached or its answer cannot be read; nothing is known of the statements then.
pub fn send(http: &Http, statements: &[Vec<u8>], wait: Wait) -> Result<Vec<Answer>, SendError> {
    let mut answers = Vec::new();
    for chunk in chunks(statements) {
        let mut results = send_one(http, chunk, wait)?;
        let all_taken = results.iter().all(|result| matches!(result.status, 201 | 303));
        answers.append(&mut results);
        if !all_taken {
            break;
        }
    }
    Ok(answers)
}

fn send_one(http: &Http, chunk: &[Vec<u8>], wait: Wait) -> Result<Vec<Answer>, SendError> {
    let path = format!("v1/batches?wait={}", wait.word());
    let max = chunk.len().saturating_mul(MAX_TLOG_PROOF_BYTES);
    let reply = http.post(&path, batch::CONTENT_TYPE, chunk.concat(), max)?;
    if reply.status != 200 {
        return Err(http.unexpected(&path, reply.status, &reply.body).into());
    }
    let results = batch::parse_results(&reply.body)?;
    if results.len() == chunk.len() {
        Ok(results)
    } else {
        Err(SendError::Count { sent: chunk.len(), found: results.len() })
    }
}

/// Cuts at the log's limits on a batch: a count and a number of bytes.
fn chunks(mut rest: &[Vec<u8>]) -> Vec<&[Vec<u8>]> {
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |statement: &&Vec<u8>| {
            bytes += statement.len();
            bytes <= MAX_BATCH_BYTES
        };
        let count = rest.iter().take(MAX_BATCH_STATEMENTS).take_while(fits).count().max(1);
        let (chunk, others) = rest.split_at(count);
        chunks.push(chunk);
        rest = others;
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_both_limits_and_loses_nothing() {
        let small = vec![vec![0; 10]; MAX_BATCH_STATEMENTS * 2 + 3];
        let lengths: Vec<usize> = chunks(&small).iter().map(|chunk| chunk.len()).collect();
        assert_eq!(lengths, [MAX_BATCH_STATEMENTS, MAX_BATCH_STATEMENTS, 3]);

        let large = vec![vec![0; 60_000]; 300];
        let cut = chunks(&large);
        assert_eq!(cut.concat(), large);
        assert!(cut.iter().all(|chunk| chunk.concat().len() <= MAX_BATCH_BYTES));
        assert!(chunks(&[]).is_empty());
    }
}
