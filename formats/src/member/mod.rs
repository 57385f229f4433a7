//! Members of a `decision-batch`: the tree over them, and the file that proves one.
//!
//! A member is a `decision` record, the bytes that would be the payload of a statement of its own; its leaf hash is that of RFC 6962 over
//! those bytes, its place the one it has in the batch. The batch's entry holds count and root; who wants to prove a member hands over
//! the entry, with its receipt, and a member proof:
//!
//! ```text
#![doc = include_str!("member-proof.cddl")]
//! ```
//!
//! **In scope**: the tree, the file, whether a member belongs to a batch. **Out of scope**: the batch's own place in the log (receipts and
//! proof files), where members are kept (the submitter's opening store), what batches count (the kind `decision-batch`).
//!
//! Trust: a proof's index, size and path are its bearer's word; with count and root from the batch's *entry* they are fixed. Nothing but the
//! batch's signature speaks for its members.

use crate::cbor::{self, CborError, Item, Rules, Value};
use crate::digest::Digest;
use crate::limits::{MAX_ENTRY_BYTES, MAX_INCLUSION_PATH, MAX_MEMBER_PROOF_BYTES};
use crate::merkle::{InclusionProof, LeafIndex, MemoryTree, ProofError, TreeSize, leaf_hash};
use crate::record::{Decision, Record, RecordError};

pub mod tally;
#[cfg(test)]
mod tests;

/// A member of a batch, and how it hangs under the batch's root, as its bearer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberProof {
    /// Leaf hash of the batch's entry.
    pub batch: Digest,
    /// The member's place, from 0.
    pub index: LeafIndex,
    /// How many members the batch has.
    pub size: TreeSize,
    /// The siblings on the way to the batch's root, the member's own first.
    pub path: Vec<Digest>,
    /// The member: a `decision` record.
    pub record: Vec<u8>,
}

