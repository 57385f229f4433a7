//! Where a chain begins: the entries that have what was named. Where many have it, those that it is, and the newest of those that only mention it.

use std::collections::BTreeSet;

use govlog_formats::merkle::TreeSize;
use govlog_formats::search::{Column, Filter, Term};

use crate::custody::{Custody, ExportError, FindError, Finder as _, Held, Scan, Spot, all_batches};
use crate::resolve::Sought;
use crate::source::{Head, Http, Tree};
use crate::trust::EPOCH;

/// Somewhere to look for entries.
pub(super) trait Place {
    /// Entries that may answer a filter, at most so many, in the log's order; whether there are more.
    fn ask(&mut self, filter: &Filter, most: usize) -> Result<(Vec<Spot>, bool), ExportError>;
}

/// What was found to begin with.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// Where it begins.
    pub(super) entries: BTreeSet<Spot>,
    /// By which terms.
    pub(super) by: Vec<Term>,
    /// Whether more entries have them.
    pub(super) has_more: bool,
}

/// The most entries to begin with, of each term.
const MOST: usize = 50;
/// The most ids to look at.
const MOST_IDS: usize = 1_000;
/// The kinds of which there are few: what a thing is, rather than what was done with it.
const THINGS: [&str; 13] = [
    "policy",
    "activation",
    "approval",
    "ownership",
    "agent",
    "registration",
    "attestation",
    "issuance",
    "signing-key",
    "revocation",
    "federation",
    "delegation",
    "finding",
];
/// How far back the newest are looked for, until there are few enough.
const BACK_MS: [u64; 5] = [30 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1_000];

/// Looks for what was named, so many entries at most; `at_ms`: when the newest entries were there, as far as is known.
pub(super) fn starts(place: &mut dyn Place, sought: &Sought, at_ms: u64, room: usize) -> Result<Starts, ExportError> {
    let mut starts = Starts::default();
    if let Some(id) = sought.entry {
        if id.epoch != EPOCH {
            return Ok(starts);
        }
        starts.entries.insert(id.index.into());
        return Ok(starts);
    }
    for terms in [&sought.terms, &sought.or_else] {
        let mut lists: Vec<Vec<Spot>> = Vec::new();
        for term in terms {
            let filter = Filter::default().with(term.clone());
            let (found, has_more) = place.ask(&filter, MOST_IDS)?;
            if found.is_empty() {
                continue;
            }
            starts.by.push(term.clone());
            if has_more || found.len() > MOST {
                starts.has_more = true;
                lists.extend(some(place, &filter, found, has_more, at_ms)?);
            } else {
                lists.push(found);
            }
        }
        let count = lists.iter().flatten().collect::<BTreeSet<_>>().len();
        starts.has_more |= count > room;
        starts.entries = in_turn(lists, room);
        if !starts.entries.is_empty() {
            break;
        }
    }
    Ok(starts)
}

/// So many at most, one of each list after the other, the newest first: none of many things that a name can be of hides the others.
fn in_turn(lists: Vec<Vec<Spot>>, room: usize) -> BTreeSet<Spot> {
    let mut taken = BTreeSet::new();
    let mut lists: Vec<_> = lists.into_iter().map(|list| list.into_iter().rev()).collect();
    while !lists.is_empty() && taken.len() < room {
        lists.retain_mut(|list| match list.next() {
            Some(_) if taken.len() == room => true,
            Some(spot) => {
                taken.insert(spot);
                true
            }
            None => false,
        });
    }
    taken
}

/// Some of many: the things of each kind, and the newest of the rest.
fn some(
    place: &mut dyn Place,
    filter: &Filter,
    mut newest: Vec<Spot>,
    mut has_more: bool,
    at_ms: u64,
) -> Result<Vec<Vec<Spot>>, ExportError> {
    let mut some = Vec::new();
    for of_kind in THINGS.iter().filter_map(|kind| of_kind(filter, kind)) {
        some.push(last(place.ask(&of_kind, MOST_IDS)?.0));
    }
    for back in BACK_MS.into_iter().filter(|back| *back < at_ms) {
        if !has_more {
            break;
        }
        let (later, more) = place.ask(&filter.clone().since(at_ms - back), MOST_IDS)?;
        if later.is_empty() {
            break;
        }
        (newest, has_more) = (later, more);
    }
    some.push(last(newest));
    Ok(some)
}

fn of_kind(filter: &Filter, kind: &str) -> Option<Filter> {
    Some(filter.clone().with(Term::new(Column::KIND, kind).ok()?))
}

fn last(found: Vec<Spot>) -> Vec<Spot> {
    let skipped = found.len().saturating_sub(MOST);
    found.into_iter().skip(skipped).collect()
}

/// A log's index.
pub(super) struct OfLog<'a> {
    pub(super) http: &'a Http,
    pub(super) at: TreeSize,
}

impl Place for OfLog<'_> {
    fn ask(&mut self, filter: &Filter, most: usize) -> Result<(Vec<Spot>, bool), ExportError> {
        let (found, is_cut) = self.http.records(filter, self.at, most).map_err(FindError::Records)?;
        Ok((found.into_iter().map(Spot::from).collect(), is_cut))
    }
}

/// All entries of a log, read once.
pub(super) struct OfScan(Scan);

impl OfScan {
    /// Reads them, for everything that can be asked of what is sought.
    pub(super) fn read(
        tree: &Tree<'_>,
        head: &Head,
        sought: &Sought,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, ExportError> {
        let terms = sought.terms.iter().chain(&sought.or_else);
        let filters: Vec<Filter> = terms.map(|term| Filter::default().with(term.clone())).collect();
        let of_kinds = filters.iter().flat_map(|filter| THINGS.iter().filter_map(|kind| of_kind(filter, kind)));
        let filters: Vec<Filter> = filters.iter().cloned().chain(of_kinds).chain([all_batches()]).collect();
        Ok(Self(Scan::read(tree, head, &filters, progress)?))
    }

    /// The entries, for whatever else is looked for among them.
    pub(super) fn into_inner(self) -> Scan {
        self.0
    }
}

impl Place for OfScan {
    fn ask(&mut self, filter: &Filter, _: usize) -> Result<(Vec<Spot>, bool), ExportError> {
        Ok((self.0.answers(std::slice::from_ref(filter))?.into_iter().map(Spot::from).collect(), false))
    }
}

/// The entries of a custody file.
pub(super) struct OfFile<'a>(pub(super) &'a Custody);

impl Place for OfFile<'_> {
    fn ask(&mut self, filter: &Filter, _: usize) -> Result<(Vec<Spot>, bool), ExportError> {
        let found = self.0.entries.iter().filter(|held| filter.matches_marks(&held.marks())).map(Held::spot);
        Ok((found.collect(), false))
    }
}
