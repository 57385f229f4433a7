//! Everything that hangs together with one thing in hand, found and verified: the chain that is drawn.

use std::collections::BTreeMap;

use govlog_formats::merkle::TreeSize;
use govlog_formats::record::{Record, Recorded};
use govlog_formats::search::{Column, Filter, Term};
use serde_json::{Value, json};

use super::chain::Chain;
use super::entry;
use super::fresh::{Beats, Fresh};
use super::missing::{self, Missing};
use super::starts::{OfFile, OfLog, OfScan, Starts, starts};
use crate::custody::{
    Custody, ExportError, Held, Index, MAX_ENTRIES, Plan, Progress, Query, Reader, Role, Shelf, Spot, StreamSeen,
    close, export_under, head, wrong_lines,
};
use crate::resolve::Sought;
use crate::source::{Head, Http, Source, Tree};
use crate::trust::Trust;
use crate::verify::{Failure, Outcome};

/// What is wanted, and how.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// What was named.
    pub sought: &'a Sought,
    /// The size of the checkpoint; without one, the newest.
    pub at: Option<TreeSize>,
    /// The most entries to draw.
    pub most: usize,
    /// Read every entry, instead of asking the index.
    pub complete: bool,
}

/// A chain that was found.
#[derive(Debug)]
pub struct Shown {
    /// What was named, and what it was taken for.
    pub(super) asked: String,
    /// The terms by which entries were found that have it.
    pub(super) by: Vec<Term>,
    /// Whether more entries have it than the chain begins with.
    pub(super) has_more: bool,
    /// The entries, verified.
    pub(super) custody: Custody,
    /// Why each belongs to the chain.
    pub(super) roles: BTreeMap<Spot, Role>,
    /// How often its streams speak.
    pub(super) beats: Beats,
    /// Whether it comes from a log, which goes on, and not from a file, which stands still.
    pub(super) is_live: bool,
    /// What is wrong with the log, and entries that do not verify and were left out; each with why.
    pub(super) wrong: Vec<String>,
    /// How looking for it ended, the worst first.
    pub outcome: Outcome,
}

/// Why there is no chain to draw.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShowError {
    /// The log cannot be read, or shows what does not verify.
    #[error(transparent)]
    Export(#[from] Box<ExportError>),
    /// The entries do not verify as a whole.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The log's index names what was not asked for.
    #[error("{id}: the log's index names it, and it has nothing of what is asked for{}", wrong_lines(wrong))]
    Wrong {
        /// Which entry it names.
        id: String,
        /// What is wrong besides.
        wrong: Vec<String>,
    },
}

/// Finds what was named in a log, and everything that hangs together with it. `None`: nothing has it.
///
/// # Errors
///
/// The log cannot be read, or shows what does not verify.
pub fn show(
    source: &Source,
    trust: &Trust,
    wanted: &Wanted<'_>,
    progress: Progress<'_>,
) -> Result<Option<Shown>, ShowError> {
    let head = head(source, trust, wanted.at)?;
    let tree = Tree::new(source, head.size());
    let at_ms = head.verified().lower_time().unwrap_or_else(crate::time::now_s).saturating_mul(1000);
    // The other half is for what all of these hang together with.
    let room = (wanted.most.min(MAX_ENTRIES) / 2).max(1);
    // A folder has no index.
    let (found, scan) = match source.http().filter(|_| !wanted.complete) {
        Some(http) => (starts(&mut OfLog { http, at: head.size() }, wanted.sought, at_ms, room)?, None),
        None => {
            let scanned = &mut |done| progress("scanned", done, head.size().get());
            let mut scan = OfScan::read(&tree, &head, wanted.sought, scanned)?;
            (starts(&mut scan, wanted.sought, at_ms, room)?, Some(scan.into_inner()))
        }
    };
    if found.entries.is_empty() {
        return Ok(None);
    }
    let entries = found.entries.iter().map(|spot| missing::id(*spot)).collect();
    let query = Query { search: BTreeMap::new(), entries };
    let plan = Plan { at: Some(head.size()), complete: scan.is_some(), ..Plan::of(query, wanted.most) };
    let is_scanned = plan.complete;
    let Some(made) = export_under(source, trust, &plan, &head, scan, progress)? else { return Ok(None) };
    let outcome = made.outcome();
    let wrong: Vec<String> = made.wrong.iter().map(|why| format!("WRONG  {why}")).chain(made.left_out()).collect();
    let custody = made.verdict.result.map_err(|failure| with_wrong(failure, outcome, &wrong))?;
    let mut shown = Shown { wrong, outcome, ..Shown::new(asked(wanted.sought), found, custody, true) };
    if let Err(id) = shown.only_what_was_asked_for(wanted.sought) {
        return Err(ShowError::Wrong { id, wrong: made.wrong });
    }
    // Whoever reads everything asks no index: how often streams speak is not known then.
    if !is_scanned {
        let (beats, more) = beats(source, trust, &head, &tree, &shown.custody.streams);
        shown.beats = beats.map_err(|error| error.with([made.wrong, more.clone()].concat()))?;
        shown.add_wrong(more);
    }
    Ok(Some(shown))
}

