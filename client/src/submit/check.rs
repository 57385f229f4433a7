//! Checking the proof that comes back with an accepted statement, before anything is forgotten because of it.

use govlog_formats::checkpoint::Checkpoint;
use govlog_formats::merkle::InclusionProof;
use govlog_formats::note::Note;
use govlog_formats::statement::SignedStatement;
use govlog_formats::tlog_proof::TlogProof;

use super::send::{Answer, Wait};
use crate::trust::Trust;

/// Why a proof that the log sent does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log's proof does not hold: {0}")]
pub struct Unproved(String);

/// Judges the proof of an accepted statement; `None` when the answer has none.
///
/// Without `trust` only the structure is checked: the path leads from this statement to the root in the note.
///
/// A log that had the statement already answers with the entry it holds, whose signature bytes may differ where the
/// algorithm leaves room; ours do not, for we sign deterministically.
pub(super) fn check(
    statement: &SignedStatement,
    answer: &Answer,
    wait: Wait,
    trust: Option<&Trust>,
) -> Option<Result<(), Unproved>> {
    let proof = answer.proof.as_deref().filter(|_| answer.status == 201)?;
    Some(holds(statement, answer, proof, wait, trust).map_err(Unproved))
}

fn holds(
    statement: &SignedStatement,
    answer: &Answer,
    proof: &[u8],
    wait: Wait,
    trust: Option<&Trust>,
) -> Result<(), String> {
    let proof = TlogProof::parse(proof).map_err(|error| error.to_string())?;
    if answer.id.is_none_or(|id| id.index != proof.index) {
        return Err(format!("it is for index {}, not for the entry id that the log gives", proof.index));
    }
    let leaf = statement.leaf_hash();
    let Some(trust) = trust else {
        let note = Note::parse(&proof.checkpoint).map_err(|error| error.to_string())?;
        let head = Checkpoint::of_note(&note).map_err(|error| error.to_string())?;
        let path = InclusionProof { index: proof.index, size: head.size, path: proof.path };
        return path.verify(&leaf, &head.root).map_err(|error| error.to_string());
    };
    let head = proof.verify(&leaf, trust.policy()).map_err(|error| error.to_string())?;
    if head.checkpoint().origin.as_str() != trust.origin() {
        return Err(format!("it is of {}", head.checkpoint().origin));
    }
    if wait == Wait::Published && !head.quorum().met() {
        return Err(head.quorum().to_string());
    }
    Ok(())
}
