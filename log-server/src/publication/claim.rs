//! What a witness's note proves about this log, if it proves anything.

use govlog_formats::checkpoint::Checkpoint;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{NodeReader as _, TreeSize, root_from, root_nodes};
use govlog_formats::note::{Note, Vkey};

use crate::sequencer::CommittedHead;
use crate::tree::{ReadError, TreeView};

/// What follows from the note that a witness holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// This log signed another tree, or a larger one than it has: its state was lost or rolled back, or its key is used elsewhere.
    Proof(String),
    /// The note is of this tree.
    Agrees(TreeSize),
    /// The note proves nothing.
    Nothing(String),
}

/// Judges a note against the newest committed head.
///
/// "Only a note with this log's own signature proves a larger or different tree" (DESIGN §7.4). Anybody can write the rest.
///
/// # Errors
/// When the store fails: then nothing is known.
pub(super) fn judge(note: &[u8], log: &Vkey, head: &CommittedHead) -> Result<Claim, ReadError> {
    let checkpoint = match own_checkpoint(note, log) {
        Ok(checkpoint) => checkpoint,
        Err(why) => return Ok(Claim::Nothing(why)),
    };
    let Checkpoint { size, root, .. } = checkpoint;
    if size > head.size() {
        return Ok(Claim::Proof(format!(
            "a note signed by this log has size {size} and root {root}; its committed head is {}",
            head.head()
        )));
    }
    let own = root_at(head.tree(), size)?;
    if own != root {
        return Ok(Claim::Proof(format!(
            "a note signed by this log has root {root} at size {size}; its tree has root {own} there"
        )));
    }
    Ok(Claim::Agrees(size))
}

/// Reads the checkpoint of a note that this log signed.
fn own_checkpoint(note: &[u8], log: &Vkey) -> Result<Checkpoint, String> {
    let note = Note::parse(note).map_err(|error| format!("its note can not be read: {error}"))?;
    note.verify_log(log).map_err(|error| format!("its note is not signed by this log: {error}"))?;
    let checkpoint = Checkpoint::of_note(&note).map_err(|error| format!("its note is no checkpoint: {error}"))?;
    if checkpoint.origin.as_str() != log.name().as_str() {
        return Err(format!("its note is of {}", checkpoint.origin));
    }
    Ok(checkpoint)
}

/// Computes the root at a size that the view covers.
///
/// # Errors
/// When the store fails.
pub(crate) fn root_at(tree: &TreeView, size: TreeSize) -> Result<Digest, ReadError> {
    let nodes = tree.read_nodes(&root_nodes(size))?;
    // As many nodes were read as the size has, so that a root comes out.
    Ok(root_from(size, &nodes).unwrap_or(Digest::ZERO))
}
