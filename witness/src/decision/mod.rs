//! Whether to cosign: a function of the request, the log's keys, what is remembered, and the time.
//!
//! The checks stand in the order in which the witness answers for them: form, origin, signatures, old size against the checkpoint's, old size
//! against the record, root and proof, time. Quotations are from C2SP tlog-witness v1.0.0; where the document's main branch of 2026-07-06
//! differs, the comment says so and main is followed.

use govlog_formats::{
    checkpoint::{Checkpoint, Origin},
    cosignature::MAX_TIMESTAMP,
    digest::Digest,
    merkle::{ConsistencyProof, EMPTY_ROOT, ProofError, TreeSize},
    note::{Note, NoteError, SignatureLine, VerifyError, Vkey},
    wire::add_checkpoint::{AddCheckpoint, AddCheckpointError},
};

use crate::remembered::Remembered;

/// A well-formed request; nothing in it has been verified.
#[derive(Clone, Debug)]
pub struct Request {
    body: AddCheckpoint,
    note: Note,
    checkpoint: Checkpoint,
}

impl Request {
    /// Reads a request body.
    ///
    /// "The request body MUST be a sequence of an old size line, zero or more consistency proof lines, and an empty line, followed by a
    /// checkpoint." (add-checkpoint)
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let (body, note, checkpoint) = AddCheckpoint::parse_with_note(body).map_err(Refusal::Malformed)?;
        Ok(Self { body, note, checkpoint })
    }

    /// Returns the origin the checkpoint claims to be of.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.checkpoint.origin
    }

    /// Checks that the log itself signed the checkpoint, `keys` being those trusted for its origin.
    ///
    /// "The witness MUST verify the checkpoint signature against the public key(s) it trusts for the checkpoint origin, and it MUST ignore
    /// signatures from unknown keys." (add-checkpoint)
    ///
    /// # Errors
    /// [`Refusal::UnknownOrigin`] when there are no keys, else [`Refusal::Untrusted`].
    pub fn authenticate(self, keys: &[Vkey]) -> Result<Authentic, Refusal> {
        // "If the checkpoint origin is unknown, the witness MUST respond with a "404 Not Found" HTTP status code." (add-checkpoint)
        if keys.is_empty() {
            return Err(Refusal::UnknownOrigin(self.checkpoint.origin));
        }
        // "If none of the signatures verify against a trusted public key, the witness MUST respond with a "403 Forbidden" HTTP status code."
        // (add-checkpoint) A line under a trusted name and key ID that fails is refused in the same way (main of 2026-07-06).
        self.note.verify_known(keys).map_err(Refusal::Untrusted)?;
        let lines = verified_lines(&self.note, keys);
        Ok(Authentic { request: self, lines })
    }
}

/// A request whose checkpoint the log signed.
#[derive(Clone, Debug)]
pub struct Authentic {
    request: Request,
    lines: Vec<SignatureLine>,
}

impl Authentic {
    /// Returns the checkpoint.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.request.checkpoint
    }

    /// Returns the note's text: what the log signed and the witness may cosign.
    #[must_use]
    pub fn text(&self) -> &str {
        self.request.note.text()
    }

    /// Returns the old size the client named.
    #[must_use]
    pub const fn old(&self) -> TreeSize {
        self.request.body.old
    }

    /// Returns the consistency proof.
    #[must_use]
    pub fn proof(&self) -> &[Digest] {
        &self.request.body.proof
    }

    /// Puts together a note of the text, the log's verified lines and, after them, `more`. Lines nobody verified are left behind, so that
    /// they can never be served or stored in anybody's name.
    ///
    /// # Errors
    /// [`Refusal::NoRoom`] when the result would be too large for a note.
    pub fn note_with(&self, more: &[SignatureLine]) -> Result<Note, Refusal> {
        let lines: Vec<SignatureLine> = self.lines.iter().chain(more).cloned().collect();
        Note::with_lines(self.text(), &lines).map_err(Refusal::NoRoom)
    }
}

/// The permission to cosign one checkpoint at one time. Only [`decide`] gives it.
#[derive(Debug)]
pub struct Grant<'a> {
    request: &'a Authentic,
    timestamp: u64,
}

impl<'a> Grant<'a> {
    /// Returns what is to be cosigned.
    #[must_use]
    pub const fn request(&self) -> &'a Authentic {
        self.request
    }

    /// Returns the time to state, in POSIX seconds.
    #[must_use]
    pub const fn timestamp(&self) -> u64 {
        self.timestamp
    }
}

