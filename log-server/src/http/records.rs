//! `GET /v1/records`: search. The answer is a hint; whoever asks verifies each entry, and judges it by the same filter.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use govlog_formats::digest::Digest;
use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::search::{Filter, Term};
use serde::Serialize;

use super::error::Failure;
use super::journal::json;
use super::query::{Query, bad};
use super::{App, wait::Reached};
use crate::index::{Progress, SearchError};

/// `GET /v1/records?kind=&subject=&…&since=&until=&cursor=&at=&limit=`
///
/// Parameters that name a column may be given several times, sixteen in all. The answer speaks of the first `as_of` entries, all of them
/// published; with `at` of exactly so many. Ids come in the order of the log, and `cursor` is where the next page goes on: pages have neither
/// gaps nor repetitions while the log grows.
pub(super) async fn search(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (query, others) = Query::split(request.uri().query(), &["cursor", "at", "limit"])?;
    let pairs = others.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let filter = Filter::from_pairs(pairs).map_err(|error| bad(error.to_string()))?;
    if filter.terms().len() > MAX_TERMS {
        return Err(bad(format!("{} values are asked for; at most {MAX_TERMS} may be", filter.terms().len())));
    }
    let from = query.number::<LeafIndex>("cursor")?.map_or(0, LeafIndex::get);
    let limit = limit(&query)?;
    let as_of = match query.number::<TreeSize>("at")? {
        Some(at) if at.get() == 0 => return Err(bad("at is 0: the empty tree has no entries")),
        Some(at) => app.indexed(at).await.map(|()| at).map_err(|Reached(progress)| not_reached(&app, at, &progress))?,
        None => newest(&app).await?,
    };
    let page = app.index.search(filter, from, as_of, limit).await.map_err(|error| failure(&app, error))?;
    let id = |index: &LeafIndex| EntryId { epoch: app.epoch, index: *index }.to_string();
    json(&RecordsView {
        as_of: as_of.get(),
        ids: page.found.iter().map(id).collect(),
        cursor: page.next.map(|next| next.to_string()),
    })
}

#[derive(Serialize)]
struct RecordsView {
    as_of: u64,
    ids: Vec<String>,
    /// Where the next page begins. It may be an empty one.
    cursor: Option<String>,
}

/// Finds the entry with a leaf hash below a size.
///
/// # Errors
/// 404 when there is none; 503 while the index can not tell.
pub(super) async fn by_leaf(app: &App, leaf: &Digest, size: TreeSize) -> Result<LeafIndex, Failure> {
    app.indexed(size).await.map_err(|Reached(progress)| Failure::not_indexed(&progress))?;
    let filter = Filter::default().with(Term::of_leaf(leaf));
    let page = app.index.search(filter, 0, size, 1).await.map_err(|error| failure(app, error))?;
    let found = page.found.first().copied();
    found.ok_or_else(|| Failure::NotFound(format!("no entry below size {size} has leaf hash {leaf}")))
}

/// The newest published size. The index follows the log within milliseconds, which are waited for; what it has beyond an older one was never published
/// as a size of its own, and nothing could be proved at it.
async fn newest(app: &App) -> Result<TreeSize, Failure> {
    let published = newest_published(app);
    let mut indexed = app.index.progress();
    let reached = indexed.wait_for(|progress| !progress.ready || progress.size >= published);
    drop(tokio::time::timeout(LAG, reached).await);
    let progress = *indexed.borrow();
    answered(published, &progress).ok_or_else(|| Failure::not_indexed(&progress))
}

fn answered(published: u64, progress: &Progress) -> Option<TreeSize> {
    (progress.ready && progress.size >= published).then(|| TreeSize::new(published))
}

fn limit(query: &Query) -> Result<usize, Failure> {
    let Some(limit) = query.number::<TreeSize>("limit")? else { return Ok(PAGE) };
    let limit = usize::try_from(limit.get()).ok().filter(|limit| (1..=PAGE).contains(limit));
    limit.ok_or_else(|| bad(format!("limit must be from 1 to {PAGE}")))
}

/// Says why there is no answer for the first `at` entries yet: they are not published, or not all of them are in the index.
fn not_reached(app: &App, at: TreeSize, progress: &Progress) -> Failure {
    match newest_published(app) {
        published if published < at.get() => Failure::not_published(at, published),
        _ => Failure::not_indexed(progress),
    }
}

fn newest_published(app: &App) -> u64 {
    app.0.published.borrow().as_ref().map_or(0, |published| published.size().get())
}

fn failure(app: &App, error: SearchError) -> Failure {
    match error {
        SearchError::NotDone(error) => error.into(),
        SearchError::NotReady => Failure::not_indexed(&app.index.progress().borrow()),
        SearchError::Store(error) => error.into(),
    }
}

/// Ids of one page.
pub(in crate::http) const PAGE: usize = 1000;
/// Values that an entry can be asked to have all of: each costs a list of its own.
pub(in crate::http) const MAX_TERMS: usize = 16;
/// For the index to have what is published.
const LAG: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    /// "`as_of` is the newest published size": an index that is behind gives none, and not what it has.
    #[test]
    fn an_answer_speaks_of_the_newest_published_size_or_there_is_none() {
        let progress = |ready, size| Progress { ready, size, of: 9, retry_after_s: 1 };
        assert_eq!(answered(7, &progress(true, 7)), Some(TreeSize::new(7)));
        assert_eq!(answered(7, &progress(true, 9)), Some(TreeSize::new(7)), "committed, not published");
        assert_eq!(answered(7, &progress(true, 6)), None, "nobody published 6");
        assert_eq!(answered(7, &progress(false, 9)), None);
    }
}
