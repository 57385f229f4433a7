//! Which entries answer a filter: suggested by the log's index, or found by a scan of all of it, and each one verified.

use std::collections::BTreeSet;

use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::search::Filter;

use super::Hit;
use crate::custody::{ExportError, FindError, Finder, Index, Progress, Read, Reader, Scan, head};
use crate::source::{Head, RecordsError, Source, Tree};
use crate::trust::{EPOCH, Trust, learn_found, learn_listed};
use crate::verify::{Bracket, Failure, Outcome};

/// What is asked for, and how.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Which entries.
    pub filter: Filter,
    /// The size of the checkpoint; without one, the newest.
    pub at: Option<TreeSize>,
    /// The most entries to give.
    pub most: usize,
    /// Scan all entries, and hold the index's answer against it.
    pub complete: bool,
}

/// What came of a question.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    /// The size of the checkpoint that everything was proved under.
    pub size: TreeSize,
    /// Since when a quorum has signed it, by its slowest clock, POSIX seconds.
    pub time_s: Option<u64>,
    /// How many entries were given.
    pub found: usize,
    /// Whether there are more.
    pub has_more: bool,
    /// What is wrong with the index's answer, and with what is served of entries.
    pub wrong: Vec<String>,
    /// Entries that answer the question, and that the index did not name.
    pub held_back: Vec<EntryId>,
    /// Entries that do not verify, and why; they were not given.
    pub refused: Vec<(EntryId, Failure)>,
    /// Why the index's answer was not held against what was read, where it should have been.
    pub not_compared: Option<String>,
}

impl Answered {
    /// How it ended, the worst first; [`Outcome::Verified`] says nothing of how many were found.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if !self.wrong.is_empty() || !self.held_back.is_empty() {
            return Outcome::Refuted;
        }
        Outcome::worst(self.refused.iter().map(|(_, failure)| failure.outcome))
    }
}

/// Finds the entries and gives each, verified, in the log's order.
///
/// # Errors
///
/// The log cannot be read, or has no checkpoint to go by.
pub fn query(
    source: &Source,
    trust: &Trust,
    asked: &Asked,
    each: &mut dyn FnMut(&Hit),
    progress: Progress<'_>,
) -> Result<Answered, ExportError> {
    let head = head(source, trust, asked.at)?;
    let mut trust = trust.clone();
    let is_listed = learn_listed(source, &mut trust, &head)?;
    let tree = Tree::new(source, head.size());
    let mut answered = Answered { size: head.size(), time_s: head.verified().lower_time(), ..Answered::default() };
    let (finder, indexes) = find(source, &head, &tree, asked, &mut answered, progress)?;
    // What only a scan finds of the admission policy judges the entries, too; a list that leaves it out is wrong.
    let unlisted = learn_found(source, &mut trust, &head, finder.changes())?;
    answered.wrong.extend(unlisted.wrong(is_listed));
    let mut reader = Reader::new(source, &trust, &head, &tree, finder);
    let count = u64::try_from(indexes.len()).unwrap_or(u64::MAX);
    for (done, index) in (1..).zip(indexes) {
        if answered.found == asked.most {
            answered.has_more = true;
            break;
        }
        match reader.read(index) {
            Ok(read) if asked.filter.matches(&read.statement) => {
                answered.found += 1;
                each(&hit(&read));
            }
            Ok(_) => answered.wrong.push(not_asked_for(index)),
            Err(ExportError::Entry { failure, .. }) => answered.refused.push((id(index), failure)),
            Err(error) => {
                answered.wrong.extend(reader.wrong.take());
                return Err(error.with(answered.wrong));
            }
        }
        progress("read", done, count);
    }
    answered.wrong.extend(reader.wrong.take());
    Ok(answered)
}

/// Where the entries are; what is wrong with the index's answer is noted.
fn find<'a>(
    source: &'a Source,
    head: &Head,
    tree: &Tree<'_>,
    asked: &Asked,
    answered: &mut Answered,
    progress: Progress<'_>,
) -> Result<(Box<dyn Finder + 'a>, Vec<LeafIndex>), ExportError> {
    let size = head.size();
    if !asked.complete {
        let http = source.http().ok_or(ExportError::NoIndex)?;
        let finder = Box::new(Index::new(http, size, asked.most));
        return Ok((finder, named(source, asked, size, asked.most, answered)?));
    }
    let filters = std::slice::from_ref(&asked.filter);
    let mut scan = Scan::read(tree, head, filters, &mut |done| progress("scanned", done, size.get()))?;
    let all = scan.answers(filters)?;
    if source.http().is_some() {
        // A comparison needs the whole answer; without one everything was read all the same.
        match named(source, asked, size, usize::MAX, answered) {
            Ok(named) => compare(&all, &named, answered),
            Err(ExportError::Find(FindError::Records(error))) => answered.not_compared = Some(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    Ok((Box::new(scan), all))
}

/// What the index names; none, if what it says cannot be an answer.
fn named(
    source: &Source,
    asked: &Asked,
    size: TreeSize,
    most: usize,
    answered: &mut Answered,
) -> Result<Vec<LeafIndex>, ExportError> {
    let Some(http) = source.http() else { return Ok(Vec::new()) };
    match http.records(&asked.filter, size, most) {
        Ok((named, has_more)) => {
            answered.has_more = has_more;
            Ok(named)
        }
        Err(RecordsError::Wrong(why)) => {
            answered.wrong.push(why);
            Ok(Vec::new())
        }
        Err(error) => Err(FindError::Records(error).into()),
    }
}

/// Holds what the index says against what there is.
fn compare(all: &[LeafIndex], named: &[LeafIndex], answered: &mut Answered) {
    let (there, said): (BTreeSet<_>, BTreeSet<_>) = (all.iter().collect(), named.iter().collect());
    // An answer that is none at all held nothing back: it is wrong as it is.
    if answered.wrong.is_empty() {
        answered.held_back = there.difference(&said).map(|index| id(**index)).collect();
    }
    answered.wrong.extend(said.difference(&there).map(|index| not_asked_for(**index)));
}

fn not_asked_for(index: LeafIndex) -> String {
    format!("{}: the index names it, and it is not what is asked for", id(index))
}

/// The tightest bounds: the receipt is of the first size that covers the entry, the checkpoint of a later one.
fn hit(read: &Read) -> Hit {
    let own = read.entry.included().bracket;
    let upper_s = own.upper_s.into_iter().chain(read.upper_s()).min();
    Hit { entry: read.entry.clone(), bracket: Bracket { lower_s: own.lower_s, upper_s } }
}

fn id(index: LeafIndex) -> EntryId {
    EntryId { epoch: EPOCH, index }
}