/// Decides whether to cosign, given the last checkpoint cosigned for the origin (`None` if there never was one) and the time in POSIX seconds.
///
/// # Errors
/// A [`Refusal`]. "[The witness] MUST NOT cosign the checkpoint." (add-checkpoint)
pub fn decide<'a>(request: &'a Authentic, remembered: Option<&Remembered>, now: u64) -> Result<Grant<'a>, Refusal> {
    check_old_size(request, remembered)?;
    check_tree(request, remembered)?;
    check_time(remembered, now)?;
    Ok(Grant { request, timestamp: now })
}

fn check_old_size(request: &Authentic, remembered: Option<&Remembered>) -> Result<(), Refusal> {
    let (old, size) = (request.old(), request.checkpoint().size);
    // "The old size MUST be equal to or lower than the checkpoint size. Otherwise, the witness MUST respond with a "400 Bad Request" HTTP
    // status code." (add-checkpoint)
    if old > size {
        return Err(Refusal::OldAboveNew { old, size });
    }
    // "The witness MUST check that the old size matches the size of the latest checkpoint it cosigned for the checkpoint's origin (or zero if
    // it never cosigned a checkpoint for that origin). If it doesn't match, the witness MUST respond with a "409 Conflict" HTTP status code."
    // (add-checkpoint)
    let recorded = remembered.map_or(TreeSize::ZERO, Remembered::size);
    if old != recorded {
        return Err(Refusal::Stale { old, recorded });
    }
    Ok(())
}

/// Checks the tree; `old` is known to be the recorded size, and not above the checkpoint's.
fn check_tree(request: &Authentic, remembered: Option<&Remembered>) -> Result<(), Refusal> {
    let (old, size, root) = (request.old(), request.checkpoint().size, request.checkpoint().root);
    // An empty tree has one root, SHA-256 of nothing; any other is answered with 422 (main of 2026-07-06). RFC 6962, Section 2.1: "The hash of
    // an empty list is the hash of an empty string".
    if size == TreeSize::ZERO && root != EMPTY_ROOT {
        return Err(Refusal::EmptyTreeRoot { found: root });
    }
    // "The proof MUST be empty if the old size is zero." (add-checkpoint) RFC 6962 has no proof between equal sizes either.
    if (old == TreeSize::ZERO || old == size) && !request.proof().is_empty() {
        return Err(Refusal::ProofNotEmpty { hashes: request.proof().len() });
    }
    let Some(remembered) = remembered else { return Ok(()) };
    // "If the old size matches the checkpoint size, the witness MUST check that the root hashes are also identical." (add-checkpoint) v1.0.0
    // answers with 409 if they are not; main of 2026-07-06 with 422, since no other old size would help.
    if old == size {
        return match remembered.root() == root {
            true => Ok(()),
            false => Err(Refusal::RootDiffers { size, recorded: remembered.root(), found: root }),
        };
    }
    // "The consistency proof lines MUST encode a Merkle Consistency Proof from the old size to the checkpoint size according to RFC 6962,
    // Section 2.1.2. […] If the Merkle Consistency Proof doesn't verify, the witness MUST respond with a "422 Unprocessable Entity" HTTP
    // status code." (add-checkpoint) Anything is consistent with the empty tree.
    if old == TreeSize::ZERO {
        return Ok(());
    }
    let proof = ConsistencyProof { old, new: size, path: request.proof().to_vec() };
    proof.verify(&remembered.root(), &root).map_err(Refusal::Inconsistent)
}

fn check_time(remembered: Option<&Remembered>, now: u64) -> Result<(), Refusal> {
    // A time that runs backwards would let an old view pass for a fresh one; waiting for the clock is the only right answer. The
    // timestamp is never zero: "non-zero timestamp" (add-checkpoint, main of 2026-07-06).
    let last = remembered.map_or(1, Remembered::timestamp);
    if now < last || now > MAX_TIMESTAMP {
        return Err(Refusal::Clock { now, last });
    }
    Ok(())
}

/// The lines under the name and ID of a trusted key, each once. Call it only where all of these are known to verify.
fn verified_lines(note: &Note, keys: &[Vkey]) -> Vec<SignatureLine> {
    let trusted = |line: &&SignatureLine| keys.iter().any(|key| key.name() == line.name() && key.id() == line.id());
    let mut lines: Vec<SignatureLine> = Vec::new();
    for line in note.lines().iter().filter(trusted) {
        if !lines.iter().any(|held| held.name() == line.name() && held.id() == line.id()) {
            lines.push(line.clone());
        }
    }
    lines
}

