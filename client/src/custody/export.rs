//! Collecting a matter from a log: from a query to the contents of a custody file.
//!
//! The server only suggests. Which entries belong to the matter is computed here, from entries that were proved and judged; the same query at the
//! same checkpoint gives the same bytes, from the same kind of source (a server has receipts and earlier notes, a folder has not) and with the same
//! policy on heads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use govlog_formats::digest::Digest;
use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::{BuildError, ConsistencyProof, LeafIndex, TreeSize};
use govlog_formats::search::{Filter, FilterError, Marks};

use super::archive::{MAX_FILE_BYTES, MAX_MEMBERS};
use super::batches::{BatchError, Batches, Members, all_batches, of_batches};
use super::closure::{Closure, close};
use super::contents::{Contents, ContentsError, Earlier, Evidence, MAX_ENTRIES, MAX_SINGLE_MEMBERS, MAX_WORDS, id};
use super::finder::{FindError, Finder};
use super::index::Index;
use super::manifest::{BatchesSeen, MAX_COUNTED, Query};
use super::node::Node;
use super::notes::Notes;
use super::reader::{AT_ONCE, Read, Reader};
use super::scan::{Scan, ScanError};
use super::spot::Spot;
use super::words::words;
use super::{CustodyVerdict, verify};
use crate::openings::{self, FieldOpening, OpeningStore, Openings, State, StoreError};
use crate::source::{Head, HeadError, Source, SourceError, Tree, TreeError, published};
use crate::trust::{EPOCH, Trust, UpdateError, learn_found, learn_listed};
use crate::verify::{Failure, Outcome};

/// What is to be collected.
pub struct Plan<'a> {
    /// What is asked for.
    pub query: Query,
    /// The size of the checkpoint; without one, the newest.
    pub at: Option<TreeSize>,
    /// Scan all entries, instead of asking the index.
    pub complete: bool,
    /// The most entries to take, [`MAX_ENTRIES`] at most.
    pub most: usize,
    /// The most bytes that may be read for it, and that it may have, [`MAX_FILE_BYTES`] at most.
    pub most_bytes: usize,
    /// A note that somebody has seen: the file proves that its checkpoint continues it.
    pub pin: Option<Vec<u8>>,
    /// Sealed values to disclose, by path or JSON pointer.
    pub open: Vec<String>,
    /// Where their openings are, and those of batches: members of these that belong to the matter are disclosed, too.
    pub store: Option<&'a dyn OpeningStore>,
    /// Who collects.
    pub collector: Option<String>,
    /// What for.
    pub purpose: Option<String>,
}

/// A custody file that was made.
#[derive(Debug)]
pub struct Exported {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// SHA-256 of its manifest.
    pub manifest_digest: Digest,
    /// What a verifier with your trust directory makes of it.
    pub verdict: CustodyVerdict,
    /// What its maker should know.
    pub notices: Vec<String>,
    /// What is wrong with the log, besides the entries.
    pub wrong: Vec<String>,
    /// Entries that do not verify, and why; they are not in it.
    pub refused: Vec<(EntryId, Failure)>,
}

impl Exported {
    /// How it ended, the worst first.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let is_wrong = (!self.wrong.is_empty()).then_some(Outcome::Refuted);
        let refused = self.refused.iter().map(|(_, failure)| failure.outcome);
        Outcome::worst([self.verdict.outcome()].into_iter().chain(is_wrong).chain(refused))
    }
}

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// There is no checkpoint to export at.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The source does not answer.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A part of the tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The admission policy cannot be learnt.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// The index does not answer.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The log cannot be scanned.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The opening store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The opening store's batches cannot be read.
    #[error(transparent)]
    Batches(#[from] BatchError),
    /// A member of a batch was named that nobody has opened.
    #[error(
        "{0}: give the opening store of whoever made that batch, with --openings, and what opens it; or the batch has no such member"
    )]
    NoMember(String),
    /// The query is none.
    #[error(transparent)]
    Query(#[from] FilterError),
    /// The file cannot be put together.
    #[error(transparent)]
    Contents(#[from] ContentsError),
    /// Nothing was published at this size.
    #[error("no checkpoint of size {0} was published; `--at` names a published one: GET /v1/checkpoints lists them")]
    NotPublished(TreeSize),
    /// A folder has no index.
    #[error("a folder has no index to ask: scan it, with --complete")]
    NoIndex,
    /// An entry was named that is not below the checkpoint.
    #[error("{0}: not below the checkpoint, or of another epoch")]
    NoEntry(String),
    /// More entries were named than a file can have.
    #[error("{found} entries are named, and a file has at most {most}: make several")]
    TooMany {
        /// How many.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// More bytes are needed than a file can have.
    #[error(
        "{entries} entries of {bytes} bytes in all were read, and a custody file has at most {most}: nothing was written; ask for less, by one \
         decision, trace or credential, or with --from and --to, and make several files"
    )]
    TooLarge {
        /// How many entries were read until then.
        entries: usize,
        /// How many bytes they have.
        bytes: usize,
        /// How many there may be.
        most: usize,
    },
    /// A pin that the checkpoint does not continue.
    #[error("the pinned checkpoint: {0}")]
    Pin(String),
    /// The server does not give an entry that it has published.
    #[error("entry {0}: published, and the log does not give it")]
    Withheld(String),
    /// An entry is refused.
    #[error("entry {id}: {failure}")]
    Entry {
        /// Which.
        id: String,
        /// Why.
        failure: Failure,
    },
    /// A disclosed value is not what the entry is sealed for.
    #[error("the openings of entry {id}: {why}")]
    Openings {
        /// Which.
        id: String,
        /// Why.
        why: String,
    },
}

