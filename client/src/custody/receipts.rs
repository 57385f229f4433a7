//! The receipts that a log serves with its entries: what they prove of time, and those that lie.
//!
//! An entry is proved by its path to the one checkpoint, with or without a receipt. One that lies proves that the log does, and its entry is refused.

use govlog_formats::merkle::LeafIndex;
use govlog_formats::transparent::{TransparentError, TransparentStatement, assemble};

use super::error::ExportError;
use super::notes::consistency;
use super::reader::{Read, Reader};
use crate::trust::Trust;
use crate::verify::{self, Bracket, Failure, Outcome};

/// What an entry's receipts prove of its time: nothing where it has none, or none that can be judged. One that lies is no matter of time.
pub(crate) fn by_receipt(trust: &Trust, read: &Read) -> Result<Bracket, Failure> {
    let bytes = &read.evidence.statement;
    if matches!(TransparentStatement::parse(bytes), Err(TransparentError::NoReceipts)) {
        return Ok(Bracket::default());
    }
    let here = read.entry.included().index;
    match verify::judge_transparent(trust, bytes, &mut Vec::new()) {
        Ok(entry) if entry.included().index != here => {
            Err(Failure::refuted(format!("its receipt is for index {}", entry.included().index)))
        }
        Ok(entry) => Ok(entry.included().bracket),
        Err(failure) if failure.outcome == Outcome::Refuted => Err(failure),
        Err(_) => Ok(Bracket::default()),
    }
}

/// Refuses those of these entries whose receipts lie; says whether there were any.
pub(super) fn leave_out(reader: &mut Reader<'_>, entries: &[LeafIndex]) -> Result<bool, ExportError> {
    let mut is_any = false;
    for read in entries.iter().filter_map(|index| reader.known(*index)).collect::<Vec<_>>() {
        if let Some(failure) = refuted(reader, &read)? {
            reader.refuse(read.entry.included().index, failure);
            is_any = true;
        }
    }
    Ok(is_any)
}

/// How an entry's receipts lie, if they do: by themselves, or of another history than the checkpoint's.
fn refuted(reader: &Reader<'_>, read: &Read) -> Result<Option<Failure>, ExportError> {
    if let Err(failure) = by_receipt(reader.trust, read) {
        return Ok(Some(failure));
    }
    let bytes = &read.evidence.statement;
    let Ok(transparent) = TransparentStatement::parse(bytes) else { return Ok(None) };
    let receipts: Vec<Vec<u8>> = transparent.receipts().iter().map(|receipt| receipt.bytes().to_vec()).collect();
    if assemble(transparent.statement().entry(), &receipts).ok().as_ref() != Some(bytes) {
        return Ok(Some(Failure::refuted("it is more than the statement and its receipts")));
    }
    let parsed = transparent.receipts().iter().filter_map(|attached| attached.parse().ok());
    let notes = parsed.filter_map(|receipt| reader.trust.policy().verify_checkpoint(receipt.note()).ok());
    for (old, root) in notes.map(|note| (note.checkpoint().size, note.checkpoint().root)) {
        let new = reader.head.size();
        if old > new {
            continue;
        }
        if let Err(error) = consistency(reader.tree, old, new)?.verify(&root, reader.head.root()) {
            return Ok(Some(Failure::refuted(format!(
                "split view: the checkpoint of size {new} does not continue that of its receipt, of size {old} (root {root}): {error}"
            ))));
        }
    }
    Ok(None)
}
