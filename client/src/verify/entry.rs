//! One entry, from the bytes someone handed over to what may be believed of it.

use govlog_formats::admission::{Class, IssuerRow, Refusal};
use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::{InclusionProof, LeafIndex, TreeSize};
use govlog_formats::receipt::Receipt;
use govlog_formats::record::Record;
use govlog_formats::statement::SignedStatement;
use govlog_formats::tlog_policy::{Cosigned, PolicyVerifyError, VerifiedCheckpoint};
use govlog_formats::tlog_proof::TlogProof;
use govlog_formats::transparent::{AttachedReceipt, TransparentStatement};

use super::outcome::{Bracket, Failure, WitnessSeen};
use crate::trust::{EPOCH, Trust};

/// An entry of the log you trust: its issuer's signature, its inclusion under a checkpoint with your quorum, and its
/// admission under the policy you know have been verified.
#[derive(Clone, Debug)]
pub struct VerifiedEntry {
    statement: SignedStatement,
    included: Included,
    as_of_change: usize,
    row: Option<IssuerRow>,
}

/// Where an entry stands, and who saw it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included {
    /// The leaf index.
    pub index: LeafIndex,
    /// The tree size.
    pub size: TreeSize,
    /// The witnesses of your policy that cosigned that size.
    pub witnesses: Vec<WitnessSeen>,
    /// What they prove of the entry's time.
    pub bracket: Bracket,
    /// Since when a quorum has signed it, by its slowest clock, POSIX seconds.
    pub checkpoint_time_s: Option<u64>,
}

impl VerifiedEntry {
    /// The signed statement.
    #[must_use]
    pub fn statement(&self) -> &SignedStatement {
        &self.statement
    }

    /// Its record, if its payload is one of its kind and not only the digest of one.
    #[must_use]
    pub fn record(&self) -> Option<Record> {
        let statement = &self.statement;
        if statement.is_hash_envelope() { None } else { Record::parse(statement.kind(), statement.payload()).ok() }
    }