/// Told how far it has come: what is done, how much of it, of how much.
pub type Progress<'p> = &'p mut dyn FnMut(&'static str, u64, u64);

/// Collects a matter and makes its custody file; `None`: nothing answers the query.
///
/// # Errors
///
/// The log cannot be read, or shows what does not verify.
pub fn export(
    source: &Source,
    trust: &Trust,
    plan: &Plan<'_>,
    progress: Progress<'_>,
) -> Result<Option<Exported>, ExportError> {
    let head = head(source, trust, plan.at)?;
    export_under(source, trust, plan, &head, None, progress)
}

/// The same under a checkpoint that was judged; from entries that were read already, all below it, where they were read for the plan's query and
/// [`all_batches`].
pub(crate) fn export_under(
    source: &Source,
    trust: &Trust,
    plan: &Plan<'_>,
    head: &Head,
    scan: Option<Scan>,
    progress: Progress<'_>,
) -> Result<Option<Exported>, ExportError> {
    let (filters, most) = (plan.query.filters()?, plan.most.min(MAX_ENTRIES));
    let (mut trust, mut notices) = (trust.clone(), Vec::new());
    let is_listed = learn_listed(source, &mut trust, head)?;
    if !is_listed {
        let found = if plan.complete { ", and those that the scan finds" } else { "" };
        notices.push(format!(
            "the source lists no admission-policy entries: those of your trust directory are enclosed{found}"
        ));
    }
    let tree = Tree::new(source, head.size());
    let batches = batches(plan, &filters, progress)?;
    let finder: Box<dyn Finder + '_> = match scan {
        Some(scan) => Box::new(scan),
        None if plan.complete => Box::new(scanned(&tree, head, &filters, progress)?),
        None => Box::new(Index::new(source.http().ok_or(ExportError::NoIndex)?, head.size(), most)),
    };
    // What only a scan finds of the admission policy judges the entries, and is enclosed, too.
    let wrong = learn_found(source, &mut trust, head, finder.changes())?.wrong(is_listed);
    let most_bytes = plan.most_bytes.min(MAX_FILE_BYTES);
    let mut reader = Reader::new(source, &trust, head, &tree, finder).with_batches(batches).within(most_bytes);
    let (starts, are_more) = starts(&mut reader, plan, &filters, most, progress)?;
    if starts.is_empty() {
        let refused = reader.refused.pop_first();
        return refused.map_or(Ok(None), |(index, failure)| Err(ExportError::Entry { id: id(index), failure }));
    }
    let closure = close(&mut reader, starts.values().cloned(), most)?;
    let (found, are_more_words) = with_words(&mut reader, &closure)?;
    let members = members(&reader, &closure, &found);
    let is_cut = closure.is_cut || are_more || are_more_words || reader.finder.is_cut();
    let changes = changes(&mut reader)?;
    let (disclosed, more) = disclose(plan, &reader, &found, &members)?;
    notices.extend(more);
    notices.append(&mut reader.notices);
    notices.extend(is_cut.then(|| cut(most)));
    let files = 2 * (found.len() + changes.len()) + members.len() + disclosed.len() + MAX_SINGLE_MEMBERS;
    let room = MAX_MEMBERS.saturating_sub(files) / 2;
    let notes = Notes::collect(&reader, &found, plan.pin.as_deref(), room)?;
    let contents = Contents {
        origin: trust.origin().to_owned(),
        size: head.size(),
        root: *head.root(),
        note: head.note().to_vec(),
        earlier: earlier(&tree, head, notes)?,
        policy: trust.policy().to_string(),
        changes,
        query: plan.query.clone(),
        collector: plan.collector.clone(),
        purpose: plan.purpose.clone(),
        completeness: completeness(plan, head),
        starts: starts
            .into_keys()
            .filter(|spot| members.contains_key(spot) || spot.member.is_none() && found.contains_key(&spot.index))
            .collect(),
        batches: batches_seen(&mut reader)?,
        cut_at: is_cut.then_some(most as u64),
        refused: reader.refused.keys().copied().collect(),
        members,
        entries: found.into_iter().map(|(index, read)| (index, read.evidence.clone())).collect(),
        openings: disclosed,
    };
    let (bytes, manifest_digest) = contents.write()?;
    if bytes.len() > most_bytes {
        return Err(ExportError::TooLarge { entries: contents.entries.len(), bytes: bytes.len(), most: most_bytes });
    }
    // With what was learnt of the admission policy: a reader learns it from the file.
    let verdict = verify(&trust, "the file", &bytes, &[]);
    let refused = std::mem::take(&mut reader.refused).into_iter();
    let refused = refused.map(|(index, failure)| (EntryId { epoch: EPOCH, index }, failure)).collect();
    Ok(Some(Exported { bytes, manifest_digest, verdict, notices, wrong, refused }))
}

