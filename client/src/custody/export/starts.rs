//! What a matter begins with: what was named, and what answers the query, each read and judged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use govlog_formats::digest::Digest;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::search::{Filter, Marks};

use super::super::file::Query;
use super::super::find::of_batches;
use super::super::relations::{Node, Spot};
use super::error::ExportError;
use super::plan::{Plan, Progress};
use super::reader::{AT_ONCE, Reader};

/// What a matter begins with, by where it stands.
pub(super) type Starts = BTreeMap<Spot, Arc<Node>>;

/// What was named, and of what answers the query as much as there is room for, in the log's order; and whether there is more.
pub(super) fn starts(
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
