//! What a manifest says of its file's members, held against them: what was asked for, and what answers it.
//!
//! Nothing here is expanded or counted beyond what [`Manifest::parse`] let in: the manifest is anybody's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::search::{Filter, FilterError, Marks};
use govlog_formats::visible::visible;

use super::super::file::{Manifest, Place, Query, id, starts};
use super::super::find::Members;
use super::super::relations::Spot;
use crate::trust::History;
use crate::verify::{Failure, VerifiedEntry};

/// Holds what is said to answer the query against the entries, by the search's rules as this program has them; gives where the matter starts.
pub(super) fn answers(
    manifest: &Manifest,
    verified: &BTreeMap<LeafIndex, (Arc<VerifiedEntry>, bool)>,
    members: &Members,
    remarks: &mut Vec<String>,
) -> Result<BTreeSet<Spot>, Failure> {
    let refuse = |why: String| Failure::refuted(format!("manifest.json: {why}"));
    let starts: BTreeSet<Spot> =
        starts(&manifest.starts).map_err(|why| refuse(format!("starts: {why}")))?.into_iter().collect();
    let is_here = |spot: &Spot| match spot.member {
        None => verified.contains_key(&spot.index),
        Some(_) => members.contains_key(spot),
    };
    if let Some(missing) = starts.iter().find(|spot| !is_here(spot)) {
        return Err(refuse(format!("{} is said to answer the query, and the file does not have it", id(*missing))));
    }
    let asked = asked(&manifest.query)?;
    let named: BTreeSet<&str> = manifest.query.entries.iter().map(String::as_str).collect();
    let entries = verified.iter().map(|(index, (entry, _))| (Spot::from(*index), Marks::of(entry.statement())));
    let members = members.iter().filter_map(|(spot, proof)| {
        let (batch, _) = verified.get(&spot.index)?;
        Some((*spot, Marks::of_member(batch.statement(), &proof.record)))
    });
    for (spot, marks) in entries.chain(members) {
        let (id, is_start) = (id(spot), starts.contains(&spot));
        let matches = matches(&asked, &marks);
        if is_start && !matches && !named.contains(id.as_str()) {
            return Err(refuse(format!("{id} is said to answer the query, and does not")));
        }
        if matches && !is_start {
            remarks.push(format!("why {id} is not named among what answers the query: it does"));
        }
    }
    let there: BTreeSet<String> = starts.iter().map(|spot| id(*spot)).collect();
    let missing: Vec<&str> = named.iter().filter(|name| !there.contains(**name)).copied().collect();
    let refused: BTreeSet<&str> = manifest.not_found.refused.iter().map(String::as_str).collect();
    if let Some(here) = verified.keys().map(|index| id(*index)).find(|here| refused.contains(here.as_str())) {
        return Err(refuse(format!("{here} is said not to verify, and is here")));
    }
    // A member goes with its batch.
    let is_refused = |name: &str| refused.contains(name.split('#').next().unwrap_or(name));
    match missing.first() {
        None => {}
        // An entry beyond the most that were taken.
        Some(_) if manifest.not_found.cut_at.is_some() => remarks.push(format!(
            "anything of {} entries that were asked for by their ids: the collector stopped before them",
            missing.len()
        )),
        Some(_) if missing.iter().all(|name| is_refused(name)) => {}
        Some(name) => {
            return Err(refuse(format!("{} was asked for, and is not among what answers", visible(name))));
        }
    }
    Ok(starts)
}

/// Holds the enclosed entries of the admission policy against what is known of it, with what they themselves taught: no other, and without a gap.
///
/// Whoever collected the file may have known less of it than its reader does. That says nothing against the file: each of its entries is judged by
/// what its reader knows. Gives how many entries of the policy below the checkpoint follow those that are enclosed.
pub(super) fn changes(history: &History, size: TreeSize, enclosed: &BTreeSet<LeafIndex>) -> Result<usize, Failure> {
    let known: BTreeSet<LeafIndex> =
        history.entries().iter().map(|change| change.index).filter(|index| size.covers(*index)).collect();
    let refuse = |index: &LeafIndex, why: &str| Failure::refuted(format!("{}: {why}", Place::Change(*index).name()));
    if let Some(other) = enclosed.difference(&known).next() {
        return Err(refuse(other, "no entry that the log's admission policy is made of"));
    }
    let newest = enclosed.last().copied().unwrap_or_default();
    let (before, after): (Vec<_>, Vec<_>) = known.difference(enclosed).partition(|index| **index <= newest);
    match before.first() {
        Some(missing) => {
            Err(refuse(missing, "missing: the log's admission policy is made of it, as of others that are enclosed"))
        }
        None => Ok(after.len()),
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