/// The checkpoint as it was published first, which never changes, so that the newest and `--at` its size are one.
///
/// A stricter policy than the log's may ask for more witnesses than had cosigned it then. Of the newest size the note that is served now is taken in
/// that case: it is written anew as more of them sign.
pub(crate) fn head(source: &Source, trust: &Trust, at: Option<TreeSize>) -> Result<Head, ExportError> {
    let newest = if at.is_none() { Some(Head::read(source, trust)?) } else { None };
    let size = at.or(newest.as_ref().map(Head::size)).unwrap_or_default();
    let archived = published(source, size, size)?.into_iter().find(|published| published.size == size);
    match (archived, newest) {
        (Some(archived), newest) => match (Head::of(source, trust, archived.note), newest) {
            (Err(HeadError::Quorum { .. }), Some(newest)) if newest.size() == size => Ok(newest),
            (head, _) => Ok(head?),
        },
        (None, Some(newest)) => Ok(newest),
        // A folder has one checkpoint.
        (None, None) => {
            Some(Head::read(source, trust)?).filter(|head| head.size() == size).ok_or(ExportError::NotPublished(size))
        }
    }
}

/// Reads every entry, for these filters and for what batches may have of them.
fn scanned(tree: &Tree<'_>, head: &Head, filters: &[Filter], progress: Progress<'_>) -> Result<Scan, ScanError> {
    let asked: Vec<Filter> = filters.iter().cloned().chain(of_batches(filters)).chain([all_batches()]).collect();
    Scan::read(tree, head, &asked, &mut |done| progress("scanned", done, head.size().get()))
}

/// Looks into the batches of the opening store, where one was given.
fn batches<'a>(plan: &Plan<'a>, filters: &[Filter], progress: Progress<'_>) -> Result<Batches<'a>, ExportError> {
    let Some(store) = plan.store else { return Ok(Batches::default()) };
    Ok(Batches::read(store, filters, &mut |done, all| progress("openings", done, all))?)
}

fn batches_seen(reader: &mut Reader<'_>) -> Result<BatchesSeen, ExportError> {
    let logged = reader.finder.count(&all_batches(), MAX_COUNTED)? as u64;
    Ok(BatchesSeen { logged, opened: reader.batches.len() as u64 })
}

fn cut(most: usize) -> String {
    format!(
        "there is more than the {most} entries that a file takes: it is cut, and says so. For less, ask by one decision, trace or credential, or \
         with --from and --to; what is left out can be asked for in other files"
    )
}

fn completeness(plan: &Plan<'_>, head: &Head) -> String {
    if plan.complete { format!("scanned 0-{}", head.size().get().saturating_sub(1)) } else { "index".to_owned() }
}

/// What a matter begins with, by where it stands.
type Starts = BTreeMap<Spot, Arc<Node>>;

