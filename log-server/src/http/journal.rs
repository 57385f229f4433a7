//! The JSON routes: proofs for thin clients, and hints that a client verifies.
//!
//! "digests lower-case hex, other bytes base64url without padding, ids text, times `_ms` integers, sizes and indexes integers; unknown
//! parameters 400" (exact.md §4)

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use govlog_formats::admission::{OPERATOR_STREAM, PolicyState};
use govlog_formats::base64;
use govlog_formats::digest::Digest;
use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::statement::SignedStatement;
use serde::Serialize;

use super::error::Failure;
use super::query::{Query, bad};
use super::{App, Keep, answer, records};
use crate::proof;
use crate::publication::Published;
use crate::store::{ArchivedNote, ConflictRow, StreamId};
use crate::tree::{ReadError, TreeView};

/// `GET /v1/proofs/inclusion?index=&size=`, or with `leaf=` in the place of `index=`.
pub(super) async fn inclusion(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let query = Query::read(request.uri().query(), &["index", "leaf", "size"])?;
    let size: TreeSize = query.require_number("size")?;
    if size.get() == 0 {
        return Err(bad("size is 0: the empty tree has no entries"));
    }
    let (index, published) = match query.get("leaf") {
        None => {
            let index = query.require_number("index")?;
            if !size.covers(index) {
                return Err(bad(format!("index is {index}; it must be below size, {size}")));
            }
            (index, up_to(&app, size)?)
        }
        Some(_) if query.get("index").is_some() => {
            return Err(bad("index and leaf are both given; one of them says it"));
        }
        Some(leaf) => {
            let leaf = leaf.parse().map_err(|error| bad(format!("leaf: {error}")))?;
            let published = up_to(&app, size)?;
            (records::by_leaf(&app, &leaf, size).await?, published)
        }
    };
    let made = app.prover.read(move || proof::inclusion(published.tree(), index, size)).await??;
    json(&InclusionView {
        index: index.get(),
        size: size.get(),
        leaf: made.leaf.to_string(),
        root: made.root.to_string(),
        path: hex(&made.proof.path),
    })
}

#[derive(Serialize)]
struct InclusionView {
    index: u64,
    size: u64,
    leaf: String,
    root: String,
    path: Vec<String>,
}

/// `GET /v1/proofs/consistency?old=&new=`
pub(super) async fn consistency(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let query = Query::read(request.uri().query(), &["old", "new"])?;
    let (old, new): (TreeSize, TreeSize) = (query.require_number("old")?, query.require_number("new")?);
    if old.get() == 0 {
        return Err(bad("old is 0: every tree continues the empty one"));
    }
    if old > new {
        return Err(bad(format!("old is {old}; it must be at most new, {new}")));
    }
    let published = up_to(&app, new)?;
    let made = app.prover.read(move || proof::consistency(published.tree(), old, new)).await??;
    json(&ConsistencyView {
        old: old.get(),
        new: new.get(),
        old_root: made.old_root.to_string(),
        new_root: made.new_root.to_string(),
        path: hex(&made.proof.path),
    })
}

#[derive(Serialize)]
struct ConsistencyView {
    old: u64,
    new: u64,
    old_root: String,
    new_root: String,
    path: Vec<String>,
}

/// "Proofs: any size up to the newest published one; […] a larger size: 404." (exact.md §4)
fn up_to(app: &App, size: TreeSize) -> Result<Published, Failure> {
    let published = app.0.published.borrow().clone().filter(|published| size <= published.size());
    published.ok_or_else(|| Failure::NotFound(format!("size {size} is above the newest published one")))
}

