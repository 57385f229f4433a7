//! Entries as a collector reads them: whatever is suggested is fetched, proved under the one checkpoint and judged, before anything follows from it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use govlog_formats::digest::Digest;
use govlog_formats::entry_id::EntryId;
use govlog_formats::member::MemberProof;
use govlog_formats::merkle::{BuildError, InclusionProof, LeafIndex, TreeSize};
use govlog_formats::record::LinkTarget;
use govlog_formats::statement::SignedStatement;
use govlog_formats::tlog_proof::TlogProof;

use super::super::file::{id, statement_of};
use super::super::find::{Batches, Finder, OpenBatch, Question, Way};
use super::super::matter::Lookup;
use super::super::relations::{Node, Spot, target_key};
use super::error::ExportError;
use super::receipts::{Dropped, Note, Placed, Receipts};
use super::wrong::Wrong;
use crate::openings::FieldOpening;
use crate::source::{Fetched, Head, Http, Source, SourceError, Tree, at_once};
use crate::trust::{EPOCH, Trust};
use crate::verify::{self, Failure, VerifiedEntry};

/// Below the checkpoint everything is published: what is not served at once is missing.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many entries are fetched before the first of them is read.
pub(crate) const AT_ONCE: usize = 256;

/// An entry that was read and judged.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) node: Arc<Node>,
    pub(crate) statement: SignedStatement,
    /// The way to the checkpoint's root.
    pub(super) path: Vec<Digest>,
    /// The receipts that hold, and why others were dropped.
    pub(super) receipts: Vec<Placed>,
    pub(super) dropped: BTreeSet<Dropped>,
    /// As it stands under the one checkpoint.
    pub(crate) entry: VerifiedEntry,
}

impl Read {
    /// By when it was there, as its receipts prove.
    pub(crate) fn upper_s(&self) -> Option<u64> {
        self.receipts.iter().filter_map(|placed| placed.note.verified.upper_time()).min()
    }
}

/// A member of a batch that was read from an opening store, and judged by the batch's entry.
#[derive(Debug)]
pub(crate) struct ReadMember {
    pub(crate) node: Arc<Node>,
    pub(crate) proof: MemberProof,
    /// What the store has to open it.
    pub(crate) openings: Vec<FieldOpening>,
}

/// A batch's entry, and its members as an opening store has them.
type Opened = (Arc<Read>, Arc<OpenBatch>);

/// What a server gives in place of an entry, or why that is none.
type Answer = Result<Vec<u8>, String>;

/// What an index was asked: which way, for what, of which kinds.
type Asked = (Way, Vec<u8>, Vec<String>);

