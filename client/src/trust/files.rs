//! The files of a trust directory, read with every check and written whole.

use std::path::{Path, PathBuf};

use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::statement::SignedStatement;
use govlog_formats::tlog_policy::{Policy, VerifiedCheckpoint};
use govlog_formats::tlog_proof::TlogProof;

use super::{History, HistoryError, Notes, Pinned, Trust};
use crate::durable;

const POLICY: &str = "policy.txt";
const NOTES: &str = "trust.toml";
const ADMISSION: &str = "admission";
const PINNED: &str = "pinned.checkpoint";
/// The one epoch there is so far.
pub(crate) const EPOCH: u64 = 1;

/// Why a trust directory cannot be made, read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A file cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The directory for a new trust directory is in use.
    #[error("{0}: exists and is not empty; choose another --out, or remove it if it is not wanted")]
    NotEmpty(PathBuf),
    /// A file is not what it should be.
    #[error("{path}: {why}; the trust directory is damaged: restore it, or make it anew with: govlog trust init")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// `policy.txt` is not a tlog-policy.
    #[error("the policy: {0}")]
    Policy(String),
    /// Entry 0 is not a signed statement.
    #[error("entry 0: {0}")]
    Genesis(String),
    /// The policy and entry 0 are not of one log.
    #[error("the policy names no log key {vkey}, which entry 0 says signs checkpoints of {origin}")]
    NotOneLog {
        /// The origin in entry 0.
        origin: String,
        /// The checkpoint key in entry 0.
        vkey: String,
    },
    /// A change does not fit the history.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A change's proof does not convince.
    #[error("admission-policy entry at index {index}: {why}")]
    Unproved {
        /// Its leaf index.
        index: LeafIndex,
        /// What is wrong.
        why: String,
    },
    /// A head that would be pinned does not verify.
    #[error("the checkpoint to pin: {0}")]
    BadPin(String),
    /// A head that would be pinned is older than the pinned one.
    #[error("the pinned head has size {old}, this one {new}: a pin never goes back")]
    PinGoesBack {
        /// The pinned size.
        old: TreeSize,
        /// The size offered.
        new: TreeSize,
    },
}

pub(super) fn create(path: &Path, policy: &str, genesis: &[u8]) -> Result<(), TrustError> {
    // Judge before writing: a directory that cannot be read back is not left behind.
    let parsed: Policy = policy.parse().map_err(|error| TrustError::Policy(format!("{error}")))?;
    let statement = SignedStatement::parse(genesis).map_err(|error| TrustError::Genesis(error.to_string()))?;
    let history = History::begin(statement)?;
    check_one_log(&parsed, &history)?;

    let occupied = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        return Err(TrustError::NotEmpty(path.to_owned()));
    }
    let admission = path.join(ADMISSION);
    std::fs::create_dir_all(&admission).map_err(|cause| TrustError::File { path: admission, cause })?;
    write(&change_path(path, LeafIndex::new(0), "cose"), genesis)?;
    let names: Vec<String> = parsed.witnesses().iter().map(|witness| witness.name().to_string()).collect();
    let notes = Notes::new(history.genesis(), names.iter().map(String::as_str));
    write(&path.join(NOTES), notes.print().as_bytes())?;
    // Last: a directory without it is one that was never finished.
    write(&path.join(POLICY), policy.as_bytes())
}

pub(super) fn load(path: &Path) -> Result<Trust, TrustError> {
    let policy_path = path.join(POLICY);
    let text = read_text(&policy_path)?;
    let policy: Policy =
        text.parse().map_err(|error| TrustError::Damaged { path: policy_path, why: format!("{error}") })?;
    let notes_path = path.join(NOTES);
    let notes =
        Notes::parse(&read_text(&notes_path)?).map_err(|why| TrustError::Damaged { path: notes_path.clone(), why })?;
    let history = load_history(path, &policy)?;
    if history.genesis() != notes.genesis {
        let why = format!("genesis is {}, but admission/1.0.cose hashes to {}", notes.genesis, history.genesis());
        return Err(TrustError::Damaged { path: notes_path, why });
    }
    check_one_log(&policy, &history)?;
    let trust = Trust { policy, notes, history, pinned: None };
    let pinned = load_pinned(path, &trust)?;
    Ok(Trust { pinned, ..trust })
}