/// Why bytes are not a member proof, or prove nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MemberError {
    /// The file is larger than any.
    #[error("a member proof of {0} bytes; at most {MAX_MEMBER_PROOF_BYTES} are read")]
    TooLarge(usize),
    /// The bytes are not deterministic CBOR.
    #[error("not deterministic CBOR: {0}")]
    Cbor(#[from] CborError),
    /// It is not the map that it should be.
    #[error("a member proof is a map of v, batch, index, size, path and record, and of nothing else")]
    NotTheMap,
    /// A value is of another form.
    #[error("{field} of a member proof must be {expected}")]
    Wrong {
        /// The key.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// It is about another batch.
    #[error("it proves a member of the batch with leaf hash {named}, not of that with {found}")]
    OtherBatch {
        /// The batch that it names.
        named: Digest,
        /// The batch that it was held against.
        found: Digest,
    },
    /// It says that the batch has another number of members than the batch does.
    #[error("it says that the batch has {said} members; the batch itself counts {count}")]
    Count {
        /// The number in the proof.
        said: TreeSize,
        /// The number in the batch.
        count: TreeSize,
    },
    /// The member does not hang under the batch's root.
    #[error("the member is not under the batch's root: {0}")]
    Proof(#[from] ProofError),
    /// There is no such member.
    #[error("the batch has no member {index}; it has {count}, the first is 0")]
    NoSuchMember {
        /// The place asked for.
        index: LeafIndex,
        /// How many there are.
        count: TreeSize,
    },
    /// The member is no decision.
    #[error("the member is no decision record: {0}")]
    Record(#[from] RecordError),
}

/// Makes the tree over the members of a batch, in their order.
#[must_use]
pub fn tree<'r>(records: impl IntoIterator<Item = &'r [u8]>) -> MemoryTree {
    records.into_iter().map(leaf_hash).collect()
}

impl MemberProof {
    /// Proves the member at a place of a batch; `batch` is the leaf hash of its entry.
    ///
    /// # Errors
    ///
    /// There is no such member.
    pub fn build<R: AsRef<[u8]>>(batch: Digest, records: &[R], index: LeafIndex) -> Result<Self, MemberError> {
        let tree = tree(records.iter().map(AsRef::as_ref));
        let none = || MemberError::NoSuchMember { index, count: tree.size() };
        let record = usize::try_from(index.get()).ok().and_then(|at| records.get(at)).ok_or_else(none)?;
        let proof = InclusionProof::build(&tree, index, tree.size()).map_err(|_| none())?;
        Ok(Self { batch, index, size: proof.size, path: proof.path, record: record.as_ref().to_vec() })
    }

    /// Reads the file; nothing is verified.
    ///
    /// # Errors
    ///
    /// [`MemberError`] says what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, MemberError> {
        if bytes.len() > MAX_MEMBER_PROOF_BYTES {
            return Err(MemberError::TooLarge(bytes.len()));
        }
        let fields = Fields::read(&cbor::check(bytes, Rules::Deterministic)?)?;
        fields.get("v", "1", |item| item.as_u64().filter(|version| *version == 1))?;
        let hash = |item: &Item<'_>| item.as_bytes().and_then(Digest::from_slice);
        let path = fields.get("path", "at most 62 hashes of 32 bytes", |item| {
            let hashes = item.as_array()?;
            if hashes.len() > MAX_INCLUSION_PATH { None } else { hashes.iter().map(hash).collect() }
        })?;
        Ok(Self {
            batch: fields.get("batch", "32 bytes", hash)?,
            index: LeafIndex::new(fields.get("index", "an unsigned integer", Item::as_u64)?),
            size: TreeSize::new(fields.get("size", "an unsigned integer", Item::as_u64)?),
            path,
            record: fields.get("record", "1 to 65,535 bytes", |item| {
                item.as_bytes().filter(|record| (1..=MAX_ENTRY_BYTES).contains(&record.len())).map(<[u8]>::to_vec)
            })?,
        })
    }

    /// Writes the file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let bytes = |digest: &Digest| Value::Bytes(digest.as_bytes().to_vec());
        cbor::to_deterministic(&Value::Map(vec![
            ("v".into(), 1.into()),
            ("batch".into(), bytes(&self.batch)),
            ("index".into(), self.index.get().into()),
            ("size".into(), self.size.get().into()),
            ("path".into(), Value::Array(self.path.iter().map(bytes).collect())),
            ("record".into(), Value::Bytes(self.record.clone())),
        ]))
    }

    /// Gives the member, if it is under the root of a batch; leaf hash, count and root are those of the batch's entry.
    ///
    /// A path alone fixes neither index nor size: the same hashes can stand for another index of another size. So the size is taken from
    /// the batch, and what the proof says of it must be the same.
    ///
    /// # Errors
    ///
    /// [`MemberError`]; then nothing is proved.
    pub fn verify(&self, batch: &Digest, count: TreeSize, root: &Digest) -> Result<Decision, MemberError> {
        if self.batch != *batch {
            return Err(MemberError::OtherBatch { named: self.batch, found: *batch });
        }
        if self.size != count {
            return Err(MemberError::Count { said: self.size, count });
        }
        let proof = InclusionProof { index: self.index, size: count, path: self.path.clone() };
        proof.verify(&self.leaf(), root)?;
        decision(&self.record)
    }

    /// Gives the leaf hash of the member in the batch's tree.
    #[must_use]
    pub fn leaf(&self) -> Digest {
        leaf_hash(&self.record)
    }
}

/// Reads a member's record.
///
/// # Errors
///
/// It is no `decision` record.
pub fn decision(record: &[u8]) -> Result<Decision, MemberError> {
    match Record::parse("decision", record)? {
        Record::Decision(decision) => Ok(decision),
        // Of this kind there is no other.
        _ => Err(MemberError::Wrong { field: "record", expected: "a decision" }),
    }
}

/// The values of the map, each under its key; there are no others.
struct Fields<'a>(Vec<(&'a str, Item<'a>)>);

impl<'a> Fields<'a> {
    fn read(item: &Item<'a>) -> Result<Self, MemberError> {
        let entries = item.as_map().ok_or(MemberError::NotTheMap)?;
        let named = |entry: &cbor::Entry<'a>| Some((entry.key.as_text()?, entry.value));
        let fields: Vec<_> = entries.iter().map(named).collect::<Option<_>>().ok_or(MemberError::NotTheMap)?;
        // Each key stands once: so many, all of them known, are all of them.
        let is_known = |name: &str| KEYS.contains(&name);
        if fields.len() == KEYS.len() && fields.iter().all(|(name, _)| is_known(name)) {
            Ok(Self(fields))
        } else {
            Err(MemberError::NotTheMap)
        }
    }

    fn get<T>(
        &self,
        field: &'static str,
        expected: &'static str,
        read: impl FnOnce(&Item<'a>) -> Option<T>,
    ) -> Result<T, MemberError> {
        let item = self.0.iter().find(|(name, _)| *name == field).map(|(_, item)| item);
        item.and_then(read).ok_or(MemberError::Wrong { field, expected })
    }
}

const KEYS: [&str; 6] = ["v", "path", "size", "batch", "index", "record"];
