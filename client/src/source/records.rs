//! A log's search: which entries answer a filter, as its server says. A hint: nothing is known of an entry until it is read and judged.

use std::time::{Duration, Instant};

use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::search::Filter;
use serde::Deserialize;

use super::{Http, SourceError};
use crate::trust::EPOCH;

/// Ids that a server gives in one page at most.
const PAGE: usize = 1000;
/// A page of these, and what is around them.
const MAX_PAGE_BYTES: usize = 256 * 1024;
/// A server looks at thousands of entries before it gives a page with fewer ids than it may; this is less, and a few pages more are let pass.
const LEAST_COVERED: u64 = 1024;
const FEW_SHORT: u64 = 16;
/// How long to wait for an index that is being built, or is behind.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a search has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// The server does not answer, or refuses.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The answer cannot be understood.
    #[error("v1/records: {0}")]
    Answer(String),
    /// The answer is none that an index can give to this question.
    #[error("the log's index answers wrongly: {0}")]
    Wrong(String),
    /// The server's index does not reach this size.
    #[error("the log's index does not reach size {at} yet{}; ask again, or scan: --complete", if detail.is_empty() { String::new() } else { format!(" ({detail})") })]
    Behind {
        /// The size.
        at: TreeSize,
        /// What the server says.
        detail: String,
    },
}

#[derive(Deserialize)]
struct Page {
    as_of: u64,
    ids: Vec<String>,
    cursor: Option<String>,
}

impl Http {
    /// Asks which entries below a size answer a filter: at most so many, in the log's order. A second value says that there are more.
    ///
    /// # Errors
    ///
    /// The server cannot be reached, has no index up to that size, or gives what is no answer.
    pub fn records(&self, filter: &Filter, at: TreeSize, most: usize) -> Result<(Vec<LeafIndex>, bool), RecordsError> {
        self.records_from(LeafIndex::new(0), filter, at, most)
    }

    /// As [`records`](Self::records), of the entries from `from` on.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn records_from(
        &self,
        from: LeafIndex,
        filter: &Filter,
        at: TreeSize,
        most: usize,
    ) -> Result<(Vec<LeafIndex>, bool), RecordsError> {
        let (mut found, mut cursor, query) = (Vec::<LeafIndex>::new(), from.get(), filter.to_query());
        let and = if query.is_empty() { "" } else { "&" };
        let (mut short, most_short) = (0, at.get() / LEAST_COVERED + FEW_SHORT);
        loop {
            // One more than is taken says that there are more: a cursor may lead to an empty page.
            let limit = (most - found.len()).saturating_add(1).min(PAGE);
            let page = self.page(&format!("v1/records?{query}{and}at={at}&limit={limit}&cursor={cursor}"), at)?;
            if page.as_of != at.get() {
                return Err(RecordsError::Wrong(format!("as_of is {}, asked at {at}", page.as_of)));
            }
            for id in &page.ids {
                let EntryId { epoch, index } =
                    id.parse::<EntryId>().map_err(|error| RecordsError::Answer(error.to_string()))?;
                if epoch != EPOCH || !at.covers(index) {
                    return Err(RecordsError::Wrong(format!("{id} is not among the first {at} entries")));
                }
                if let Some(last) = found.last().filter(|last| **last >= index) {
                    return Err(RecordsError::Wrong(format!("{id} comes after entry {last}, out of the log's order")));
                }
                if index.get() < cursor {
                    return Err(RecordsError::Wrong(format!(
                        "{id} comes before entry {cursor}, where it was to begin"
                    )));
                }
                if found.len() == most {
                    return Ok((found, true));
                }
                found.push(index);
            }
            short += u64::from(page.cursor.is_some() && page.ids.len() < limit);
            if short > most_short {
                let why = format!("{short} pages go on that have fewer ids than they may, of {at} entries");
                return Err(RecordsError::Wrong(why));
            }
            match page.cursor {
                None => return Ok((found, false)),
                Some(next) => {
                    // A page may be empty; its cursor goes on all the same.
                    let next: u64 = next.parse().map_err(|_| RecordsError::Answer(format!("cursor {next:?}")))?;
                    if next > at.get() || next <= cursor {
                        return Err(RecordsError::Wrong(format!("the cursor {next} does not go on below {at}")));
                    }
                    cursor = next;
                }
            }
        }
    }

    fn page(&self, path: &str, at: TreeSize) -> Result<Page, RecordsError> {
        let started = Instant::now();
        loop {
            let reply = self.ask(path, MAX_PAGE_BYTES)?;
            match reply.status {
                200 => {
                    return serde_json::from_slice(&reply.body)
                        .map_err(|error| RecordsError::Answer(error.to_string()));
                }
                // The server has waited 5 s itself where its index was only behind.
                // Of an address that asks for much at a time the server asks for patience, too.
                429 | 503 if started.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_secs(reply.retry_after.unwrap_or(1).clamp(1, 5)));
                }
                503 => {
                    let detail = match self.unexpected(path, 503, &reply.body) {
                        SourceError::Status { detail, .. } => detail,
                        _ => String::new(),
                    };
                    return Err(RecordsError::Behind { at, detail });
                }
                status => return Err(self.unexpected(path, status, &reply.body).into()),
            }
        }
    }
}
