//! Decisions that are members of batches, as far as an opening store has them: found by what they are called and name, like entries in an index.
//!
//! A `decision-batch` has its members' root and counts alone, so nothing in the log says which decisions are in it. Who has its openings looks
//! into them, once; of each member short hashes are kept, and what one of these finds is read again, held against the batch's entry and compared.
//!
//! Trust: none in the store. A member counts by its proof under the root that the batch's issuer signed, and by that issuer's right to log it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use govlog_formats::digest::Digest;
use govlog_formats::member::{self, MemberError, MemberProof};
use govlog_formats::merkle::{InclusionProof, LeafIndex, MemoryTree};
use govlog_formats::record::{Handle, LinkTarget};
use govlog_formats::search::{Column, Filter, Marks, Term};

use super::super::relations::{Node, Spot};
use super::finder::Way;
use super::scan::short;
use crate::openings::{DocumentError, FieldOpening, Member, OpeningStore, Openings, StoreError};
use crate::verify::join;

/// Why members cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it has for an entry are no openings.
    #[error("the opening store's openings of the entry with leaf hash {leaf}: {error}")]
    Document {
        /// The entry.
        leaf: Digest,
        /// What is wrong.
        error: DocumentError,
    },
}

/// A place in a batch that the store has: the batch by its number here, and the member's place.
type Place = (u32, u32);

/// The batches of an opening store.
#[derive(Default)]
pub(crate) struct Batches<'a> {
    store: Option<&'a dyn OpeningStore>,
    /// In order, as a store gives them.
    leaves: Vec<Digest>,
    named: Vec<(u64, Place)>,
    pointing: Vec<(u64, Place)>,
    /// Members that may answer the filters that it was read for.
    answers: Vec<Place>,
    /// Those that were looked into last: members that belong together stand together.
    open: VecDeque<Arc<OpenBatch>>,
}

/// The members of one batch, in the order of its tree.
pub(crate) struct OpenBatch {
    leaf: Digest,
    members: Vec<Member>,
    tree: MemoryTree,
}

impl OpenBatch {
    /// How many members the store has of it.
    pub(crate) fn members(&self) -> impl Iterator<Item = (LeafIndex, &[u8])> {
        (0..).map(LeafIndex::new).zip(self.members.iter().map(|member| member.record.as_slice()))
    }

    /// A member with its way to the root that the store's members have; whether it is the batch's is for its judge to say.
    pub(crate) fn prove(&self, at: LeafIndex) -> Result<(MemberProof, &[FieldOpening]), MemberError> {
        let none = || MemberError::NoSuchMember { index: at, count: self.tree.size() };
        let member = usize::try_from(at.get()).ok().and_then(|at| self.members.get(at)).ok_or_else(none)?;
        let proof = InclusionProof::build(&self.tree, at, self.tree.size()).map_err(|_| none())?;
        let record = member.record.clone();
        Ok((MemberProof { batch: self.leaf, index: at, size: proof.size, path: proof.path, record }, &member.openings))
    }
}

