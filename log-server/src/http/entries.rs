//! SCRAPI: one statement in, and receipts out.

use axum::extract::{Request, State};
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use std::time::Instant;

use govlog_formats::entry_id::EntryId;
use govlog_formats::limits::MAX_SUBMISSION_BYTES;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::transparent;

use super::body;
use super::error::Failure;
use super::query::{Query, bad};
use super::wait::Wait;
use super::{App, Keep, answer};
use crate::admission::Outcome;
use crate::proof::{Place, Receipted};
use crate::refusal::Refusal;
use crate::sequencer::CommittedHead;
use crate::submission::Submission;
use crate::telemetry::Station;

/// The content type of statements and receipts.
pub(super) const COSE: &str = "application/cose";

/// `POST /entries`
pub(super) async fn submit(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let _writing = app.writing();
    let query = Query::read(request.uri().query(), &["wait"])?;
    let wait = query.get("wait").map(Wait::read).transpose()?;
    body::check_type(request.headers(), COSE)?;
    app.sequencer.check()?;
    let received = body::read(&app, request.into_body(), MAX_SUBMISSION_BYTES).await?;
    let begun = Instant::now();
    let submission = Submission::parse(received.bytes())?;
    app.telemetry.passed(Station::Submission, begun);
    let (index, head) = commit(&app, submission).await?;
    let place = match wait {
        None => None,
        Some(Wait::Committed) => Some(Place::committed(&head)).filter(|place| place.size().get() > 1),
        Some(Wait::Published) => published_place(&app, index).await,
    };
    Ok(registered(&app, index, place).await)
}

/// Takes one statement through admission and sequencer; returns where it stands, and a head that covers it.
async fn commit(app: &App, submission: Submission) -> Result<(LeafIndex, CommittedHead), Failure> {
    let begun = Instant::now();
    let outcome = app.admission.admit(submission).await?;
    app.telemetry.passed(Station::Admission, begun);
    match outcome {
        // "A duplicate is answered exactly as a new entry would be" (DESIGN §6).
        Outcome::Duplicate(index) => Ok((index, app.committed(index).await?)),
        Outcome::Admitted(admitted) => {
            let begun = Instant::now();
            let ticket = app.sequencer.submit(vec![*admitted]).pop().ok_or(Refusal::Stopped)?;
            let committed = ticket.await?;
            app.telemetry.passed(Station::Sequencer, begun);
            Ok((committed.index(), committed.head().clone()))
        }
    }
}

/// Waits for the first published size that covers an entry; whatever goes wrong, the entry is committed, and its receipt can be fetched later.
async fn published_place(app: &App, index: LeafIndex) -> Option<Place> {
    let published = app.published(index).await?;
    let found = app.prover.read(move || Place::first_published(&published, index)).await;
    match found {
        Ok(Ok(place)) => place,
        Ok(Err(error)) => {
            tracing::error!(%error, "a published size could not be read");
            None
        }
        Err(error) => {
            tracing::warn!(%error, "a receipt is left for later");
            None
        }
    }
}

/// 201 with the receipt, or 303 without: the statement is committed in both cases, so nothing that fails now is a refusal.
async fn registered(app: &App, index: LeafIndex, place: Option<Place>) -> Response {
    let location = location(app, index);
    if let Some(place) = place {
        match app.prover.receipt(place, index).await {
            Ok(Receipted { receipt, .. }) => {
                let mut response = answer(StatusCode::CREATED, COSE, Keep::Not, receipt);
                insert_location(&mut response, &location);
                return response;
            }
            Err(error) => tracing::warn!(%error, "a receipt is left for later"),
        }
    }
    redirect(StatusCode::SEE_OTHER, &location)
}

/// `GET /entries/{id}`
pub(super) async fn receipt(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let id = request.uri().path().strip_prefix("/entries/").unwrap_or_default();
    let index = known(&app, id)?;
    match receipted(&app, index, request.uri().query()).await? {
        Some((receipted, keep)) => Ok(answer(StatusCode::OK, COSE, keep, receipted.receipt)),
        None => Ok(redirect(StatusCode::FOUND, &location(&app, index))),
    }
}

