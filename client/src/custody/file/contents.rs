//! What goes into a custody file, and how it is put together: the same contents give the same bytes.

use std::collections::BTreeMap;

use govlog_formats::cbor::Value;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::statement::{SignedStatement, StatementError};
use govlog_formats::tlog_proof::TlogProof;
use govlog_formats::wire::add_checkpoint::AddCheckpoint;

use super::super::find::Members;
use super::super::relations::Spot;
use super::archive::{self, ArchiveError};
use super::layout::{OPENING_STORE_TEXT, Place};
use super::manifest::BatchesSeen;
use super::manifest::{CheckpointSaid, FORMAT, Manifest, ManifestError, Query, VERSION};
use super::missing::{Claimed, not_found, survey};
use super::streams::streams;
use super::timeline::{self, Told};
use crate::openings::{self, DocumentError, Openings, State};

/// The most entries that a matter is taken to have.
///
/// Each may bring five members: itself, its proof, its receipt's note with a consistency proof, and openings. With those in which streams speak
/// of themselves they fit into an archive ([`MAX_MEMBERS`](archive::MAX_MEMBERS)), and leave room for the admission policy's history.
pub const MAX_ENTRIES: usize = 12_000;
/// The most entries, besides, in which streams speak of themselves.
pub(in crate::custody) const MAX_WORDS: usize = 500;
/// Manifest, timeline, `VERIFY.md`, `policy.txt`, the store of the openings and the checkpoint.
pub(in crate::custody) const MAX_SINGLE_MEMBERS: usize = 6;
const _: () = assert!(5 * (MAX_ENTRIES + MAX_WORDS) + MAX_SINGLE_MEMBERS + 3_000 < archive::MAX_MEMBERS);

/// An entry and the way to the root of the file's checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The statement, with the receipts that the log served with it, if any.
    pub statement: Vec<u8>,
    /// The inclusion proof.
    pub path: Vec<Digest>,
}

/// A published note below the file's checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Its bytes.
    pub note: Vec<u8>,
    /// The consistency proof from it to the file's checkpoint.
    pub path: Vec<Digest>,
}

/// Everything that a custody file is made of.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The log's origin.
    pub origin: String,
    /// The size of the file's checkpoint.
    pub size: TreeSize,
    /// Its root hash.
    pub root: Digest,
    /// Its note.
    pub note: Vec<u8>,
    /// The entries.
    pub entries: BTreeMap<LeafIndex, Evidence>,
    /// Notes that give tighter time bounds, or that somebody has seen before.
    pub earlier: BTreeMap<TreeSize, Earlier>,
    /// The collector's policy on heads.
    pub policy: String,
    /// The entries that the admission policy is folded from.
    pub changes: BTreeMap<LeafIndex, Evidence>,
    /// Members of batches among the entries, with their proofs.
    pub members: Members,
    /// What is disclosed, by leaf hash of an entry or a member.
    pub openings: BTreeMap<Digest, Openings>,
    /// What was asked for.
    pub query: Query,
    /// Who collected it.
    pub collector: Option<String>,
    /// What for.
    pub purpose: Option<String>,
    /// How it was looked for.
    pub completeness: String,
    /// What answers the query.
    pub starts: Vec<Spot>,
    /// How far batches were looked into.
    pub batches: BatchesSeen,
    /// How many entries were taken at most, where there are more.
    pub cut_at: Option<u64>,
    /// Entries that did not verify, and are not among these.
    pub refused: Vec<LeafIndex>,
}

