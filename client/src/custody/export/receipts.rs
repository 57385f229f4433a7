//! The receipts that a log serves with its entries, and earlier notes: which of them go into a custody file, and which of them lie.
//!
//! A receipt stands in the unprotected header: it is the server's word and not the issuer's, and the entry is proved by its own leaf and path to the
//! one checkpoint. So no receipt takes an entry away. Each is judged where it arrives; one that lies is told of, and one that a file cannot carry, for
//! want of its key or its note, is dropped.

use std::collections::BTreeMap;

use govlog_formats::merkle::{BuildError, ConsistencyProof, LeafIndex, TreeSize};
use govlog_formats::receipt::Receipt;
use govlog_formats::statement::SignedStatement;
use govlog_formats::tlog_policy::VerifiedCheckpoint;
use govlog_formats::transparent::{AttachedReceipt, TransparentStatement, assemble};

use super::error::ExportError;
use crate::source::{Head, Tree};
use crate::trust::Trust;
use crate::verify::{self, Failure, Outcome};

/// Judges the receipts of entries below a checkpoint.
pub(super) struct Receipts<'a> {
    trust: &'a Trust,
    head: &'a Head,
    tree: &'a Tree<'a>,
    /// The checkpoint's note and those of the receipts, each of the checkpoint's history: a custody file has one of each size.
    notes: BTreeMap<TreeSize, (Vec<u8>, VerifiedCheckpoint)>,
}

/// A statement with those of its receipts that a custody file carries.
pub(super) struct Judged {
    pub(super) bytes: Vec<u8>,
    /// By when it was there, as these prove.
    pub(super) upper_s: Option<u64>,
    /// How the others lie, a line for each.
    pub(super) lies: Vec<String>,
}

impl<'a> Receipts<'a> {
    pub(super) fn new(trust: &'a Trust, head: &'a Head, tree: &'a Tree<'a>) -> Self {
        let own = (head.note().to_vec(), head.verified().clone());
        Self { trust, head, tree, notes: BTreeMap::from([(head.size(), own)]) }
    }

    /// Judges what is served of a statement that was proved at this index.
    pub(super) fn judge(
        &mut self,
        index: LeafIndex,
        statement: &SignedStatement,
        bytes: &[u8],
    ) -> Result<Judged, ExportError> {
        let entry = statement.entry();
        let mut judged = Judged { bytes: entry.to_vec(), upper_s: None, lies: Vec::new() };
        if bytes == entry {
            return Ok(judged);
        }
        let transparent = match TransparentStatement::parse(bytes) {
            Ok(transparent) => transparent,
            Err(error) => {
                judged.lies.push(error.to_string());
                return Ok(judged);
            }
        };
        let (mut all, mut kept) = (Vec::new(), Vec::new());
        for attached in transparent.receipts() {
            all.push(attached.bytes().to_vec());
            match self.receipt(index, statement, attached)? {
                Ok(None) => {}
                Ok(Some(note)) => {
                    judged.upper_s = judged.upper_s.into_iter().chain(note.upper_time()).min();
                    kept.push(attached.bytes().to_vec());
                }
                Err(failure) => judged.lies.push(failure.why),
            }
        }
        // No signature covers what else an unprotected header holds.
        if assemble(entry, &all).ok().as_deref() != Some(bytes) {
            judged.lies.push("what is served is more than the statement and its receipts".to_owned());
        }
        if let Ok(bytes) = assemble(entry, &kept) {
            judged.bytes = bytes;
        }
        Ok(judged)
    }

    /// The note of a receipt that a file carries; `None`: of one that it cannot. The failure: how it lies.
    fn receipt(
        &mut self,
        index: LeafIndex,
        statement: &SignedStatement,
        attached: &AttachedReceipt,
    ) -> Result<Result<Option<VerifiedCheckpoint>, Failure>, ExportError> {
        match self.placed(index, statement, attached) {
            Ok(Some((receipt, note))) => self.of_one_history(receipt.note(), note),
            Ok(None) => Ok(Ok(None)),
            Err(failure) => Ok(lie(failure)),
        }
    }