/// `GET /v1/streams?issuer=&stream=`, as committed.
pub(super) async fn stream(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let query = Query::read(request.uri().query(), &["issuer", "stream"])?;
    let (issuer, stream) = (query.require("issuer")?.to_owned(), query.require("stream")?.to_owned());
    let tree = app.heads.borrow().tree().clone();
    let id = StreamId::new(&issuer, &stream);
    let head = app.prover.read(move || tree.stream_head(&id)).await??;
    json(&StreamView {
        next_seq: head.map_or(0, |head| head.next_seq),
        prev: head.map_or(Digest::ZERO, |head| head.prev).to_string(),
        last: head.map(|head| EntryId { epoch: app.epoch, index: head.last }.to_string()),
        issuer,
        stream,
    })
}

#[derive(Serialize)]
struct StreamView {
    issuer: String,
    stream: String,
    next_seq: u64,
    prev: String,
    last: Option<String>,
}

/// `GET /v1/admission-policy?from=`: the ids of the entries below the newest published size, from an index on, that the policy is folded from.
pub(super) async fn admission_policy(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let query = Query::read(request.uri().query(), &["from"])?;
    let from = query.number::<LeafIndex>("from")?.unwrap_or(LeafIndex::new(0));
    let published = app.0.published.borrow().clone();
    let (as_of, indexes) = match published {
        None => (0, Vec::new()),
        Some(published) => {
            let (policy, size) = (Arc::clone(published.head().policy()), published.size());
            (size.get(), app.prover.read(move || folded(published.tree(), &policy, size)).await??)
        }
    };
    let (page, next) = page(&indexes, from, ADMISSION_PAGE);
    let ids = page.iter().map(|&index| EntryId { epoch: app.epoch, index }.to_string());
    json(&AdmissionView { as_of, entries: ids.collect(), next })
}

/// Takes the page of an ascending list that begins at an index, and where the next one begins.
fn page(indexes: &[LeafIndex], from: LeafIndex, most: usize) -> (&[LeafIndex], Option<u64>) {
    let (_, rest) = indexes.split_at(indexes.partition_point(|index| *index < from));
    let (page, rest) = rest.split_at(rest.len().min(most));
    (page, rest.first().map(|index| index.get()))
}

