//! Bringing an operator's statement into the log, and waiting until that is proved.

use std::time::{Duration, Instant};

use govlog_formats::merkle::LeafIndex;
use govlog_formats::statement::SignedStatement;

use crate::source::{Http, Source};
use crate::submit::{self, SendError, Wait};
use crate::trust::{self, TrustDir, UpdateError};

/// How long to wait until a published entry can be proved.
pub const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);

/// What became of a statement that the log took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brought {
    /// Where it stands, as the log says.
    pub index: LeafIndex,
    /// The number of the newest change then known, once the trust directory holds the statement with its proof; `None`: it was not published in
    /// time.
    pub proved: Option<usize>,
}

/// Why a statement was not brought in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BringError {
    /// The log could not be reached.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The log refused it.
    #[error("the log refused the statement ({status}): {detail}")]
    Refused {
        /// The status.
        status: u16,
        /// Why.
        detail: String,
    },
    /// The answer lacks what it must have.
    #[error("the log took the statement and {0}")]
    Answer(&'static str),
    /// The trust directory can not be brought up to date.
    #[error(transparent)]
    Update(#[from] UpdateError),
}

/// Submits an operator's statement and updates the trust directory until it holds it, proved.
///
/// # Errors
/// As said in [`BringError`]. The same bytes may be brought in again: a statement is logged once.
pub fn bring(
    http: &Http,
    source: &Source,
    dir: &mut TrustDir,
    statement: &SignedStatement,
) -> Result<Brought, BringError> {
    let answers = submit::send(http, &[statement.entry().to_vec()], Wait::Published)?;
    let answer = answers.first().ok_or(BringError::Answer("gave no answer"))?;
    if !matches!(answer.status, 201 | 303) {
        let detail = answer.detail.clone().unwrap_or_default();
        return Err(BringError::Refused { status: answer.status, detail });
    }
    let index = answer.id.map(|id| id.index).ok_or(BringError::Answer("gave no entry id"))?;
    Ok(Brought { index, proved: prove(source, dir, index)? })
}

/// Updates the trust directory until it holds the entry at an index.
fn prove(source: &Source, dir: &mut TrustDir, index: LeafIndex) -> Result<Option<usize>, UpdateError> {
    let started = Instant::now();
    loop {
        match trust::update(source, dir) {
            Ok(_) => {}
            // While the newest head lacks its quorum there is nothing to prove by: the witnesses may come back.
            Err(UpdateError::Head(error)) if !error.refutes() && started.elapsed() < PATIENCE => {}
            Err(error) => return Err(error),
        }
        if dir.trust().history().change_at(index).is_some() {
            return Ok(Some(dir.trust().history().newest_number()));
        }
        if started.elapsed() >= PATIENCE {
            return Ok(None);
        }
        std::thread::sleep(PAUSE);
    }
}