/// What was named, and of what answers the query as much as there is room for, in the log's order; and whether there is more.
fn starts(
    reader: &mut Reader<'_>,
    plan: &Plan<'_>,
    filters: &[Filter],
    most: usize,
    progress: Progress<'_>,
) -> Result<(Starts, bool), ExportError> {
    if plan.query.entries.len() > most {
        return Err(ExportError::TooMany { found: plan.query.entries.len(), most });
    }
    let mut starts = named(reader, &plan.query)?;
    let suggested = reader.finder.answers(filters)?;
    let (count, mut batches) = (suggested.len() as u64, BTreeSet::new());
    for (done, index) in (1..).zip(&suggested) {
        if let Some(next) = suggested.chunks(AT_ONCE).find(|next| next.first() == Some(index)) {
            reader.fetch_all(next)?;
        }
        let index = *index;
        let Some(read) = reader.verified(index)? else { continue };
        if filters.iter().any(|filter| filter.matches(&read.statement)) {
            if starts.len() >= most && !starts.contains_key(&index.into()) {
                return Ok((starts, true));
            }
            batches.extend((read.node.kind == "decision-batch").then_some(read.node.leaf));
            starts.insert(index.into(), read.node.clone());
        }
        progress("read", done, count);
    }
    let are_more = members_that_answer(reader, filters, batches, most, &mut starts)?;
    Ok((starts, are_more))
}

/// The entries, and members of batches, that were named by their ids.
fn named(reader: &mut Reader<'_>, query: &Query) -> Result<Starts, ExportError> {
    let mut starts = Starts::new();
    for name in &query.entries {
        let spot = name.parse::<Spot>().ok().filter(|spot| reader.head.size().covers(spot.index));
        let spot = spot.ok_or_else(|| ExportError::NoEntry(name.clone()))?;
        let Some(read) = reader.verified(spot.index)? else { continue };
        let node = match spot.member {
            None => read.node.clone(),
            Some(at) => {
                let member = reader.member(&read.node.leaf, at)?;
                member.ok_or_else(|| ExportError::NoMember(name.clone()))?.node.clone()
            }
        };
        starts.insert(spot, node);
    }
    Ok(starts)
}

/// Adds the members of batches that answer; `batches`: those that answer themselves, whose members may do so by what the batch says of them.
fn members_that_answer(
    reader: &mut Reader<'_>,
    filters: &[Filter],
    mut batches: BTreeSet<Digest>,
    most: usize,
    starts: &mut Starts,
) -> Result<bool, ExportError> {
    if reader.batches.len() == 0 {
        return Ok(false);
    }
    for index in reader.finder.answers(&of_batches(filters))? {
        batches.extend(reader.verified(index)?.map(|read| read.node.leaf));
    }
    let mut candidates: BTreeSet<(Digest, LeafIndex)> = reader.batches.answers().into_iter().collect();
    for leaf in batches {
        if let Some((_, open)) = reader.batch(&leaf)? {
            candidates.extend(open.members().map(|(at, _)| (leaf, at)));
        }
    }
    let mut found = Starts::new();
    for (leaf, at) in candidates {
        let Some((read, _)) = reader.batch(&leaf)? else { continue };
        let Some(member) = reader.member(&leaf, at)? else { continue };
        let marks = Marks::of_member(&read.statement, &member.proof.record);
        if filters.iter().any(|filter| filter.matches_marks(&marks)) {
            found.insert(member.node.spot, member.node.clone());
        }
    }
    // In the log's order, whatever order the store has.
    for (spot, node) in found {
        if starts.len() >= most && !starts.contains_key(&spot) {
            return Ok(true);
        }
        starts.insert(spot, node);
    }
    Ok(false)
}

/// What was reached, and what the streams of it say of themselves.
fn with_words(
    reader: &mut Reader<'_>,
    closure: &Closure,
) -> Result<(BTreeMap<LeafIndex, Arc<Read>>, bool), ExportError> {
    let mut found = BTreeMap::new();
    for spot in closure.reached.keys().filter(|spot| spot.member.is_none()) {
        found.insert(spot.index, reader.read(spot.index)?);
    }
    let room = found.len() + MAX_WORDS;
    for index in words(reader, &found)? {
        if !found.contains_key(&index) && found.len() == room {
            return Ok((found, true));
        }
        found.insert(index, reader.read(index)?);
    }
    Ok((found, false))
}

