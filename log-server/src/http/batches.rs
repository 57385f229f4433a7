//! Many statements in one request, many proofs in one answer.

use std::collections::HashSet;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use govlog_formats::batch::{self, BatchResult};
use govlog_formats::entry_id::EntryId;
use govlog_formats::limits::MAX_BATCH_BYTES;
use govlog_formats::merkle::LeafIndex;

use super::body::{self, Received};
use super::error::Failure;
use super::query::Query;
use super::wait::Wait;
use super::{App, Keep, answer};
use crate::admission::{Admitted, Outcome};
use crate::proof::{Place, ProofError, tlog_proof};
use crate::publication::Published;
use crate::refusal::{Refusal, Unavailable};
use crate::sequencer::CommittedHead;
use crate::store::StreamId;
use crate::submission::Submission;
use crate::telemetry::Station;

/// `POST /v1/batches`
pub(super) async fn submit(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let _writing = app.writing();
    let query = Query::read(request.uri().query(), &["wait"])?;
    let wait = query.get("wait").map_or(Ok(Wait::Committed), Wait::read)?;
    body::check_type(request.headers(), batch::CONTENT_TYPE)?;
    app.sequencer.check()?;
    let received = body::read(&app, request.into_body(), MAX_BATCH_BYTES).await?;
    let begun = Instant::now();
    let parsed = app.prover.read(move || parse(received)).await??;
    app.telemetry.passed(Station::Submission, begun);
    let outcomes = commit(&app, parsed).await;
    let head = newest(&outcomes);
    let indexes: Vec<LeafIndex> = outcomes.iter().flatten().map(|placed| placed.index).collect();
    let places = match (wait, head) {
        (_, None) => Places::None,
        (Wait::Committed, Some(head)) => Places::Committed(Place::committed(&head)),
        (Wait::Published, Some(_)) => published(&app, &indexes).await,
    };
    let proofs = prove(&app, indexes, places).await;
    Ok(answer(StatusCode::OK, batch::CONTENT_TYPE, Keep::Not, batch::encode_results(&results(&app, outcomes, proofs))))
}

/// Frames the whole batch, then parses each statement: "framed entirely before any is admitted" (DESIGN §8.1).
fn parse(received: Received) -> Result<Vec<Result<Submission, Refusal>>, Failure> {
    let items = batch::split(received.bytes()).map_err(Failure::Framing)?;
    let parsed = items.into_iter().map(Submission::parse).collect();
    drop(received);
    Ok(parsed)
}

/// Where a statement of the batch stands.
struct Placed {
    index: LeafIndex,
    head: CommittedHead,
}

type Outcomes = Vec<Result<Placed, Failure>>;

/// Takes the statements through admission and sequencer, in order.
async fn commit(app: &App, parsed: Vec<Result<Submission, Refusal>>) -> Outcomes {
    let streams: Vec<Option<StreamId>> = parsed.iter().map(|one| one.as_ref().ok().and_then(stream_of)).collect();
    let good = parsed.iter().filter_map(|one| one.as_ref().ok().cloned()).collect();
    let begun = Instant::now();
    let mut admitted = app.admission.admit_all(good).await.into_iter();
    app.telemetry.passed(Station::Admission, begun);
    let judged = parsed.into_iter().map(|one| match one {
        Ok(_) => admitted.next().unwrap_or(Err(Refusal::unavailable(Unavailable::Verification))),
        Err(refusal) => Err(refusal),
    });
    let (steps, statements) = in_order(judged.zip(streams));
    let begun = Instant::now();
    let mut tickets = app.sequencer.submit(statements).into_iter();
    let mut outcomes = Vec::with_capacity(steps.len());
    for step in steps {
        outcomes.push(match step {
            Step::Refused(refusal) => Err(refusal.into()),
            Step::Duplicate(index) => app.committed(index).await.map(|head| Placed { index, head }),
            Step::Submitted => match tickets.next() {
                Some(ticket) => match ticket.await {
                    Ok(committed) => Ok(Placed { index: committed.index(), head: committed.head().clone() }),
                    Err(refusal) => Err(refusal.into()),
                },
                None => Err(Refusal::Stopped.into()),
            },
        });
    }
    app.telemetry.passed(Station::Sequencer, begun);
    outcomes
}

/// What is done with one statement of a batch.
enum Step {
    Refused(Refusal),
    Duplicate(LeafIndex),
    /// It is among the statements handed to the sequencer, in order.
    Submitted,
}