impl<'a> Batches<'a> {
    /// Looks into every batch of a store. `progress` is told how many of its files are read, and how many there are.
    pub(crate) fn read(
        store: &'a dyn OpeningStore,
        filters: &[Filter],
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, BatchError> {
        let mut batches = Self { store: Some(store), ..Self::default() };
        let leaves = store.leaves()?;
        let all = leaves.len() as u64;
        for (done, leaf) in (1..).zip(leaves) {
            // What is gone meanwhile was destroyed.
            if let Some(members) = members(store, &leaf)? {
                batches.add(leaf, &members, filters);
            }
            progress(done, all);
        }
        batches.named.sort_unstable();
        batches.pointing.sort_unstable();
        Ok(batches)
    }

    fn add(&mut self, leaf: Digest, members: &[Member], filters: &[Filter]) {
        let batch = u32::try_from(self.leaves.len()).unwrap_or(u32::MAX);
        self.leaves.push(leaf);
        for (at, member) in (0..).zip(members) {
            let (place, spot) = ((batch, at), Spot::of_member(LeafIndex::new(0), LeafIndex::new(u64::from(at))));
            // Who signed the batch stands in its entry, and is not known yet.
            let node = Node::of_decision(spot, "", &member.record);
            self.named.extend(node.targets().map(|target| (key(&target), place)));
            self.pointing.extend(node.points.iter().map(|point| (key(&point.target), place)));
            let marks = Marks::of_record_of_member(&member.record);
            if filters.iter().any(|filter| may_answer(filter, &marks, &member.record)) {
                self.answers.push(place);
            }
        }
    }

    /// How many batches were looked into.
    pub(crate) fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Members that may be called this or name it, by the leaf hashes of their batches.
    pub(crate) fn find(&self, way: Way, target: &LinkTarget) -> Vec<(Digest, LeafIndex)> {
        let (list, key) = (if way == Way::Named { &self.named } else { &self.pointing }, key(target));
        let hits = list.get(list.partition_point(|(hash, _)| *hash < key)..).unwrap_or_default();
        let mut places: Vec<Place> =
            hits.iter().take_while(|(hash, _)| *hash == key).map(|(_, place)| *place).collect();
        places.dedup();
        self.by_leaf(&places)
    }

    /// Members that may answer one of the filters; those of which only the batch's entry says so are not among them.
    pub(crate) fn answers(&self) -> Vec<(Digest, LeafIndex)> {
        self.by_leaf(&self.answers)
    }

    fn by_leaf(&self, places: &[Place]) -> Vec<(Digest, LeafIndex)> {
        let leaf = |batch: u32| usize::try_from(batch).ok().and_then(|at| self.leaves.get(at)).copied();
        places.iter().filter_map(|(batch, at)| Some((leaf(*batch)?, LeafIndex::new(u64::from(*at))))).collect()
    }

    /// Looks into a batch again; `None`: the store has nothing of it.
    pub(crate) fn open(&mut self, leaf: &Digest) -> Result<Option<Arc<OpenBatch>>, BatchError> {
        if let Some(open) = self.open.iter().find(|open| open.leaf == *leaf) {
            return Ok(Some(open.clone()));
        }
        let Some(store) = self.store.filter(|_| self.leaves.binary_search(leaf).is_ok()) else { return Ok(None) };
        let Some(members) = members(store, leaf)? else { return Ok(None) };
        let tree = member::tree(members.iter().map(|member| member.record.as_slice()));
        let open = Arc::new(OpenBatch { leaf: *leaf, members, tree });
        self.open.truncate(KEPT - 1);
        self.open.push_front(open.clone());
        Ok(Some(open))
    }
}

/// The members that a store has for an entry, where it is a batch.
fn members(store: &dyn OpeningStore, leaf: &Digest) -> Result<Option<Vec<Member>>, BatchError> {
    let Some(bytes) = store.get(leaf)? else { return Ok(None) };
    let openings = Openings::decode(&bytes).map_err(|error| BatchError::Document { leaf: *leaf, error })?;
    Ok(Some(openings.members).filter(|members| !members.is_empty()))
}

/// A decision is called by its issuer and its id; who issued it is compared once that is known.
fn key(target: &LinkTarget) -> u64 {
    match target {
        LinkTarget::Handle(Handle { name, value }) if name == join::DEC => {
            let id = value.as_array().and_then(|parts| parts.last()).unwrap_or(value).clone();
            short(&LinkTarget::Handle(Handle { name: name.clone(), value: id }))
        }
        target => short(target),
    }
}

/// Whether a member may answer by what it says itself. What only its batch says of it is left open, as long as something of it fits.
fn may_answer(filter: &Filter, marks: &Marks, record: &[u8]) -> bool {
    let id = member::decision(record).ok().and_then(|decision| decision.decision_id().present().map(str::to_owned));
    let is_its_id = |term: &Term| id.as_ref().is_some_and(|id| term.value().ends_with(id.as_str()));
    let by_batch = [Column::ISSUER, Column::STREAM, Column::SIGNER, Column::KEY, Column::CREDENTIAL, Column::HANDLE];
    let mut fits = false;
    for term in filter.terms() {
        let by_id = [Column::DECISION, Column::HANDLE].contains(&term.column()) && is_its_id(term);
        if marks.terms().contains(term) || by_id {
            fits |= term.column() != Column::KIND;
        } else if !by_batch.contains(&term.column()) {
            return false;
        }
    }
    fits
}

/// The filters by which batches answer whose members are asked for by their kind alone, and by what their batch says.
pub(crate) fn of_batches(filters: &[Filter]) -> Vec<Filter> {
    let kind = |kind: &str| Term::new(Column::KIND, kind).ok();
    let (Some(decision), Some(batch)) = (kind("decision"), kind("decision-batch")) else { return Vec::new() };
    let others = |filter: &Filter| {
        let others: Vec<Term> = filter.terms().iter().filter(|term| **term != decision).cloned().collect();
        let same = others.into_iter().chain([batch.clone()]).fold(Filter::default(), Filter::with);
        let same = filter.since_ms().into_iter().fold(same, Filter::since);
        filter.until_ms().into_iter().fold(same, Filter::until)
    };
    filters.iter().filter(|filter| filter.terms().contains(&decision)).map(others).collect()
}

/// Every batch of a log.
pub(crate) fn all_batches() -> Filter {
    Term::new(Column::KIND, "decision-batch").into_iter().fold(Filter::default(), Filter::with)
}

/// How many batches are kept open.
const KEPT: usize = 4;

/// Members of batches, each with its proof.
pub type Members = BTreeMap<Spot, MemberProof>;