/// Why the witness does not cosign. The client's fault, or the log's, but for [`Refusal::Clock`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The body is not a request.
    #[error("malformed request: {0}")]
    Malformed(#[source] AddCheckpointError),
    /// No log of that origin is on the list.
    #[error("no log of origin {0:?} is known here")]
    UnknownOrigin(Origin),
    /// The log's own signature is missing or wrong.
    #[error("the log's signature: {0}")]
    Untrusted(#[source] VerifyError),
    /// The old size is larger than the checkpoint.
    #[error("old size {old} is above the checkpoint's size {size}")]
    OldAboveNew {
        /// The old size named.
        old: TreeSize,
        /// The checkpoint's size.
        size: TreeSize,
    },
    /// The old size is not the one on record.
    #[error("old size {old} is not the size cosigned last, {recorded}")]
    Stale {
        /// The old size named.
        old: TreeSize,
        /// The size cosigned last, 0 if none was.
        recorded: TreeSize,
    },
    /// The tree is empty and its root hash is not that of the empty tree.
    #[error("the root hash of an empty tree is {EMPTY_ROOT}, not {found}")]
    EmptyTreeRoot {
        /// The root hash stated.
        found: Digest,
    },
    /// There is a proof where there is nothing to prove.
    #[error("the proof has {hashes} hashes; from old size 0, or to the same size, it has none")]
    ProofNotEmpty {
        /// How many there are.
        hashes: usize,
    },
    /// The same size was cosigned with another root hash.
    #[error("root hash {found} at size {size}, where {recorded} was cosigned: the log signed two histories")]
    RootDiffers {
        /// The size of both.
        size: TreeSize,
        /// The root hash cosigned.
        recorded: Digest,
        /// The root hash now stated.
        found: Digest,
    },
    /// The proof does not lead from the remembered tree to the new one.
    #[error("the checkpoint is not shown to be consistent with the one cosigned last: {0}")]
    Inconsistent(#[source] ProofError),
    /// The witness's clock does not allow to cosign now.
    #[error("the witness's clock shows {now}, and the last cosignature states {last}: try again later")]
    Clock {
        /// What the clock shows, in POSIX seconds.
        now: u64,
        /// The least acceptable time.
        last: u64,
    },
    /// A cosignature more would not fit in the note.
    #[error("no room for a cosignature: {0}")]
    NoRoom(#[source] NoteError),
}

/// What a log-signed checkpoint shows of its log, whether or not it was refused for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Misbehaviour {
    /// The log signed two root hashes for one size. The two notes prove it.
    SplitView,
    /// The log signed a root hash for the empty tree that is not the empty tree's. The note proves it.
    EmptyTreeRoot,
    /// The log's checkpoint came with a proof that does not fit. This may be the log's doing or the sender's: the two notes
    /// are kept so that someone who has the tree can tell.
    BadProof,
}

impl Misbehaviour {
    /// Returns the name used in files and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SplitView => "split-view",
            Self::EmptyTreeRoot => "empty-tree-root",
            Self::BadProof => "bad-proof",
        }
    }

    /// Says whether what is kept proves the misbehaviour by itself.
    #[must_use]
    pub const fn is_proof(self) -> bool {
        matches!(self, Self::SplitView | Self::EmptyTreeRoot)
    }
}

/// Looks for misbehaviour in a refused request.
///
/// "If the origin is known, and the signature is valid, the witness MAY log the request even if the consistency proof doesn't verify (but MUST
/// NOT cosign the checkpoint) as it might be proof of log misbehavior." (add-checkpoint) Two signed root hashes of one size are proof even in
/// a request that is refused for its old size.
#[must_use]
pub fn misbehaviour(request: &Authentic, remembered: Option<&Remembered>, refusal: &Refusal) -> Option<Misbehaviour> {
    let checkpoint = request.checkpoint();
    if checkpoint.size == TreeSize::ZERO && checkpoint.root != EMPTY_ROOT {
        return Some(Misbehaviour::EmptyTreeRoot);
    }
    if remembered.is_some_and(|held| held.size() == checkpoint.size && held.root() != checkpoint.root) {
        return Some(Misbehaviour::SplitView);
    }
    matches!(refusal, Refusal::Inconsistent(_)).then_some(Misbehaviour::BadProof)
}

#[cfg(test)]
mod tests;