fn load_history(path: &Path, policy: &Policy) -> Result<History, TrustError> {
    let mut indexes = Vec::new();
    let dir = path.join(ADMISSION);
    let entries = std::fs::read_dir(&dir).map_err(|cause| TrustError::File { path: dir.clone(), cause })?;
    for entry in entries {
        let entry = entry.map_err(|cause| TrustError::File { path: dir.clone(), cause })?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(id) = name.strip_suffix(".cose") {
            let id: EntryId = id.parse().map_err(|error| TrustError::Damaged {
                path: entry.path(),
                why: format!("its name is no entry id: {error}"),
            })?;
            indexes.push(id.index);
        }
    }
    indexes.sort_unstable();
    let genesis_path = change_path(path, LeafIndex::new(0), "cose");
    let genesis = SignedStatement::parse(&read(&genesis_path)?)
        .map_err(|error| TrustError::Damaged { path: genesis_path, why: error.to_string() })?;
    let mut history = History::begin(genesis)?;
    for index in indexes.into_iter().filter(|index| index.get() > 0) {
        let entry = read(&change_path(path, index, "cose"))?;
        let proof = read(&change_path(path, index, "tlog-proof"))?;
        history.push(index, check_change(policy, index, &entry, &proof)?)?;
    }
    Ok(history)
}

fn load_pinned(path: &Path, trust: &Trust) -> Result<Option<Pinned>, TrustError> {
    let path = path.join(PINNED);
    let note = match std::fs::read(&path) {
        Ok(note) => note,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(TrustError::File { path, cause }),
    };
    // "My state is corrupt" and "the log lied" are different errors: this is the first.
    let verified = check_pinned(trust, &note).map_err(|error| TrustError::Damaged { path, why: error.to_string() })?;
    Ok(Some(Pinned { note, verified }))
}

/// Checks that an admission-policy entry stands in the log under a head that meets the policy.
pub(super) fn check_change(
    policy: &Policy,
    index: LeafIndex,
    entry: &[u8],
    proof: &[u8],
) -> Result<SignedStatement, TrustError> {
    let unproved = |why: String| TrustError::Unproved { index, why };
    let statement = SignedStatement::parse(entry).map_err(|error| unproved(error.to_string()))?;
    let proof = TlogProof::parse(proof).map_err(|error| unproved(format!("its proof: {error}")))?;
    if proof.index != index {
        return Err(unproved(format!("its proof is for index {}", proof.index)));
    }
    let head = proof.verify(&statement.leaf_hash(), policy).map_err(|error| unproved(format!("its proof: {error}")))?;
    if !head.quorum().met() {
        return Err(unproved("its checkpoint lacks the quorum of policy.txt".to_owned()));
    }
    Ok(statement)
}

pub(super) fn check_pinned(trust: &Trust, note: &[u8]) -> Result<VerifiedCheckpoint, TrustError> {
    let verified = trust.policy.verify_checkpoint(note).map_err(|error| TrustError::BadPin(error.to_string()))?;
    if verified.checkpoint().origin.as_str() != trust.origin() {
        return Err(TrustError::BadPin(format!(
            "it is of {}, not of {}",
            verified.checkpoint().origin,
            trust.origin()
        )));
    }
    if !verified.quorum().met() {
        return Err(TrustError::BadPin("it lacks the quorum of policy.txt".to_owned()));
    }
    Ok(verified)
}

/// The policy's key for the origin and the one that entry 0 names must be the same.
fn check_one_log(policy: &Policy, history: &History) -> Result<(), TrustError> {
    let row = history.newest().after.log();
    if policy.logs().iter().any(|log| log.vkey() == &row.checkpoint) {
        Ok(())
    } else {
        Err(TrustError::NotOneLog { origin: row.origin.clone(), vkey: row.checkpoint.to_string() })
    }
}

/// Writes the proof first: an entry without its proof would be taken for damage.
pub(super) fn write_change(path: &Path, index: LeafIndex, entry: &[u8], proof: &[u8]) -> Result<(), TrustError> {
    write(&change_path(path, index, "tlog-proof"), proof)?;
    write(&change_path(path, index, "cose"), entry)
}

pub(super) fn write_pinned(path: &Path, note: &[u8]) -> Result<(), TrustError> {
    write(&path.join(PINNED), note)
}

fn change_path(path: &Path, index: LeafIndex, ending: &str) -> PathBuf {
    path.join(ADMISSION).join(format!("{}.{ending}", EntryId { epoch: EPOCH, index }))
}

fn read(path: &Path) -> Result<Vec<u8>, TrustError> {
    std::fs::read(path).map_err(|cause| TrustError::File { path: path.to_owned(), cause })
}

fn read_text(path: &Path) -> Result<String, TrustError> {
    std::fs::read_to_string(path).map_err(|cause| TrustError::File { path: path.to_owned(), cause })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), TrustError> {
    durable::replace(path, 0o644, bytes).map_err(|cause| TrustError::File { path: path.to_owned(), cause })
}