#[derive(Serialize)]
struct AdmissionView {
    as_of: u64,
    entries: Vec<String>,
    /// Where the list goes on, if it does: hardly ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// Lists the operators' entries below a size, changes and approvals, in the order of the log: as many as the operators have signed.
fn folded(tree: &TreeView, policy: &PolicyState, size: TreeSize) -> Result<Vec<LeafIndex>, ReadError> {
    let mut indexes = Vec::new();
    for stream in [OPERATOR_STREAM].into_iter().chain(policy.approval_streams()) {
        let stream = StreamId::new(policy.operator_iss(), stream);
        let mut from = 0;
        loop {
            let rows = tree.stream_rows(&stream, from, PAGE)?;
            indexes.extend(rows.iter().map(|row| row.index).filter(|index| size.covers(*index)));
            match rows.last() {
                Some(last) if rows.len() == PAGE => from = last.seq + 1,
                _ => break,
            }
        }
    }
    indexes.sort_unstable();
    Ok(indexes)
}

/// `GET /v1/checkpoints?from=&to=`: archived notes, 1,000 a page.
pub(super) async fn checkpoints(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let query = Query::read(request.uri().query(), &["from", "to"])?;
    let from: TreeSize = query.number("from")?.unwrap_or(TreeSize::new(1));
    let to: Option<TreeSize> = query.number("to")?;
    let Some(published) = app.0.published.borrow().clone() else {
        return json(&CheckpointsView { checkpoints: Vec::new(), next: None });
    };
    let to = to.unwrap_or(published.size()).min(published.size());
    let notes = if from > to {
        Vec::new()
    } else {
        app.prover.read(move || published.tree().store().archived(from, to, PAGE + 1)).await??
    };
    let next = notes.get(PAGE).map(|note| note.size.get());
    json(&CheckpointsView { checkpoints: notes.into_iter().take(PAGE).map(CheckpointView::of).collect(), next })
}

#[derive(Serialize)]
struct CheckpointsView {
    checkpoints: Vec<CheckpointView>,
    next: Option<u64>,
}

#[derive(Serialize)]
struct CheckpointView {
    size: u64,
    time_ms: u64,
    note: String,
}

impl CheckpointView {
    fn of(archived: ArchivedNote) -> Self {
        let ArchivedNote { size, time, note } = archived;
        Self { size: size.get(), time_ms: time.get(), note: String::from_utf8_lossy(&note).into_owned() }
    }
}

/// `GET /v1/conflicts?from=`: statements that collided with a published entry, by their numbers in the table.
pub(super) async fn conflicts(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let query = Query::read(request.uri().query(), &["from"])?;
    // A number of the table, written as every other number.
    let from = query.number::<LeafIndex>("from")?.map_or(0, LeafIndex::get);
    let Some(published) = app.0.published.borrow().clone() else {
        return json(&ConflictsView { conflicts: Vec::new(), next: None });
    };
    let size = published.size();
    let rows = app.prover.read(move || published.tree().store().conflicts(from, CONFLICTS_PAGE + 1)).await??;
    let next = rows.get(CONFLICTS_PAGE).map(|row| row.number);
    let page = rows.iter().take(CONFLICTS_PAGE).filter(|row| size.covers(row.entry));
    json(&ConflictsView { conflicts: page.filter_map(|row| ConflictView::of(row, app.epoch)).collect(), next })
}

#[derive(Serialize)]
struct ConflictsView {
    conflicts: Vec<ConflictView>,
    next: Option<u64>,
}

#[derive(Serialize)]
struct ConflictView {
    issuer: String,
    stream: String,
    seq: u64,
    entry: String,
    statement: String,
}

impl ConflictView {
    /// Nothing for a row that is no statement in a stream, which no row is that this program wrote.
    fn of(row: &ConflictRow, epoch: u64) -> Option<Self> {
        let statement = SignedStatement::parse_entry(&row.statement).ok()?;
        let claims = statement.claims();
        let position = claims.stream.as_ref()?;
        Some(Self {
            issuer: claims.iss.clone(),
            stream: position.stream.clone(),
            seq: position.seq,
            entry: EntryId { epoch, index: row.entry }.to_string(),
            statement: base64::encode_url(statement.entry()),
        })
    }
}

/// Rows of one page.
const PAGE: usize = 1000;
/// Entries of one page that the admission policy is folded from: a few hundred KiB.
const ADMISSION_PAGE: usize = 10_000;
/// Rows of one page of conflicts: statements of up to 64 KiB.
const CONFLICTS_PAGE: usize = 64;

fn hex(path: &[Digest]) -> Vec<String> {
    path.iter().map(Digest::to_string).collect()
}

pub(super) fn json(view: &impl Serialize) -> Result<Response, Failure> {
    let bytes = serde_json::to_vec(view).map_err(|error| Failure::Unready(error.to_string()))?;
    Ok(answer(StatusCode::OK, "application/json", Keep::Not, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another_without_a_gap() {
        let indexes: Vec<_> = [0, 2, 4, 5, 6, 9].map(LeafIndex::new).into();
        let numbers = |from, most| {
            let (page, next) = page(&indexes, LeafIndex::new(from), most);
            (page.iter().map(|index| index.get()).collect::<Vec<_>>(), next)
        };
        assert_eq!(numbers(0, 9), (vec![0, 2, 4, 5, 6, 9], None));
        assert_eq!(numbers(0, 6), (vec![0, 2, 4, 5, 6, 9], None));
        assert_eq!(numbers(0, 4), (vec![0, 2, 4, 5], Some(6)));
        assert_eq!(numbers(6, 4), (vec![6, 9], None));
        assert_eq!(numbers(3, 1), (vec![4], Some(5)));
        assert_eq!(numbers(10, 4), (vec![], None));
    }
}
