//! The receipts that a log serves with its entries, and earlier notes: which of them a custody file can carry, and which of them lie.
//!
//! A receipt stands in the unprotected header: it is the server's word and not the issuer's, and the entry is proved by its own leaf and path to the
//! one checkpoint. So no receipt takes an entry away. Each is judged where it arrives; one that lies is told of, and one that nobody can judge by the
//! file is dropped and counted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use govlog_formats::cbor::{self, Value};
use govlog_formats::cose::label::CHECKPOINT;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{BuildError, ConsistencyProof, LeafIndex, TreeSize};
use govlog_formats::receipt::Receipt;
use govlog_formats::statement::SignedStatement;
use govlog_formats::tlog_policy::VerifiedCheckpoint;
use govlog_formats::transparent::{AttachedReceipt, TransparentStatement, assemble};

use super::error::ExportError;
use super::wrong::Lie;
use crate::source::{Head, Tree};
use crate::trust::Trust;
use crate::verify::{self, Failure, Outcome};

/// Judges the receipts of entries below a checkpoint.
pub(super) struct Receipts<'a> {
    /// Yours, as far as a file at the checkpoint gives it to whoever knows entry 0 alone.
    trust: Trust,
    head: &'a Head,
    tree: &'a Tree<'a>,
    /// The root of each size that a note was judged of: the checkpoint continues it.
    roots: BTreeMap<TreeSize, Digest>,
    /// The notes that were judged and are of the checkpoint's history, by their digests.
    notes: HashMap<Digest, Arc<Note>>,
}

/// A note of the checkpoint's history.
#[derive(Debug)]
pub(crate) struct Note {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: Digest,
    pub(super) verified: VerifiedCheckpoint,
}

/// A receipt that holds, and the note that it came with.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(super) bytes: Vec<u8>,
    pub(super) note: Arc<Note>,
}

/// What came of a statement's receipts.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) receipts: Vec<Placed>,
    /// Why others were dropped.
    pub(super) dropped: BTreeSet<Dropped>,
    pub(super) lies: Vec<Lie>,
}

/// Why a file does not carry a receipt that is no lie, the likeliest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dropped {
    UnknownKey,
    NotInForce,
    Later,
    OtherLog,
    TooMany,
    NotServed,
}

/// Why a file does not carry a receipt or a note.
enum Unfit {
    Dropped(Dropped),
    Lies(Lie),
    /// It could not be judged.
    Unread(Box<ExportError>),
}

impl<'a> Receipts<'a> {
    pub(super) fn new(trust: &Trust, head: &'a Head, tree: &'a Tree<'a>) -> Self {
        let (roots, notes) = (BTreeMap::from([(head.size(), *head.root())]), HashMap::new());
        Self { trust: trust.below(head.size()), head, tree, roots, notes }
    }

    /// Judges what is served of a statement that was proved at this index.
    pub(super) fn judge(
        &mut self,
        index: LeafIndex,
        statement: &SignedStatement,
        bytes: &[u8],
    ) -> Result<Judged, ExportError> {
        let (entry, mut judged) = (statement.entry(), Judged::default());
        if bytes == entry {
            judged.dropped.insert(Dropped::NotServed);
            return Ok(judged);
        }
        let transparent = match TransparentStatement::parse(bytes) {
            Ok(transparent) => transparent,
            Err(error) => {
                judged.lies.push(error.to_string().into());
                return Ok(judged);
            }
        };
        // To find that a key is unknown costs nothing: whatever stands before it, an honest receipt is judged.
        let is_known = |attached: &&AttachedReceipt| self.trust.history().knows_receipt_key(attached.kid());
        let known: Vec<_> = transparent.receipts().iter().filter(is_known).collect();
        judged.dropped.extend((known.len() < transparent.receipts().len()).then_some(Dropped::UnknownKey));
        judged.dropped.extend((known.len() > MOST_JUDGED).then_some(Dropped::TooMany));
        for attached in known.into_iter().take(MOST_JUDGED) {
            match self.receipt(index, statement, attached) {
                Ok(placed) => judged.receipts.push(placed),
                Err(Unfit::Dropped(why)) => drop(judged.dropped.insert(why)),
                Err(Unfit::Lies(lie)) => judged.lies.push(lie),
                Err(Unfit::Unread(error)) => return Err(*error),
            }
        }
        // No signature covers what else an unprotected header holds.
        let all: Vec<Vec<u8>> = transparent.receipts().iter().map(|attached| attached.bytes().to_vec()).collect();
        if assemble(entry, &all).ok().as_deref() != Some(bytes) {
            judged.lies.push("what is served is more than the statement and its receipts".to_owned().into());
        }
        Ok(judged)
    }

    fn receipt(
        &mut self,
        index: LeafIndex,
        statement: &SignedStatement,
        attached: &AttachedReceipt,
    ) -> Result<Placed, Unfit> {
        let receipt = attached.parse().map_err(|error| Unfit::Lies(error.to_string().into()))?;
        let digest = Digest::sha256(receipt.note());
        let known = self.notes.get(&digest).cloned();
        let verified = match &known {
            Some(note) => note.verified.clone(),
            None => verify::checkpoint(&self.trust, receipt.note())?,
        };
        match verify::place(&self.trust, statement, &receipt, &verified, &mut Vec::new())? {
            None => return Err(Unfit::Dropped(Dropped::NotInForce)),
            Some(found) if found != index => return Err(Unfit::Lies(format!("it is for index {found}").into())),
            Some(_) => {}
        }
        let note = match known {
            Some(note) => note,
            None => self.of_one_history(receipt.note(), digest, verified)?,
        };
        Ok(Placed { bytes: attached.bytes().to_vec(), note })
    }