/// Draws what a verified custody file holds: all of it, or what hangs together with what was named. `None`: nothing in it has that.
///
/// # Errors
///
/// None that are known.
pub fn in_file(custody: Custody, sought: Option<&Sought>) -> Result<Option<Shown>, ShowError> {
    let Some(sought) = sought else {
        let asked = format!("custody file with the manifest {}", custody.manifest_digest);
        return Ok(Some(Shown::new(asked, Starts::default(), custody, false)));
    };
    let found = starts(&mut OfFile(&custody), sought, u64::MAX, usize::MAX)?;
    let mut shelf: Shelf = custody.entries.iter().map(Held::node).collect();
    let nodes: Vec<_> = found.entries.iter().filter_map(|spot| shelf.get(*spot).cloned()).collect();
    if nodes.is_empty() {
        return Ok(None);
    }
    let Ok(closure) = close(&mut shelf, nodes, custody.entries.len());
    let mut shown = Shown::new(asked(sought), found, custody, false);
    shown.roles = closure.roles();
    Ok(Some(shown))
}

/// Nothing is drawn of what does not verify as a whole: what is wrong besides is said with why.
fn with_wrong(failure: Failure, outcome: Outcome, wrong: &[String]) -> Failure {
    let why = [failure.why].iter().chain(wrong).cloned().collect::<Vec<_>>().join("; ");
    Failure { outcome, why }
}

fn asked(sought: &Sought) -> String {
    format!("{}, taken for {}", sought.name, sought.taken_for)
}

impl From<ExportError> for ShowError {
    fn from(error: ExportError) -> Self {
        Self::Export(Box::new(error))
    }
}

impl Shown {
    fn new(asked: String, found: Starts, custody: Custody, is_live: bool) -> Self {
        let of = |held: &Held| Some((held.spot(), held.role?));
        Self {
            asked,
            by: found.by,
            has_more: found.has_more,
            roles: custody.entries.iter().filter_map(of).collect(),
            custody,
            beats: Beats::new(),
            is_live,
            wrong: Vec::new(),
            outcome: Outcome::Verified,
        }
    }

    /// Adds what turned out to be wrong later on; the same entry may have been read before.
    fn add_wrong(&mut self, more: Vec<String>) {
        for line in more.into_iter().map(|why| format!("WRONG  {why}")) {
            self.outcome = Outcome::Refuted;
            if !self.wrong.contains(&line) {
                self.wrong.push(line);
            }
        }
    }

    /// Whatever the index named to begin with has what was asked for; or else the entry that has not.
    fn only_what_was_asked_for(&self, sought: &Sought) -> Result<(), String> {
        let filters: Vec<Filter> =
            sought.terms.iter().chain(&sought.or_else).map(|term| Filter::default().with(term.clone())).collect();
        let is_start = |spot: &Spot| self.roles.get(spot) == Some(&Role::Start);
        for held in self.custody.entries.iter().filter(|held| is_start(&held.spot())) {
            let is_it = sought.entry == Some(held.entry.id())
                || filters.iter().any(|filter| filter.matches(held.entry.statement()));
            if !is_it {
                return Err(held.entry.id().to_string());
            }
        }
        Ok(())
    }

    /// What the absence of an entry rests on.
    pub(super) fn absence(&self) -> String {
        match self.custody.manifest.not_found.cut_at {
            // However it was looked for, it may be among what was left out.
            Some(most) => format!("not looked for to the end: cut at {most} entries"),
            None => missing::checked(&self.custody.manifest.completeness, self.is_live),
        }
    }