    /// Where it stands in the log, and who saw it there.
    #[must_use]
    pub fn included(&self) -> &Included {
        &self.included
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> EntryId {
        EntryId { epoch: EPOCH, index: self.included.index }
    }

    /// The number of the newest admission-policy change that was known when it was judged.
    #[must_use]
    pub fn as_of_change(&self) -> usize {
        self.as_of_change
    }

    /// What the admission policy in force at its index lets its issuer submit; `None` for an operator.
    #[must_use]
    pub fn row(&self) -> Option<&IssuerRow> {
        self.row.as_ref()
    }
}

/// Judges a transparent statement; what was left unjudged is added to `remarks`.
pub(crate) fn judge_transparent(
    trust: &Trust,
    bytes: &[u8],
    remarks: &mut Vec<String>,
) -> Result<VerifiedEntry, Failure> {
    let transparent = TransparentStatement::parse(bytes).map_err(|error| Failure::refuted(error.to_string()))?;
    let statement = transparent.statement();
    let mut found: Option<Included> = None;
    for attached in transparent.receipts() {
        let Some(included) = judge_receipt(trust, statement, attached, remarks)? else { continue };
        match &found {
            // Two receipts of one log for one statement at two indexes cannot both be true: a log has no duplicates.
            Some(other) if other.index != included.index => {
                let why = format!("its receipts place it at index {} and at index {}", other.index, included.index);
                return Err(Failure::refuted(why));
            }
            // The smaller size gives the tighter upper bound of its time.
            Some(other) if other.size <= included.size => {}
            _ => found = Some(included),
        }
    }
    let included = found.ok_or_else(|| {
        Failure::unknown("none of its receipts is signed with a receipt key that you know; run: govlog trust update")
    })?;
    admit(trust, statement.clone(), included)
}

/// Judges one receipt; `None` when its key is no receipt key in force that you know.
///
/// Every receipt whose kid is a receipt key in force must verify; others are named as not checked.
fn judge_receipt(
    trust: &Trust,
    statement: &SignedStatement,
    attached: &AttachedReceipt,
    remarks: &mut Vec<String>,
) -> Result<Option<Included>, Failure> {
    if !trust.history().knows_receipt_key(attached.kid()) {
        remarks.push(unknown_key(attached.kid()));
        return Ok(None);
    }
    let kid = hex(attached.kid());
    let refuted = |why: String| Failure::refuted(format!("the receipt of key {kid}: {why}"));
    let receipt = attached.parse().map_err(|error| refuted(error.to_string()))?;
    // Index and size inside a COSE receipt are not authenticated: the size is taken from the note.
    let head = checkpoint(trust, receipt.note())?;
    match place(trust, statement, &receipt, &head, remarks)? {
        Some(index) => included(trust, &head, index, remarks).map(Some),
        None => Ok(None),
    }
}

/// Judges a receipt by the note it carries, which was judged already; gives the index, or `None` when its key is not in force at that size.
pub(crate) fn place(
    trust: &Trust,
    statement: &SignedStatement,
    receipt: &Receipt,
    head: &VerifiedCheckpoint,
    remarks: &mut Vec<String>,
) -> Result<Option<LeafIndex>, Failure> {
    let (kid, size) = (receipt.kid(), head.checkpoint().size);
    let Some(key) = trust.history().receipt_key(kid.as_bytes(), size) else {
        remarks.push(format!("the receipt signed with key {kid}, which is not in force at size {size}"));
        return Ok(None);
    };
    let bound = receipt
        .verify(&statement.leaf_hash(), &statement.claims().sub, key)
        .and_then(|verified| verified.bind(head.checkpoint()))
        .map_err(|error| Failure::refuted(format!("the receipt of key {kid}: {error}")))?;
    Ok(Some(bound.index()))
}

/// Judges a proof file for an entry; what was left unjudged is added to `remarks`.
pub(super) fn judge_proof(
    trust: &Trust,
    proof: &[u8],
    statement: &[u8],
    remarks: &mut Vec<String>,
) -> Result<VerifiedEntry, Failure> {
    let statement =
        SignedStatement::parse(statement).map_err(|error| Failure::refuted(format!("the statement: {error}")))?;
    let proof = TlogProof::parse(proof).map_err(|error| Failure::refuted(format!("the proof: {error}")))?;
    let head = checkpoint(trust, &proof.checkpoint)?;
    judge_under(trust, &head, &proof, statement, remarks)
}

/// Judges an entry by its path to the root of a checkpoint that was judged already, which is the proof's.
pub(crate) fn judge_under(
    trust: &Trust,
    head: &VerifiedCheckpoint,
    proof: &TlogProof,
    statement: SignedStatement,
    remarks: &mut Vec<String>,
) -> Result<VerifiedEntry, Failure> {
    let (size, root) = (head.checkpoint().size, head.checkpoint().root);
    InclusionProof { index: proof.index, size, path: proof.path.clone() }
        .verify(&statement.leaf_hash(), &root)
        .map_err(|error| Failure::refuted(format!("the proof: {error}")))?;
    let included = included(trust, head, proof.index, remarks)?;
    admit(trust, statement, included)
}

/// Verifies a note under the policy, and that it is of the log whose admission policy is known.
pub(crate) fn checkpoint(trust: &Trust, note: &[u8]) -> Result<VerifiedCheckpoint, Failure> {
    let head = trust.policy().verify_checkpoint(note).map_err(|error| note_failure(&error))?;
    own_log(trust, &head)?;
    Ok(head)
}

fn note_failure(error: &PolicyVerifyError) -> Failure {
    match error {
        PolicyVerifyError::UnknownOrigin(_) => Failure::unknown(format!("the checkpoint: {error}")),
        _ => Failure::refuted(format!("the checkpoint: {error}")),
    }
}

fn own_log(trust: &Trust, head: &VerifiedCheckpoint) -> Result<(), Failure> {
    let found = &head.checkpoint().origin;
    if found.as_str() == trust.origin() {
        return Ok(());
    }
    Err(Failure::unknown(format!("the checkpoint is of {found}; this trust directory is for {}", trust.origin())))
}

/// Takes a verified place under a verified checkpoint, if the checkpoint meets the reader's policy.
fn included(
    trust: &Trust,
    head: &VerifiedCheckpoint,
    index: LeafIndex,
    remarks: &mut Vec<String>,
) -> Result<Included, Failure> {
    let checkpoint = head.checkpoint();
    compare_with_pinned(trust, head, remarks)?;
    if !head.quorum().met() {
        return Err(Failure::policy(format!("the checkpoint of size {}: {}", checkpoint.size, head.quorum())));
    }
    Ok(Included {
        index,
        size: checkpoint.size,
        witnesses: seen(trust, head, remarks),
        // A lower bound needs the note that the statement's `head` names, which does not travel with it.
        bracket: Bracket { lower_s: None, upper_s: head.upper_time() },
        checkpoint_time_s: head.lower_time(),
    })
}

/// The witnesses of the reader's policy that signed a checkpoint; whoever else did is named as not checked.
pub(crate) fn seen(trust: &Trust, head: &VerifiedCheckpoint, remarks: &mut Vec<String>) -> Vec<WitnessSeen> {
    for line in head.ignored() {
        remarks.push(format!("the checkpoint's line of {} (key ID {}): not in your policy", line.name(), line.id()));
    }
    let witness = |cosigned: &Cosigned| {
        let name = cosigned.witness.to_string();
        WitnessSeen { relation: trust.notes().relation(&name), name, time_s: cosigned.timestamp }
    };
    head.cosigned().iter().map(witness).collect()
}

/// One size with two roots is proof of a split view, offline; two sizes need the log's tiles to compare.
pub(crate) fn compare_with_pinned(
    trust: &Trust,
    head: &VerifiedCheckpoint,
    remarks: &mut Vec<String>,
) -> Result<(), Failure> {
    let checkpoint = head.checkpoint();
    match trust.pinned().map(|pinned| pinned.verified.checkpoint()) {
        None => remarks.push("whether other heads of this log agree: none is pinned yet".to_owned()),
        Some(pinned) if pinned.size != checkpoint.size => remarks.push(format!(
            "whether the heads of size {} and {} (pinned) are of one history: `govlog audit` does",
            checkpoint.size, pinned.size
        )),
        Some(pinned) if pinned.root != checkpoint.root => {
            return Err(Failure::refuted(format!(
                "split view: your pinned head of size {} has root {}, this one has {}; keep both, they prove it",
                pinned.size, pinned.root, checkpoint.root
            )));
        }
        Some(_) => {}
    }
    Ok(())
}

/// Judges the issuer's signature and its right to submit, under the admission policy in force at the entry's index.
fn admit(trust: &Trust, statement: SignedStatement, included: Included) -> Result<VerifiedEntry, Failure> {
    let history = trust.history();
    let as_of_change = history.newest_number();
    let row = if let Some(change) = history.change_at(included.index) {
        if change.statement.entry() != statement.entry() {
            return Err(Failure::refuted(format!(
                "your trust directory holds another entry at index {}",
                included.index
            )));
        }
        None
    } else {
        let policy = history
            .in_force_at(included.index)
            .ok_or_else(|| Failure::refuted("entry 0 is not the one your trust directory holds"))?;
        policy.judge(&statement, None).map_err(|refusal| admission_failure(&refusal, as_of_change))?;
        policy.row_of(&statement).cloned()
    };
    Ok(VerifiedEntry { statement, included, as_of_change, row })
}

/// What the policy forbids as you know it may be allowed by a change you do not know; what the bytes disprove stays so.
fn admission_failure(refusal: &Refusal, as_of_change: usize) -> Failure {
    match refusal.class() {
        Class::Malformed | Class::BadSignature | Class::Conflict => Failure::refuted(refusal.to_string()),
        Class::Forbidden | Class::Unsupported => Failure::unknown(format!(
            "{refusal} (admission policy as of change {as_of_change}); a later change may say otherwise: run govlog trust update"
        )),
    }
}

/// Names a receipt as not checked for want of its key.
pub(crate) fn unknown_key(kid: &[u8]) -> String {
    format!("the receipt signed with key {}, which is no receipt key of the log you trust", hex(kid))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(32).map(|byte| format!("{byte:02x}")).collect()
}