    /// A receipt that holds by itself, and its note; `None`: its key is none that you know, or was not in force.
    fn placed(
        &self,
        index: LeafIndex,
        statement: &SignedStatement,
        attached: &AttachedReceipt,
    ) -> Result<Option<(Receipt, VerifiedCheckpoint)>, Failure> {
        if !self.trust.history().knows_receipt_key(attached.kid()) {
            return Ok(None);
        }
        let receipt = attached.parse().map_err(|error| Failure::refuted(error.to_string()))?;
        let note = match self.notes.get(&receipt.size()) {
            Some((bytes, note)) if bytes == receipt.note() => note.clone(),
            _ => verify::checkpoint(self.trust, receipt.note())?,
        };
        verify::compare_with_pinned(self.trust, &note, &mut Vec::new())
            .map_err(|failure| with_note(&failure.why, receipt.note()))?;
        match verify::place(self.trust, statement, &receipt, &note, &mut Vec::new())? {
            Some(found) if found != index => Err(Failure::refuted(format!("it is for index {found}"))),
            placed => Ok(placed.map(|_| (receipt, note))),
        }
    }

    /// Says whether a file can carry a note that the log lists at this size; the failure: how it lies.
    pub(super) fn listed(&mut self, size: TreeSize, bytes: &[u8]) -> Result<Result<bool, Failure>, ExportError> {
        let found = match verify::checkpoint(self.trust, bytes) {
            Ok(note) if note.checkpoint().size != size => {
                Ok(Err(Failure::refuted(format!("it is of size {}", note.checkpoint().size))))
            }
            Ok(note) => self.of_one_history(bytes, note),
            Err(failure) => Ok(lie(failure)),
        };
        Ok(found?.map(|note| note.is_some()))
    }

    /// Holds a note against the checkpoint, and against the one that the file has of its size: the first that was seen.
    fn of_one_history(
        &mut self,
        bytes: &[u8],
        note: VerifiedCheckpoint,
    ) -> Result<Result<Option<VerifiedCheckpoint>, Failure>, ExportError> {
        let (old, root, new) = (note.checkpoint().size, note.checkpoint().root, self.head.size());
        // Of what comes after the checkpoint its file knows nothing.
        if old > new {
            return Ok(Ok(None));
        }
        let split =
            |why: String| Ok(Err(with_note(&format!("split view: {why}; keep both notes, they prove it"), bytes)));
        if let Some((own, known)) = self.notes.get(&old) {
            let other = known.checkpoint().root;
            return if root == other {
                Ok(Ok((own == bytes).then_some(note)))
            } else {
                split(format!("a checkpoint of size {old} has root {root}, and another of that size has {other}"))
            };
        }
        if let Err(error) = consistency(self.tree, old, new)?.verify(&root, self.head.root()) {
            return split(format!(
                "the checkpoint of size {new} does not continue the one of size {old} (root {root}): {error}"
            ));
        }
        self.notes.insert(old, (bytes.to_vec(), note.clone()));
        Ok(Ok(Some(note)))
    }
}

/// What is proved wrong is a lie; what cannot be judged says nothing.
fn lie<T>(failure: Failure) -> Result<Option<T>, Failure> {
    if failure.outcome == Outcome::Refuted { Err(failure) } else { Ok(None) }
}

/// With the note that proves it: whoever asks the log again may be given another.
fn with_note(why: &str, note: &[u8]) -> Failure {
    Failure::refuted(format!("{why}; the other note:\n{}", String::from_utf8_lossy(note)))
}

/// Proves that a checkpoint continues an earlier size.
pub(super) fn consistency(tree: &Tree<'_>, old: TreeSize, new: TreeSize) -> Result<ConsistencyProof, ExportError> {
    ConsistencyProof::build(tree, old, new).map_err(|error| match error {
        BuildError::Read(error) => ExportError::Tree(error),
        other => ExportError::Earlier { old, new, why: other.to_string() },
    })
}