/// Reads entries below a checkpoint, and members of batches among them.
pub(crate) struct Reader<'a> {
    pub(crate) source: &'a Source,
    pub(crate) trust: &'a Trust,
    pub(crate) head: &'a Head,
    pub(crate) tree: &'a Tree<'a>,
    pub(crate) finder: Box<dyn Finder + 'a>,
    pub(crate) batches: Batches<'a>,
    /// What could not be looked into, and why: for whoever collects.
    pub(crate) notices: Vec<String>,
    /// What was to be read and does not verify: nothing follows from it.
    pub(crate) refused: BTreeMap<LeafIndex, Failure>,
    /// What the log serves wrongly with entries that verify all the same.
    pub(crate) wrong: Wrong,
    receipts: Receipts<'a>,
    members: HashMap<Spot, Option<Arc<ReadMember>>>,
    by_leaf: HashMap<Digest, Option<Arc<Read>>>,
    /// How many bytes of entries there are, and how many may be.
    bytes: usize,
    most_bytes: usize,
    /// What was fetched and is not read yet.
    fetched: HashMap<LeafIndex, Answer>,
    /// Whether the log lets wait for what it has published.
    lets_wait: AtomicBool,
    read: HashMap<LeafIndex, Arc<Read>>,
    asked: HashMap<Asked, (Vec<LeafIndex>, bool)>,
    /// Whether there were more of those that were asked for last.
    has_more: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(
        source: &'a Source,
        trust: &'a Trust,
        head: &'a Head,
        tree: &'a Tree<'a>,
        finder: Box<dyn Finder + 'a>,
    ) -> Self {
        Self {
            source,
            trust,
            head,
            tree,
            finder,
            batches: Batches::default(),
            notices: Vec::new(),
            refused: BTreeMap::new(),
            wrong: Wrong::default(),
            receipts: Receipts::new(trust, head, tree),
            members: HashMap::new(),
            by_leaf: HashMap::new(),
            bytes: 0,
            most_bytes: usize::MAX,
            fetched: HashMap::new(),
            lets_wait: AtomicBool::new(false),
            read: HashMap::new(),
            asked: HashMap::new(),
            has_more: false,
        }
    }

    /// Reads no more bytes than these: they are held in memory until the file is made of them.
    pub(crate) fn within(self, most_bytes: usize) -> Self {
        Self { most_bytes, ..self }
    }

    /// Looks into the batches of an opening store, too.
    pub(crate) fn with_batches(self, batches: Batches<'a>) -> Self {
        Self { batches, ..self }
    }

    /// Reads an entry: as a transparent statement where a server has it, else as the log's files have it.
    pub(crate) fn read(&mut self, index: LeafIndex) -> Result<Arc<Read>, ExportError> {
        if let Some(known) = self.read.get(&index) {
            return Ok(known.clone());
        }
        let fail = |failure: Failure| ExportError::Entry { id: id(index), failure };
        let proof = InclusionProof::build(self.tree, index, self.head.size()).map_err(|error| match error {
            BuildError::Read(error) => ExportError::Tree(error),
            other => fail(Failure::refuted(other.to_string())),
        })?;
        let (bytes, statement) = self.proved(&proof)?;
        let judged = self.receipts.judge(index, &statement, &bytes)?;
        self.wrong.lies(&format!("{}: its receipt", id(index)), &judged.lies);
        let proof = TlogProof { extra: None, index, path: proof.path, checkpoint: self.head.note().to_vec() };
        let head = self.head.verified();
        let entry = verify::judge_under(self.trust, head, &proof, statement.clone(), &mut Vec::new()).map_err(fail)?;
        // What is dropped takes no place.
        let receipts: usize = judged.receipts.iter().map(|placed| placed.bytes.len()).sum();
        self.bytes = self.bytes.saturating_add(statement.entry().len() + receipts);
        if self.bytes > self.most_bytes {
            let (entries, bytes, most) = (self.read.len() + 1, self.bytes, self.most_bytes);
            return Err(ExportError::TooLarge { entries, bytes, most });
        }
        let node = Arc::new(Node::new(index, &statement));
        let (path, receipts, dropped) = (proof.path, judged.receipts, judged.dropped);
        let read = Arc::new(Read { node, statement, path, receipts, dropped, entry });
        self.read.insert(index, read.clone());
        Ok(read)
    }

    /// The bytes of an entry that a proof leads to. Whoever answers for a log's server can answer anything; the log's files have the entry, too.
    fn proved(&mut self, proof: &InclusionProof) -> Result<(Vec<u8>, SignedStatement), ExportError> {
        let index = proof.index;
        let served = match self.fetched.remove(&index) {
            Some(answer) => answer,
            None => self.fetch(index)?,
        };
        let root = self.head.root();
        let statement = |bytes: &[u8]| -> Result<SignedStatement, String> {
            let statement = statement_of(bytes).map_err(|error| error.to_string())?;
            proof.verify(&statement.leaf_hash(), root).map_err(|error| format!("the proof: {error}"))?;
            Ok(statement)
        };
        let why = match served.and_then(|bytes| Ok((statement(&bytes)?, bytes))) {
            Ok((statement, bytes)) => return Ok((bytes, statement)),
            Err(why) => why,
        };
        let refuted = |why: String| ExportError::Entry { id: id(index), failure: Failure::refuted(why) };
        // A folder is these files.
        if self.source.http().is_none() {
            return Err(refuted(why));
        }
        let filed = self.tree.entry(index)?;
        let statement =
            statement(&filed).map_err(|other| refuted(format!("{why}; and in the log's files: {other}")))?;
        let id = id(index);
        self.wrong.push(format!("{id}: the log answers with something else: {why}; it is taken from the log's files"));
        Ok((filed, statement))
    }

    /// A note that the log lists at this size, where it can go into a file; a lie is remembered.
    pub(super) fn listed(&mut self, size: TreeSize, note: &[u8]) -> Result<Option<Arc<Note>>, ExportError> {
        Ok(self.receipts.listed(size, note)?.unwrap_or_else(|lie| {
            self.wrong.lies(&format!("the checkpoint that the log lists at size {size}"), &[lie]);
            None
        }))
    }

    /// Reads an entry, unless it does not verify: that is remembered, and no reason to give up what does.
    pub(crate) fn verified(&mut self, index: LeafIndex) -> Result<Option<Arc<Read>>, ExportError> {
        if self.refused.contains_key(&index) {
            return Ok(None);
        }
        match self.read(index) {
            Ok(read) => Ok(Some(read)),
            Err(ExportError::Entry { failure, .. }) => {
                self.refused.insert(index, failure);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The batch with this leaf hash, and its members; `None`: it is not below the checkpoint, or the store has nothing of it.
    pub(crate) fn batch(&mut self, leaf: &Digest) -> Result<Option<Opened>, ExportError> {
        let read = match self.by_leaf.get(leaf) {
            Some(known) => known.clone(),
            None => {
                let mut found = None;
                for index in self.finder.find(Way::Named, &LinkTarget::Entry(*leaf), &["decision-batch"])? {
                    found = found.or(self.verified(index)?.filter(|read| read.node.leaf == *leaf));
                }
                self.by_leaf.insert(*leaf, found.clone());
                found
            }
        };
        let Some(read) = read else { return Ok(None) };
        Ok(self.batches.open(leaf)?.map(|open| (read, open)))
    }

    /// A member of a batch; `None`: it cannot be had, or would be refused.
    pub(crate) fn member(&mut self, batch: &Digest, at: LeafIndex) -> Result<Option<Arc<ReadMember>>, ExportError> {
        let Some((read, open)) = self.batch(batch)? else { return Ok(None) };
        let spot = Spot::of_member(read.entry.included().index, at);
        if let Some(known) = self.members.get(&spot) {
            return Ok(known.clone());
        }
        let proved = open.prove(at).map_err(|error| Failure::refuted(error.to_string()));
        let judged = proved.and_then(|(proof, openings)| {
            verify::judge_member(&read.entry, &proof)?;
            let node = Arc::new(Node::of_member(spot, &read.statement, &proof.record));
            Ok(Arc::new(ReadMember { node, proof, openings: openings.to_vec() }))
        });
        // What would be refused is not taken; it counts among the members that are not opened.
        let member = judged.map_err(|failure| self.notices.push(format!("{}: not taken: {}", id(spot), failure.why)));
        let member = member.ok();
        self.members.insert(spot, member.clone());
        Ok(member)
    }

    /// A member that was read already.
    pub(crate) fn known_member(&self, spot: Spot) -> Option<Arc<ReadMember>> {
        self.members.get(&spot).cloned().flatten()
    }

    fn fetch(&self, index: LeafIndex) -> Result<Answer, ExportError> {
        match self.source.http() {
            Some(http) => ask(http, index, &self.lets_wait),
            None => Ok(Ok(self.tree.entry(index)?)),
        }
    }

    /// Fetches entries that will be read, several at a time.
    pub(crate) fn fetch_all(&mut self, indexes: &[LeafIndex]) -> Result<(), ExportError> {
        let Some(http) = self.source.http() else { return Ok(()) };
        let is_known = |index: &LeafIndex| self.read.contains_key(index) || self.refused.contains_key(index);
        let is_new = |index: &&LeafIndex| !is_known(index) && !self.fetched.contains_key(*index);
        let new: Vec<LeafIndex> = indexes.iter().filter(is_new).copied().collect();
        let answers = at_once(&new, |index| ask(http, *index, &self.lets_wait));
        for (index, answer) in new.iter().zip(answers) {
            self.fetched.insert(*index, answer?);
        }
        Ok(())
    }

    fn find(&mut self, way: Way, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, ExportError> {
        let key = (way, target_key(target), kinds.iter().map(|kind| (*kind).to_owned()).collect());
        let (indexes, has_more) = match self.asked.get(&key) {
            Some(known) => known.clone(),
            None => {
                let found = (self.finder.find(way, target, kinds)?, self.finder.has_more());
                self.asked.insert(key, found.clone());
                found
            }
        };
        self.has_more = has_more;
        let mut nodes = Vec::new();
        for index in indexes {
            let Some(read) = self.verified(index)? else { continue };
            let node = read.node.clone();
            let is_it = match (way, target) {
                (Way::Named, LinkTarget::Handle(handle)) => node.is_called(target) || node.certificate.contains(handle),
                (Way::Named, _) => node.is_called(target),
                (Way::Pointing, _) => node.points.iter().any(|point| target_key(&point.target) == target_key(target)),
            };
            if is_it && (kinds.is_empty() || kinds.contains(&node.kind.as_str())) {
                nodes.push(node);
            }
        }
        if kinds.is_empty() || kinds.contains(&"decision") {
            nodes.extend(self.members_by(way, target)?);
        }
        Ok(nodes)
    }

    /// The members that are called this or name it.
    fn members_by(&mut self, way: Way, target: &LinkTarget) -> Result<Vec<Arc<Node>>, ExportError> {
        let mut nodes = Vec::new();
        for (batch, at) in self.batches.find(way, target) {
            let Some(member) = self.member(&batch, at)? else { continue };
            let node = &member.node;
            let is_it = match way {
                Way::Named => node.is_called(target),
                Way::Pointing => node.points.iter().any(|point| target_key(&point.target) == target_key(target)),
            };
            if is_it {
                nodes.push(node.clone());
            }
        }
        Ok(nodes)
    }
}

/// Asks for an entry. What a server answers is no reason to give up; that it is not reached is one.
fn ask(http: &Http, index: LeafIndex, lets_wait: &AtomicBool) -> Result<Answer, ExportError> {
    // Who waited in vain once does not wait again.
    let patience = if lets_wait.load(Ordering::Relaxed) { Duration::ZERO } else { PATIENCE };
    match http.transparent_statement(EntryId { epoch: EPOCH, index }, patience) {
        Ok(Fetched::Statement(bytes)) => Ok(Ok(bytes)),
        Ok(Fetched::NotPublished) => {
            lets_wait.store(true, Ordering::Relaxed);
            Ok(Err("that it is not published yet".to_owned()))
        }
        Ok(Fetched::Absent) => Ok(Err("that there is no such entry".to_owned())),
        Err(error @ (SourceError::Status { .. } | SourceError::TooLarge { .. })) => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

impl Lookup for Reader<'_> {
    type Error = ExportError;

    fn expect(&mut self, questions: &[Question]) -> Result<(), ExportError> {
        let named = self.finder.expect(questions)?;
        named.chunks(AT_ONCE).try_for_each(|named| {
            self.fetch_all(named)?;
            named.iter().try_for_each(|index| self.verified(*index).map(drop))
        })
    }

    fn named(&mut self, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, ExportError> {
        self.find(Way::Named, target, kinds)
    }

    fn pointing(&mut self, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, ExportError> {
        self.find(Way::Pointing, target, kinds)
    }

    fn has_more(&self) -> bool {
        self.has_more
    }
}
