//! What a manifest says of its file's members, held against them: what was asked for, and what answers it.
//!
//! Nothing here is expanded or counted beyond what [`Manifest::parse`] let in: the manifest is anybody's.

use std::collections::{BTreeMap, BTreeSet};

use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::search::{Filter, FilterError, Marks};

use super::contents::id;
use super::layout::Place;
use super::manifest::{Manifest, Query, starts};
use crate::trust::History;
use crate::verify::{Failure, VerifiedEntry};

/// Holds what is said to answer the query against the entries, by the search's rules as this program has them; gives where the matter starts.
pub(super) fn answers(
    manifest: &Manifest,
    verified: &BTreeMap<LeafIndex, (VerifiedEntry, bool)>,
    remarks: &mut Vec<String>,
) -> Result<BTreeSet<LeafIndex>, Failure> {
    let refuse = |why: String| Failure::refuted(format!("manifest.json: {why}"));
    let starts: BTreeSet<LeafIndex> =
        starts(&manifest.starts).map_err(|why| refuse(format!("starts: {why}")))?.into_iter().collect();
    if let Some(missing) = starts.iter().find(|index| !verified.contains_key(index)) {
        return Err(refuse(format!("{} is said to answer the query, and the file does not have it", id(*missing))));
    }
    let asked = asked(&manifest.query)?;
    let named: BTreeSet<&str> = manifest.query.entries.iter().map(String::as_str).collect();
    for (index, (entry, _)) in verified {
        let (id, is_start) = (id(*index), starts.contains(index));
        let matches = matches(&asked, &Marks::of(entry.statement()));
        if is_start && !matches && !named.contains(id.as_str()) {
            return Err(refuse(format!("{id} is said to answer the query, and does not")));
        }
        if matches && !is_start {
            remarks.push(format!("why {id} is not named among what answers the query: it does"));
        }
    }
    let is_there = |name: &&&str| starts.iter().any(|index| id(*index) == ***name);
    let missing: Vec<&str> = named.iter().filter(|name| !is_there(name)).copied().collect();
    match missing.first() {
        None => {}
        // An entry beyond the most that were taken.
        Some(_) if manifest.not_found.cut_at.is_some() => remarks.push(format!(
            "anything of {} entries that were asked for by their ids: the collector stopped before them",
            missing.len()
        )),
        Some(name) => {
            return Err(refuse(format!("{} was asked for, and is not among what answers", name.escape_debug())));
        }
    }
    Ok(starts)
}

/// Holds the enclosed entries of the admission policy against what is known of it, with what they themselves taught: all below the checkpoint, no other.
pub(super) fn changes(history: &History, size: TreeSize, enclosed: &BTreeSet<LeafIndex>) -> Result<(), Failure> {
    let known = history.entries().iter().map(|change| change.index).filter(|index| size.covers(*index)).collect();
    let refuse = |index: &LeafIndex, why: &str| Failure::refuted(format!("{}: {why}", Place::Change(*index).name()));
    if let Some(other) = enclosed.difference(&known).next() {
        return Err(refuse(other, "no entry that the log's admission policy is made of"));
    }
    match known.difference(enclosed).next() {
        Some(missing) => {
            Err(refuse(missing, "missing: the log's admission policy is made of it, below the checkpoint"))
        }
        None => Ok(()),
    }
}

/// The query's parameters: an entry must pass one filter of each.
type Asked = Vec<Vec<Filter>>;

fn asked(query: &Query) -> Result<Asked, Failure> {
    let one = |name: &str, value: &str| {
        Filter::from_pairs([(name, value)]).map_err(|error| {
            let why = format!("manifest.json: query: {error}");
            match error {
                FilterError::Parameter { .. } => Failure::unknown(why),
                _ => Failure::refuted(why),
            }
        })
    };
    let of = |(name, values): (&String, &Vec<String>)| values.iter().map(|value| one(name, value)).collect();
    query.search.iter().map(of).collect()
}

fn matches(asked: &Asked, marks: &Marks) -> bool {
    let is_met = |values: &Vec<Filter>| values.iter().any(|filter| filter.matches_marks(marks));
    !asked.is_empty() && asked.iter().all(is_met)
}
