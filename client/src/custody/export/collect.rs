//! Collecting a matter from a log: from a query to the contents of a custody file.
//!
//! The server only suggests. Which entries belong to the matter is computed here, from entries that were proved and judged; the same query at the
//! same checkpoint gives the same bytes, from the same kind of source (a server has receipts and earlier notes, a folder has not) and with the same
//! policy on heads.

use std::collections::{BTreeMap, BTreeSet};

use govlog_formats::digest::Digest;
use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::search::Filter;

use super::super::file::{
    BatchesSeen, Contents, Earlier, Evidence, MAX_COUNTED, MAX_ENTRIES, MAX_FILE_BYTES, MAX_MEMBERS,
    MAX_SINGLE_MEMBERS, MAX_WORDS, Query, id,
};
use super::super::find::{Batches, Finder, Index, Members, Scan, ScanError, all_batches, of_batches};
use super::super::judge::{CustodyVerdict, verify};
use super::super::matter::{Closure, close};
use super::super::relations::Spot;
use super::disclose::disclose;
use super::error::ExportError;
use super::notes::{Found, Notes};
use super::plan::{Plan, Progress};
use super::reader::Reader;
use super::receipts::{Dropped, consistency};
use super::starts::starts;
use super::words::words;
use crate::source::{Head, HeadError, Source, Tree, published};
use crate::trust::{EPOCH, Trust, learn_found, learn_listed};
use crate::verify::{Failure, Outcome};

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
    /// What is wrong with the log, besides the entries: that it keeps changes of its admission policy from its list, that receipts lie.
    pub wrong: Vec<String>,
    /// Entries that do not verify, and why; they are not in it.
    pub refused: Vec<(EntryId, Failure)>,
}

impl Exported {
    /// What was left out because it does not verify, a line for each.
    pub fn left_out(&self) -> impl Iterator<Item = String> {
        self.refused.iter().map(|(id, failure)| format!("{}  {id}, left out: {}", failure.outcome.word(), failure.why))
    }

    /// How it ended, the worst first.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let is_wrong = (!self.wrong.is_empty()).then_some(Outcome::Refuted);
        let refused = self.refused.iter().map(|(_, failure)| failure.outcome);
        Outcome::worst([self.verdict.outcome()].into_iter().chain(is_wrong).chain(refused))
    }
}

/// Collects a matter and makes its custody file; `None`: nothing answers the query.
///
/// # Errors
///
/// The log cannot be read, or shows what does not verify; or nothing answers, and what it shows with that is wrong.
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
    let mut wrong = learn_found(source, &mut trust, head, finder.changes())?.wrong(is_listed);
    let most_bytes = plan.most_bytes.min(MAX_FILE_BYTES);
    let mut reader = Reader::new(source, &trust, head, &tree, finder).with_batches(batches).within(most_bytes);
    let made = collected(&mut reader, plan, &filters, most, progress);
    wrong.extend(reader.wrong.take());
    match made {
        Ok(Some(mut made)) => {
            notices.append(&mut made.notices);
            Ok(Some(Exported { wrong, notices, ..made }))
        }
        // What is wrong is told, whatever comes of the rest.
        Ok(None) if wrong.is_empty() => Ok(None),
        Ok(None) => Err(ExportError::Wrong { wrong, cause: None }),
        Err(error) => Err(error.with(wrong)),
    }
}

/// Makes the file of what belongs to the matter.
fn collected(
    reader: &mut Reader<'_>,
    plan: &Plan<'_>,
    filters: &[Filter],
    most: usize,
    progress: Progress<'_>,
) -> Result<Option<Exported>, ExportError> {
    let (trust, head, tree) = (reader.trust, reader.head, reader.tree);
    let (starts, are_more) = starts(reader, plan, filters, most, progress)?;
    if starts.is_empty() {
        return refusal(&plan.query, &reader.refused).map_or(Ok(None), Err);
    }
    let closure = close(reader, starts.values().cloned(), most)?;
    let (found, are_more_words) = with_words(reader, &closure)?;
    let members = members(reader, &closure, &found);
    let is_cut = closure.is_cut || are_more || are_more_words || reader.finder.is_cut();
    let changes = changes(reader)?;
    let (disclosed, mut notices) = disclose(plan, reader, &found, &members)?;
    notices.extend_from_slice(&reader.notices);
    notices.extend(is_cut.then(|| cut(most)));
    let files = 2 * (found.len() + changes.len()) + members.len() + disclosed.len() + MAX_SINGLE_MEMBERS;
    let room = MAX_MEMBERS.saturating_sub(files) / 2;
    let notes = Notes::collect(reader, &found, &changes, plan.pin.as_deref(), room)?;
    notices.extend(without_receipt(reader, &found, &notes));
    let evidence = |found: &Found| -> BTreeMap<LeafIndex, Evidence> {
        found.iter().map(|(index, read)| (*index, notes.evidence(read))).collect()
    };
    let (entries, changes) = (evidence(&found), evidence(&changes));
    let contents = Contents {
        origin: trust.origin().to_owned(),
        size: head.size(),
        root: *head.root(),
        note: head.note().to_vec(),
        earlier: earlier(tree, head, notes)?,
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
        batches: batches_seen(reader)?,
        cut_at: is_cut.then_some(most as u64),
        refused: reader.refused.keys().copied().collect(),
        members,
        entries,
        openings: disclosed,
    };
    let (bytes, manifest_digest) = contents.write()?;
    let most_bytes = plan.most_bytes.min(MAX_FILE_BYTES);
    if bytes.len() > most_bytes {
        return Err(ExportError::TooLarge { entries: contents.entries.len(), bytes: bytes.len(), most: most_bytes });
    }
    // With what was learnt of the admission policy: a reader learns it from the file.
    let verdict = verify(trust, "the file", &bytes, &[]);
    let refused =
        reader.refused.iter().map(|(index, failure)| (EntryId { epoch: EPOCH, index: *index }, failure.clone()));
    Ok(Some(Exported { bytes, manifest_digest, verdict, notices, wrong: Vec::new(), refused: refused.collect() }))
}