    pub(super) fn chain(&self) -> Chain<'_> {
        Chain::new(&self.custody, &self.roles)
    }

    /// The streams that the chain's entries stand in; `now_s`: the reader's clock.
    pub(super) fn streams(&self, now_s: u64) -> Vec<Fresh<'_>> {
        let at_s = if self.is_live { now_s } else { self.custody.checkpoint.time_s.unwrap_or(now_s) };
        let is_here = |stream: &&StreamSeen| {
            self.custody.entries.iter().any(|held| {
                let claims = held.entry.statement().claims();
                self.roles.contains_key(&held.spot())
                    && claims.iss == stream.issuer
                    && claims.stream.as_ref().is_some_and(|position| position.stream == stream.stream)
            })
        };
        let streams = self.custody.streams.iter().filter(is_here);
        streams.map(|stream| Fresh::new(stream, &self.beats, at_s)).collect()
    }

    /// Writes it for programs; `now_s` is the reader's clock.
    #[must_use]
    pub fn json(&self, now_s: u64) -> Value {
        let (chain, head) = (self.chain(), &self.custody.checkpoint);
        let entries = chain.entries.iter().map(|(index, (held, role))| {
            let mut document = entry::held_json(held);
            if let Some(document) = document.as_object_mut() {
                document.insert("role".to_owned(), role.word().into());
                document.insert("below".to_owned(), chain.above(*index).map(missing::id).into());
            }
            document
        });
        let edge = |edge: &&crate::custody::Edge| {
            json!({
                "from": missing::id(edge.from), "rel": edge.rel, "to": missing::id(edge.to), "by": edge.by,
                "through": edge.through.map(missing::id),
            })
        };
        json!({
            "asked": self.asked,
            "found_by": self.by.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "has_more": self.has_more,
            "size": head.size.get(),
            "root": head.root.to_string(),
            "checkpoint_age_s": head.time_s.map(|at| now_s.saturating_sub(at)),
            "completeness": self.custody.manifest.completeness,
            "absent_entries": self.absence(),
            "entries": entries.collect::<Vec<_>>(),
            "edges": chain.edges.iter().map(edge).collect::<Vec<_>>(),
            "wrong": self.wrong,
            "missing": Missing::new(&self.custody, &chain).json(),
            "streams": self.streams(now_s).iter().map(Fresh::json).collect::<Vec<_>>(),
        })
    }
}

/// The most streams whose pace is looked for.
const MOST_STREAMS: usize = 20;
/// Where the word before the last one is looked for.
const AROUND_MS: u64 = 3 * 3_600_000;

/// How often streams speak: the time between their last two words. And what was wrong with what was read for it.
fn beats(
    source: &Source,
    trust: &Trust,
    head: &Head,
    tree: &Tree<'_>,
    streams: &[StreamSeen],
) -> (Result<Beats, ExportError>, Vec<String>) {
    let Some(http) = source.http() else { return (Ok(Beats::new()), Vec::new()) };
    let mut reader = Reader::new(source, trust, head, tree, Box::new(Index::new(http, head.size(), MOST_STREAMS)));
    let beats = read_beats(&mut reader, http, streams);
    (beats, reader.wrong.take())
}

fn read_beats(reader: &mut Reader<'_>, http: &Http, streams: &[StreamSeen]) -> Result<Beats, ExportError> {
    let mut beats = Beats::new();
    for stream in streams.iter().take(MOST_STREAMS) {
        let Some(last) = &stream.last_word else { continue };
        let pairs = [(Column::KIND, "stream"), (Column::ISSUER, &stream.issuer), (Column::STREAM, &stream.stream)];
        let terms = pairs.iter().filter_map(|(column, text)| Term::new(*column, text).ok());
        let filter = terms.fold(Filter::default(), Filter::with);
        let filter = filter.since(last.event_ms.saturating_sub(AROUND_MS)).until(last.event_ms);
        let (named, _) =
            http.records(&filter, reader.head.size(), usize::MAX).map_err(|error| ExportError::Find(error.into()))?;
        let mut times = Vec::new();
        for index in named.into_iter().rev().take(2) {
            // What cannot be judged here is not worth failing for: the pace is not known then.
            let Ok(read) = reader.read(index) else { break };
            let record = Record::parse(read.statement.kind(), read.statement.payload()).ok();
            let time = record.and_then(|record| match record.body()?.event_ms() {
                Recorded::Present(time) if filter.matches(&read.statement) => Some(time),
                _ => None,
            });
            times.extend(time);
        }
        if let [last, before] = times[..]
            && last > before
        {
            beats.insert((stream.issuer.clone(), stream.stream.clone()), (last - before).div_ceil(1000));
        }
    }
    Ok(beats)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_verify_as_a_whole_hides_nothing_that_is_wrong_besides() {
        let wrong = ["WRONG  1.7: its receipt lies".to_owned()];
        let failure = with_wrong(Failure::unknown("a key is missing"), Outcome::Refuted, &wrong);
        assert_eq!(failure, Failure::refuted("a key is missing; WRONG  1.7: its receipt lies"));
        assert_eq!(with_wrong(Failure::unknown("x"), Outcome::CannotEvaluate, &[]), Failure::unknown("x"));
    }
}