/// The members that were reached; where the matter was cut between a member and its batch, it is left out with the batch.
fn members(reader: &Reader<'_>, closure: &Closure, found: &BTreeMap<LeafIndex, Arc<Read>>) -> Members {
    let spots = closure.reached.keys().filter(|spot| found.contains_key(&spot.index));
    spots.filter_map(|spot| Some((*spot, reader.known_member(*spot)?.proof.clone()))).collect()
}

fn earlier(tree: &Tree<'_>, head: &Head, notes: Notes) -> Result<BTreeMap<TreeSize, Earlier>, ExportError> {
    let mut earlier = BTreeMap::new();
    for (size, note) in notes.into_inner() {
        let proof = ConsistencyProof::build(tree, size, head.size()).map_err(|error| match error {
            BuildError::Read(error) => ExportError::Tree(error),
            other => ExportError::Pin(other.to_string()),
        })?;
        earlier.insert(size, Earlier { note, path: proof.path });
    }
    Ok(earlier)
}

/// Every entry that the admission policy is folded from, below the checkpoint.
fn changes(reader: &mut Reader<'_>) -> Result<BTreeMap<LeafIndex, Evidence>, ExportError> {
    let indexes: Vec<LeafIndex> = reader.trust.history().entries().iter().map(|change| change.index).collect();
    let below = indexes.into_iter().filter(|index| reader.head.size().covers(*index)).collect::<BTreeSet<_>>();
    below.into_iter().map(|index| Ok((index, reader.read(index)?.evidence.clone()))).collect()
}

/// The openings of the fields that were chosen, of every entry and member that has them, with those of what they are sealed in.
fn disclose(
    plan: &Plan<'_>,
    reader: &Reader<'_>,
    found: &BTreeMap<LeafIndex, Arc<Read>>,
    members: &Members,
) -> Result<(BTreeMap<Digest, Openings>, Vec<String>), ExportError> {
    let (mut disclosed, mut opened) = (BTreeMap::new(), BTreeSet::new());
    let Some(store) = plan.store.filter(|_| !plan.open.is_empty()) else { return Ok((disclosed, Vec::new())) };
    for (index, read) in found {
        let leaf = read.statement.leaf_hash();
        let wrong = |why: String| ExportError::Openings { id: id(*index), why };
        let Some(bytes) = store.get(&leaf)? else { continue };
        let stored = Openings::decode(&bytes).map_err(|error| wrong(error.to_string()))?;
        let fields = chosen(&plan.open, read.statement.payload(), &stored.fields, &mut opened).map_err(wrong)?;
        if !fields.is_empty() {
            disclosed.insert(leaf, Openings::new(read.statement.kind(), fields));
        }
    }
    for (spot, proof) in members {
        let Some(member) = reader.known_member(*spot) else { continue };
        let wrong = |why: String| ExportError::Openings { id: id(*spot), why };
        let fields = chosen(&plan.open, &proof.record, &member.openings, &mut opened).map_err(wrong)?;
        if !fields.is_empty() {
            disclosed.insert(proof.leaf(), Openings::new("decision", fields));
        }
    }
    let unopened = plan.open.iter().filter(|name| !opened.contains(*name));
    Ok((
        disclosed,
        unopened.map(|name| format!("--open {name}: nothing in the store opens it in any entry here")).collect(),
    ))
}

/// The openings of a record's chosen fields, and of what these are sealed in; adds to `opened` which of the chosen ones it opens.
fn chosen(
    open: &[String],
    record: &[u8],
    stored: &[FieldOpening],
    opened: &mut BTreeSet<String>,
) -> Result<Vec<FieldOpening>, String> {
    let all = openings::open(record, stored).map_err(|error| error.to_string())?;
    let named =
        |path: &str| all.fields.iter().any(|field| field.path == path && open.iter().any(|name| field.is_named(name)));
    let chosen: Vec<String> = stored.iter().map(|field| field.path.clone()).filter(|path| named(path)).collect();
    let holds = |path: &str| {
        let is_outer = |inner: &String| inner.strip_prefix(path).is_some_and(|rest| rest.starts_with(['.', '[']));
        named(path) || chosen.iter().any(is_outer)
    };
    for field in all.fields.iter().filter(|field| holds(&field.path)) {
        match &field.state {
            State::Mismatch(error) => return Err(format!("{}: {error}", field.path)),
            State::Opened(_) => opened.extend(open.iter().filter(|name| field.is_named(name)).cloned()),
            State::Closed => {}
        }
    }
    Ok(stored.iter().filter(|field| holds(&field.path)).cloned().collect())
}