/// Holds back the successors, in its stream, of a statement that the log had no room for: "successors of a failed one in its stream get 409, or
/// 503 after a 503" (exact.md §4). The 409 is the sequencer's, which knows where the stream stands.
fn in_order(judged: impl Iterator<Item = (Result<Outcome, Refusal>, Option<StreamId>)>) -> (Vec<Step>, Vec<Admitted>) {
    let mut held = HashSet::new();
    let mut statements = Vec::new();
    let steps = judged.map(|(one, stream)| {
        if stream.is_some_and(|stream| held.contains(&stream)) && !matches!(one, Ok(Outcome::Duplicate(_))) {
            return Step::Refused(Refusal::unavailable(Unavailable::Predecessor));
        }
        match one {
            Ok(Outcome::Admitted(admitted)) => {
                statements.push(*admitted);
                Step::Submitted
            }
            Ok(Outcome::Duplicate(index)) => Step::Duplicate(index),
            Err(refusal) => {
                if matches!(refusal, Refusal::Unavailable { .. }) {
                    held.extend(stream);
                }
                Step::Refused(refusal)
            }
        }
    });
    let steps = steps.collect();
    (steps, statements)
}

fn stream_of(submission: &Submission) -> Option<StreamId> {
    let claims = submission.statement().claims();
    claims.stream.as_ref().map(|position| StreamId::new(&claims.iss, &position.stream))
}

/// Returns the newest head: it covers all entries of the batch, so that one signature serves them all.
fn newest(outcomes: &Outcomes) -> Option<CommittedHead> {
    outcomes.iter().flatten().map(|placed| &placed.head).max_by_key(|head| head.size()).cloned()
}

/// The heads that proofs are made under.
enum Places {
    None,
    Committed(Place),
    /// Each entry under the first published size that covers it.
    Published(Published),
}

/// Waits until all entries are published; those that are by the end of the wait get their proofs, the others a 303.
async fn published(app: &App, indexes: &[LeafIndex]) -> Places {
    let Some(last) = indexes.iter().max() else { return Places::None };
    let reached = app.published(*last).await.or_else(|| app.0.published.borrow().clone());
    reached.map_or(Places::None, Places::Published)
}

/// Makes the proofs, in the order of the indexes. What fails is left out: the entries are committed all the same.
async fn prove(app: &App, indexes: Vec<LeafIndex>, places: Places) -> Vec<Option<Bytes>> {
    let count = indexes.len();
    let made = app.prover.read(move || {
        let mut last: Option<(LeafIndex, Place)> = None;
        let proofs = indexes.into_iter().map(|index| {
            prove_one(&places, &mut last, index).unwrap_or_else(|error| {
                tracing::warn!(%error, %index, "a proof is left for later");
                None
            })
        });
        proofs.collect()
    });
    made.await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the proofs of a batch are left for later");
        vec![None; count]
    })
}

/// `last`: an entry and the first published size that covers it, which is also that of every entry between the two.
fn prove_one(
    places: &Places,
    last: &mut Option<(LeafIndex, Place)>,
    index: LeafIndex,
) -> Result<Option<Bytes>, ProofError> {
    match places {
        Places::None => Ok(None),
        Places::Committed(place) => tlog_proof(place, index).map(Some),
        Places::Published(published) => {
            if last.as_ref().is_none_or(|(first, place)| index < *first || !place.covers(index)) {
                *last = Place::first_published(published, index)?.map(|place| (index, place));
            }
            last.as_ref().map(|(_, place)| tlog_proof(place, index)).transpose()
        }
    }
}

/// "Key 1 of a result is 201 with the proof, 303 when the wait ran out, else the status the statement alone would get" (exact.md §4).
fn results(app: &App, outcomes: Outcomes, proofs: Vec<Option<Bytes>>) -> Vec<BatchResult> {
    let mut proofs = proofs.into_iter();
    let result = |outcome: Result<Placed, Failure>| match outcome {
        Err(failure) => failure.batch_result(),
        Ok(placed) => {
            let id = Some(EntryId { epoch: app.epoch, index: placed.index });
            let proof = proofs.next().flatten().map(|proof| proof.to_vec());
            let status = if proof.is_some() { StatusCode::CREATED } else { StatusCode::SEE_OTHER };
            BatchResult { status: status.as_u16(), id, proof, ..BatchResult::default() }
        }
    };
    outcomes.into_iter().map(result).collect()
}