/// `GET /entries/{id}/statement`
pub(super) async fn statement(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let path = request.uri().path();
    let id = path.strip_prefix("/entries/").and_then(|rest| rest.strip_suffix("/statement")).unwrap_or_default();
    let index = known(&app, id)?;
    match receipted(&app, index, request.uri().query()).await? {
        Some((Receipted { entry, receipt }, keep)) => {
            let assembled = transparent::assemble(&entry, &[receipt]).map_err(|error| {
                tracing::error!(%error, "a transparent statement could not be written");
                Failure::Unready("the transparent statement could not be written".to_owned())
            })?;
            Ok(answer(StatusCode::OK, COSE, keep, assembled))
        }
        None => Ok(redirect(StatusCode::FOUND, &format!("{}/statement", location(&app, index)))),
    }
}

/// "A malformed or unassigned id: 404, titled `Not Found`." (exact.md §3)
fn known(app: &App, id: &str) -> Result<LeafIndex, Failure> {
    let id: EntryId = id.parse().map_err(|_| {
        let shown: String = id.chars().take(60).collect();
        Failure::NotFound(format!("{shown:?} is no entry id; one is <epoch>.<leaf index>, as in {}.42", app.epoch))
    })?;
    let size = app.heads.borrow().size();
    if id.epoch != app.epoch || !size.covers(id.index) {
        return Err(Failure::NotFound(format!(
            "there is no entry {id}: this log has {}.0 to {}.{}",
            app.epoch,
            app.epoch,
            size.get().saturating_sub(1)
        )));
    }
    Ok(id.index)
}

/// Makes the receipt that a GET asks for; `None` when there is none yet.
async fn receipted(app: &App, index: LeafIndex, query: Option<&str>) -> Result<Option<(Receipted, Keep)>, Failure> {
    let query = Query::read(query, &["size", "wait"])?;
    let (place, keep) = match (query.number::<TreeSize>("size")?, query.get("wait")) {
        (Some(_), Some(_)) => return Err(bad("size and wait can not be given together")),
        // "`?wait=committed` never blocks and is at the newest committed size."
        (None, Some("committed")) => {
            let place = Place::committed(&app.heads.borrow());
            (Some(place).filter(|place| place.size().get() > 1), Keep::Not)
        }
        (None, Some(_)) => {
            return Err(bad("wait may be committed here; without it the receipt is of the first published size"));
        }
        (Some(size), None) => (Some(place_at(app, index, size).await?), Keep::ForEver),
        (None, None) => (first_place(app, index).await?, Keep::ForEver),
    };
    match place {
        Some(place) => Ok(Some((app.prover.receipt(place, index).await?, keep))),
        None => Ok(None),
    }
}

/// "`?size=N` at another published size […]; not a published size, or one that does not cover: 404."
async fn place_at(app: &App, index: LeafIndex, size: TreeSize) -> Result<Place, Failure> {
    let none = || Failure::NotFound(format!("size {size} was not published, or does not cover entry {index}"));
    let published = app.0.published.borrow().clone().ok_or_else(none)?;
    let found = app.prover.read(move || Place::published_at(&published, size)).await??;
    // No receipt has tree size 1.
    found.filter(|place| place.covers(index) && size.get() > 1).ok_or_else(none)
}

async fn first_place(app: &App, index: LeafIndex) -> Result<Option<Place>, Failure> {
    let Some(published) = app.0.published.borrow().clone() else { return Ok(None) };
    Ok(app.prover.read(move || Place::first_published(&published, index)).await??)
}

fn location(app: &App, index: LeafIndex) -> String {
    format!("/entries/{}", EntryId { epoch: app.epoch, index })
}

fn redirect(status: StatusCode, location: &str) -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(axum::http::header::CACHE_CONTROL, Keep::Not.header());
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    insert_location(&mut response, location);
    response
}

fn insert_location(response: &mut Response, location: &str) {
    // Ids are digits and a dot: always a header value.
    if let Ok(value) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, value);
    }
}