    /// Judges a note that the log lists at this size. `None`: it says nothing here. The lie, where it is one.
    pub(super) fn listed(
        &mut self,
        size: TreeSize,
        bytes: &[u8],
    ) -> Result<Result<Option<Arc<Note>>, Lie>, ExportError> {
        let judged = verify::checkpoint(&self.trust, bytes).map_err(Unfit::from).and_then(|note| {
            let found = note.checkpoint().size;
            if found != size {
                return Err(Unfit::Lies(format!("it is of size {found}").into()));
            }
            self.of_one_history(bytes, Digest::sha256(bytes), note)
        });
        match judged {
            Ok(note) => Ok(Ok(Some(note))),
            Err(Unfit::Dropped(_)) => Ok(Ok(None)),
            Err(Unfit::Lies(lie)) => Ok(Err(lie)),
            Err(Unfit::Unread(error)) => Err(*error),
        }
    }

    /// Holds a note against your pinned head, and against the checkpoint, which continues it or proves a split view.
    fn of_one_history(
        &mut self,
        bytes: &[u8],
        digest: Digest,
        verified: VerifiedCheckpoint,
    ) -> Result<Arc<Note>, Unfit> {
        let (old, root, new) = (verified.checkpoint().size, verified.checkpoint().root, self.head.size());
        let lies = |why: String| Unfit::Lies(Lie { why, note: Some(bytes.to_vec()) });
        verify::compare_with_pinned(&self.trust, &verified, &mut Vec::new()).map_err(|failure| lies(failure.why))?;
        // Of what comes after the checkpoint its file knows nothing.
        if old > new {
            return Err(Unfit::Dropped(Dropped::Later));
        }
        let split = |why: String| lies(format!("split view: {why}; keep both notes, they prove it"));
        match self.roots.get(&old) {
            Some(other) if *other != root => {
                let why = format!("a checkpoint of size {old} has root {root}, and another of that size has {other}");
                return Err(split(why));
            }
            Some(_) => {}
            None => {
                let proved = consistency(self.tree, old, new)
                    .map_err(|error| Unfit::Unread(Box::new(error)))?
                    .verify(&root, self.head.root());
                proved.map_err(|error| {
                    split(format!(
                        "the checkpoint of size {new} does not continue the one of size {old} (root {root}): {error}"
                    ))
                })?;
                self.roots.insert(old, root);
            }
        }
        let note = Arc::new(Note { bytes: bytes.to_vec(), digest, verified });
        self.notes.insert(digest, note.clone());
        Ok(note)
    }
}

impl Note {
    /// The checkpoint's own.
    pub(super) fn of(head: &Head) -> Self {
        let (bytes, verified) = (head.note().to_vec(), head.verified().clone());
        Self { digest: Digest::sha256(&bytes), bytes, verified }
    }

    pub(super) fn size(&self) -> TreeSize {
        self.verified.checkpoint().size
    }
}

impl Placed {
    /// The same receipt by another note of its size: no signature covers which one it carries.
    pub(super) fn by(&self, note: &Note) -> Option<Vec<u8>> {
        if note.digest == self.note.digest {
            return Some(self.bytes.clone());
        }
        let Value::Tag(tag, inner) = cbor::parse(&self.bytes).ok()? else { return None };
        let mut parts = inner.into_array().ok()?;
        let unprotected = parts.get_mut(1)?.as_map_mut()?;
        let (_, carried) = unprotected.iter_mut().find(|(key, _)| key.as_text() == Some(CHECKPOINT))?;
        *carried = Value::Bytes(note.bytes.clone());
        let bytes = cbor::to_deterministic(&Value::Tag(tag, Box::new(Value::Array(parts))));
        Receipt::parse(&bytes).ok().map(|_| bytes)
    }
}

impl Dropped {
    /// Says it of so many entries.
    pub(super) fn said(self, count: usize) -> String {
        let why = match self {
            Self::UnknownKey => {
                "their receipts are by keys that the admission policy below the checkpoint does not name, as your trust directory knows it: run \
                 govlog trust update, and export at a later checkpoint"
            }
            Self::NotInForce => "their receipts are by keys that were not in force at those sizes",
            Self::Later => "their receipts are by larger checkpoints than the file's: export at a later one",
            Self::OtherLog => "their receipts are by checkpoints of another log",
            Self::TooMany => "they came with more receipts than are looked at",
            Self::NotServed => "the log serves no receipts with them",
        };
        format!("the times of {count} entries are bounded by later checkpoints alone: {why}")
    }
}

/// What is proved wrong is a lie; what cannot be judged says nothing.
impl From<Failure> for Unfit {
    fn from(failure: Failure) -> Self {
        if failure.outcome == Outcome::Refuted {
            Self::Lies(failure.why.into())
        } else {
            Self::Dropped(Dropped::OtherLog)
        }
    }
}

/// Proves that a checkpoint continues an earlier size.
pub(super) fn consistency(tree: &Tree<'_>, old: TreeSize, new: TreeSize) -> Result<ConsistencyProof, ExportError> {
    ConsistencyProof::build(tree, old, new).map_err(|error| match error {
        BuildError::Read(error) => ExportError::Tree(error),
        other => ExportError::Earlier { old, new, why: other.to_string() },
    })
}

/// No more receipts of one statement are judged: an honest log serves one.
const MOST_JUDGED: usize = 8;