/// Why a matter has no beginning: of what was named, or else of all that was suggested, what is worst.
fn refusal(query: &Query, refused: &BTreeMap<LeafIndex, Failure>) -> Option<ExportError> {
    let named: BTreeSet<LeafIndex> =
        query.entries.iter().filter_map(|name| Some(name.parse::<Spot>().ok()?.index)).collect();
    let is_named = |index: &LeafIndex| named.contains(index);
    let are_named = refused.keys().any(is_named);
    let considered = || refused.iter().filter(|(index, _)| is_named(index) || !are_named);
    let worst = Outcome::worst(considered().map(|(_, failure)| failure.outcome));
    let (index, failure) = considered().find(|(_, failure)| failure.outcome == worst)?;
    Some(ExportError::Entry { id: id(*index), failure: failure.clone() })
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

/// What was reached, and what the streams of it say of themselves.
fn with_words(reader: &mut Reader<'_>, closure: &Closure) -> Result<(Found, bool), ExportError> {
    let mut found = Found::new();
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
fn members(reader: &Reader<'_>, closure: &Closure, found: &Found) -> Members {
    let spots = closure.reached.keys().filter(|spot| found.contains_key(&spot.index));
    spots.filter_map(|spot| Some((*spot, reader.known_member(*spot)?.proof.clone()))).collect()
}

fn earlier(tree: &Tree<'_>, head: &Head, notes: Notes) -> Result<BTreeMap<TreeSize, Earlier>, ExportError> {
    let mut earlier = BTreeMap::new();
    for (size, note) in notes.into_earlier() {
        earlier.insert(size, Earlier { note, path: consistency(tree, size, head.size())?.path });
    }
    Ok(earlier)
}

/// How many entries the file has without a receipt, and why: whoever drops receipts from what a log serves widens the bounds of their times.
fn without_receipt(reader: &Reader<'_>, found: &Found, notes: &Notes) -> Vec<String> {
    // A folder has none.
    if reader.source.http().is_none() {
        return Vec::new();
    }
    let mut counts: BTreeMap<Dropped, usize> = BTreeMap::new();
    for read in found.values().filter(|read| notes.receipt(read).is_none()) {
        read.dropped.first().into_iter().for_each(|why| *counts.entry(*why).or_default() += 1);
    }
    counts.into_iter().map(|(why, count)| why.said(count)).collect()
}

/// Every entry that the admission policy is folded from, below the checkpoint.
fn changes(reader: &mut Reader<'_>) -> Result<Found, ExportError> {
    let indexes: Vec<LeafIndex> = reader.trust.history().entries().iter().map(|change| change.index).collect();
    let below = indexes.into_iter().filter(|index| reader.head.size().covers(*index)).collect::<BTreeSet<_>>();
    below.into_iter().map(|index| Ok((index, reader.read(index)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_named_is_told_before_what_was_suggested_and_the_worst_of_it_first() {
        let failures = [Failure::policy("p"), Failure::refuted("r"), Failure::unknown("u")];
        let refused: BTreeMap<LeafIndex, Failure> = (5..).map(LeafIndex::new).zip(failures).collect();
        let told = |entries: &[&str]| {
            let query = Query { entries: entries.iter().map(|id| (*id).to_owned()).collect(), ..Query::default() };
            refusal(&query, &refused).map(|error| error.to_string())
        };
        assert_eq!(told(&[]).unwrap(), "entry 1.6: r");
        assert_eq!(told(&["1.5", "1.7#3"]).unwrap(), "entry 1.7: u");
        assert_eq!(told(&["1.9"]).unwrap(), "entry 1.6: r");
        assert!(refusal(&Query::default(), &BTreeMap::new()).is_none());
    }
}
