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
use govlog_formats::search::{Filter, FilterError};

use super::archive::MAX_MEMBERS;
use super::closure::{Closure, close};
use super::contents::{Contents, ContentsError, Earlier, Evidence, MAX_ENTRIES, MAX_SINGLE_MEMBERS, MAX_WORDS, id};
use super::finder::{FindError, Finder, Index};
use super::manifest::Query;
use super::notes::Notes;
use super::reader::{Read, Reader};
use super::scan::{Scan, ScanError};
use super::words::words;
use super::{CustodyVerdict, verify};
use crate::openings::{self, OpeningStore, Openings, State, StoreError};
use crate::source::{Head, HeadError, Source, SourceError, Tree, TreeError, published};
use crate::trust::{Trust, UpdateError, learn_listed};
use crate::verify::Failure;

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
    /// A note that somebody has seen: the file proves that its checkpoint continues it.
    pub pin: Option<Vec<u8>>,
    /// Sealed values to disclose, by path or JSON pointer.
    pub open: Vec<String>,
    /// Where their openings are.
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
    export_under(source, trust, plan, &head, progress)
}

/// The same under a checkpoint that was judged.
pub(crate) fn export_under(
    source: &Source,
    trust: &Trust,
    plan: &Plan<'_>,
    head: &Head,
    progress: Progress<'_>,
) -> Result<Option<Exported>, ExportError> {
    let (filters, most) = (plan.query.filters()?, plan.most.min(MAX_ENTRIES));
    let (mut trust, mut notices) = (trust.clone(), Vec::new());
    if !learn_listed(source, &mut trust, head)? {
        notices.push(
            "the source lists no admission-policy entries: those of your trust directory are enclosed".to_owned(),
        );
    }
    let tree = Tree::new(source, head.size());
    let finder: Box<dyn Finder + '_> = if plan.complete {
        let size = head.size().get();
        Box::new(Scan::read(&tree, head, &filters, &mut |done| progress("scanned", done, size))?)
    } else {
        Box::new(Index::new(source.http().ok_or(ExportError::NoIndex)?, head.size(), most))
    };
    let mut reader = Reader::new(source, &trust, head, &tree, finder);
    let (starts, are_more) = starts(&mut reader, plan, &filters, most, progress)?;
    if starts.is_empty() {
        return Ok(None);
    }
    let nodes = starts.iter().map(|read| read.node.clone());
    let closure = close(&mut reader, nodes, most)?;
    let (found, are_more_words) = with_words(&mut reader, &closure)?;
    let is_cut = closure.is_cut || are_more || are_more_words || reader.finder.is_cut();
    let changes = changes(&mut reader)?;
    let (disclosed, more) = disclose(plan, &found)?;
    notices.extend(more);
    let members = 2 * (found.len() + changes.len()) + disclosed.len() + MAX_SINGLE_MEMBERS;
    let room = MAX_MEMBERS.saturating_sub(members) / 2;
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
        starts: starts.iter().map(|read| read.node.index).filter(|index| found.contains_key(index)).collect(),
        cut_at: is_cut.then_some(most as u64),
        entries: found.into_iter().map(|(index, read)| (index, read.evidence.clone())).collect(),
        openings: disclosed,
    };
    let (bytes, manifest_digest) = contents.write()?;
    // With what was learnt of the admission policy: a reader learns it from the file.
    let verdict = verify(&trust, "the file", &bytes, &[]);
    Ok(Some(Exported { bytes, manifest_digest, verdict, notices }))
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

fn completeness(plan: &Plan<'_>, head: &Head) -> String {
    if plan.complete { format!("scanned 0-{}", head.size().get().saturating_sub(1)) } else { "index".to_owned() }
}

/// The entries that were named, and of those that answer the query as many as there is room for, in the log's order; and whether there are more.
fn starts(
    reader: &mut Reader<'_>,
    plan: &Plan<'_>,
    filters: &[Filter],
    most: usize,
    progress: Progress<'_>,
) -> Result<(Vec<Arc<Read>>, bool), ExportError> {
    let mut starts = BTreeMap::new();
    if plan.query.entries.len() > most {
        return Err(ExportError::TooMany { found: plan.query.entries.len(), most });
    }
    for entry in &plan.query.entries {
        let index = entry.parse::<EntryId>().ok().filter(|id| id.epoch == crate::trust::EPOCH).map(|id| id.index);
        let index = index.filter(|index| reader.head.size().covers(*index));
        let index = index.ok_or_else(|| ExportError::NoEntry(entry.clone()))?;
        starts.insert(index, reader.read(index)?);
    }
    let suggested = reader.finder.answers(filters)?;
    let (count, mut are_more) = (suggested.len() as u64, false);
    for (done, index) in (1..).zip(suggested) {
        let read = reader.read(index)?;
        if filters.iter().any(|filter| filter.matches(&read.statement)) && !starts.contains_key(&index) {
            if starts.len() == most {
                are_more = true;
                break;
            }
            starts.insert(index, read);
        }
        progress("read", done, count);
    }
    Ok((starts.into_values().collect(), are_more))
}

/// What was reached, and what the streams of it say of themselves.
fn with_words(
    reader: &mut Reader<'_>,
    closure: &Closure,
) -> Result<(BTreeMap<LeafIndex, Arc<Read>>, bool), ExportError> {
    let mut found = BTreeMap::new();
    for index in closure.reached.keys() {
        found.insert(*index, reader.read(*index)?);
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

/// The openings of the fields that were chosen, of every entry that has them, with those of what they are sealed in.
fn disclose(
    plan: &Plan<'_>,
    found: &BTreeMap<LeafIndex, Arc<Read>>,
) -> Result<(BTreeMap<Digest, Openings>, Vec<String>), ExportError> {
    let (mut disclosed, mut opened) = (BTreeMap::new(), BTreeSet::new());
    let Some(store) = plan.store.filter(|_| !plan.open.is_empty()) else { return Ok((disclosed, Vec::new())) };
    for (index, read) in found {
        let leaf = read.statement.leaf_hash();
        let wrong = |why: String| ExportError::Openings { id: id(*index), why };
        let Some(bytes) = store.get(&leaf)? else { continue };
        let stored = Openings::decode(&bytes).map_err(|error| wrong(error.to_string()))?;
        let all = openings::open(read.statement.payload(), &stored.fields).map_err(|error| wrong(error.to_string()))?;
        let named = |path: &str| {
            all.fields.iter().any(|field| field.path == path && plan.open.iter().any(|name| field.is_named(name)))
        };
        let chosen: Vec<String> =
            stored.fields.iter().map(|field| field.path.clone()).filter(|path| named(path)).collect();
        let holds = |path: &str| {
            let is_outer = |inner: &String| inner.strip_prefix(path).is_some_and(|rest| rest.starts_with(['.', '[']));
            named(path) || chosen.iter().any(is_outer)
        };
        let mut fields = stored.fields.clone();
        fields.retain(|field| holds(&field.path));
        for field in all.fields.iter().filter(|field| holds(&field.path)) {
            match &field.state {
                State::Mismatch(error) => return Err(wrong(format!("{}: {error}", field.path))),
                State::Opened(_) => opened.extend(plan.open.iter().filter(|name| field.is_named(name)).cloned()),
                State::Closed => {}
            }
        }
        if !fields.is_empty() {
            disclosed.insert(leaf, Openings::new(read.statement.kind(), fields));
        }
    }
    let unopened = plan.open.iter().filter(|name| !opened.contains(*name));
    Ok((
        disclosed,
        unopened.map(|name| format!("--open {name}: nothing in the store opens it in any entry here")).collect(),
    ))
}