/// Why there is no file of these contents.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContentsError {
    /// An entry is no signed statement.
    #[error("entry {id}: {error}")]
    Statement {
        /// Its id.
        id: String,
        /// What is wrong.
        error: StatementError,
    },
    /// Openings cannot be written.
    #[error(transparent)]
    Openings(#[from] DocumentError),
    /// The manifest cannot be written.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The members cannot be put together.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl Contents {
    /// Puts the file together; gives its manifest's digest too.
    ///
    /// # Errors
    ///
    /// An entry is none, or it is all too much for one file.
    pub fn write(&self) -> Result<(Vec<u8>, Digest), ContentsError> {
        let mut members: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut put = |place: Place, bytes: Vec<u8>| drop(members.insert(place.name(), bytes));
        for (index, evidence) in &self.entries {
            put(Place::Entry(*index), evidence.statement.clone());
            put(Place::Proof(*index), self.proof(*index, evidence));
        }
        for (index, evidence) in &self.changes {
            put(Place::Change(*index), evidence.statement.clone());
            put(Place::ChangeProof(*index), self.proof(*index, evidence));
        }
        for (spot, proof) in &self.members {
            if let Some(member) = spot.member {
                put(Place::Member(spot.index, member), proof.to_bytes());
            }
        }
        put(Place::Note(self.size), self.note.clone());
        for (size, earlier) in &self.earlier {
            put(Place::Note(*size), earlier.note.clone());
            let (old, proof, note) = (*size, earlier.path.clone(), self.note.clone());
            put(Place::Consistency(*size), AddCheckpoint { old, proof, note }.encode());
        }
        put(Place::Policy, self.policy.clone().into_bytes());
        for (leaf, openings) in &self.openings {
            put(Place::OpeningStore, OPENING_STORE_TEXT.as_bytes().to_vec());
            put(Place::Openings(*leaf), openings.clone().encode()?);
        }
        let statements = self.statements()?;
        put(Place::Timeline, timeline(&statements, &self.members, &self.openings));
        put(Place::Verify, VERIFY_TEXT.as_bytes().to_vec());
        let manifest = self.manifest(&statements, &members).to_bytes()?;
        let digest = Digest::sha256(&manifest);
        members.insert(Place::Manifest.name(), manifest);
        Ok((archive::write(&members)?, digest))
    }

    fn proof(&self, index: LeafIndex, evidence: &Evidence) -> Vec<u8> {
        TlogProof { extra: None, index, path: evidence.path.clone(), checkpoint: self.note.clone() }.to_bytes()
    }

    fn statements(&self) -> Result<BTreeMap<LeafIndex, SignedStatement>, ContentsError> {
        let read = |(index, evidence): (&LeafIndex, &Evidence)| {
            let statement = statement_of(&evidence.statement);
            statement
                .map(|statement| (*index, statement))
                .map_err(|error| ContentsError::Statement { id: id(*index), error })
        };
        self.entries.iter().map(read).collect()
    }

    fn manifest(
        &self,
        statements: &BTreeMap<LeafIndex, SignedStatement>,
        members: &BTreeMap<String, Vec<u8>>,
    ) -> Manifest {
        let claimed = Claimed {
            cut_at: self.cut_at,
            batches: self.batches,
            refused: self.refused.iter().copied().map(id).collect(),
        };
        let survey = survey(statements, &self.members, &self.starts);
        Manifest {
            format: FORMAT.to_owned(),
            version: VERSION,
            origin: self.origin.clone(),
            checkpoint: CheckpointSaid { size: self.size.get(), root: self.root.to_string() },
            query: self.query.clone(),
            collector: self.collector.clone(),
            purpose: self.purpose.clone(),
            completeness: self.completeness.clone(),
            starts: self.starts.iter().copied().map(id).collect(),
            not_found: not_found(statements, &self.members, &survey, &self.openings, claimed),
            streams: streams(statements.iter().map(|(index, statement)| (*index, statement))),
            files: members.iter().map(|(name, bytes)| (name.clone(), Digest::sha256(bytes).to_string())).collect(),
        }
    }
}

/// Reads the statement of a member, whatever receipts surround it.
pub(in crate::custody) fn statement_of(bytes: &[u8]) -> Result<SignedStatement, StatementError> {
    use govlog_formats::transparent::{TransparentError, TransparentStatement};
    match TransparentStatement::parse(bytes) {
        Ok(transparent) => Ok(transparent.statement().clone()),
        Err(TransparentError::NoReceipts) => SignedStatement::parse_entry(bytes),
        Err(TransparentError::Statement(error)) => Err(error),
        // Whatever else is wrong with its receipts is said where they are judged.
        Err(_) => SignedStatement::parse(bytes),
    }
}

/// Renders the timeline of entries and members with what is disclosed of them.
pub(in crate::custody) fn timeline(
    statements: &BTreeMap<LeafIndex, SignedStatement>,
    members: &Members,
    openings: &BTreeMap<Digest, Openings>,
) -> Vec<u8> {
    let opened = |leaf: &Digest, record: &[u8]| -> Vec<(String, Value)> {
        let fields = openings.get(leaf).and_then(|found| openings::open(record, &found.fields).ok());
        let fields = fields.into_iter().flat_map(|opened| opened.fields);
        let values = fields.filter_map(|field| match field.state {
            State::Opened(value) => Some((field.path, value)),
            State::Closed | State::Mismatch(_) => None,
        });
        values.collect()
    };
    let entries = statements.iter().map(|(index, statement)| Told {
        spot: (*index).into(),
        statement,
        member: None,
        opened: opened(&statement.leaf_hash(), statement.payload()),
    });
    let members = members.iter().filter_map(|(spot, proof)| {
        let (statement, opened) = (statements.get(&spot.index)?, opened(&proof.leaf(), &proof.record));
        Some(Told { spot: *spot, statement, member: Some(&proof.record), opened })
    });
    let told: Vec<Told<'_>> = entries.chain(members).collect();
    timeline::render(&told)
}

pub(crate) fn id(spot: impl Into<Spot>) -> String {
    spot.into().to_string()
}

/// The same in every file of this version.
pub(in crate::custody) const VERIFY_TEXT: &str = include_str!("VERIFY.md");
