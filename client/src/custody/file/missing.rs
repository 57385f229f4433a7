//! What was looked for and is not among a file's entries: whoever makes the file and whoever judges it find it by the same rules, from the
//! entries alone, so that nobody has to be believed.

use std::collections::BTreeMap;

use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, leaf_hash};
use govlog_formats::record::Record;
use govlog_formats::statement::SignedStatement;

use super::super::find::Members;
use super::super::matter::{DeadLink, Role, Survey};
use super::super::relations::{Node, REVOCABLE, Spot};
use super::contents::id;
use super::manifest::{BatchesSeen, Link, NotFound, Sealed, Unopened};
use crate::openings::{self, Openings, State};

/// What a collector says that nothing here shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::custody) struct Claimed {
    /// How many entries were taken at most, where there were more.
    pub(in crate::custody) cut_at: Option<u64>,
    /// How far batches were looked into.
    pub(in crate::custody) batches: BatchesSeen,
    /// Entries that did not verify.
    pub(in crate::custody) refused: Vec<String>,
}

/// Puts entries and members together, and finds what follows from them and from where the matter starts.
pub(in crate::custody) fn survey<'s>(
    statements: &BTreeMap<LeafIndex, SignedStatement>,
    members: &Members,
    starts: impl IntoIterator<Item = &'s Spot>,
) -> Survey {
    let entries = statements.iter().map(|(index, statement)| Node::new(*index, statement));
    let members = members.iter().filter_map(|(spot, proof)| {
        let batch = statements.get(&spot.index)?;
        Some(Node::of_member(*spot, batch, &proof.record))
    });
    Survey::of(entries.chain(members).collect(), starts)
}

/// Finds it; what only its maker can know stays its maker's word.
pub(in crate::custody) fn not_found(
    statements: &BTreeMap<LeafIndex, SignedStatement>,
    members: &Members,
    survey: &Survey,
    disclosed: &BTreeMap<Digest, Openings>,
    claimed: Claimed,
) -> NotFound {
    let can_be = |index: LeafIndex, statement: &SignedStatement| {
        REVOCABLE.contains(&statement.kind()) && survey.roles.get(&index.into()) > Some(&Role::Word)
    };
    let is_revoked = |index: LeafIndex| survey.revoked.contains(&index.into());
    let unrevoked = statements.iter().filter(|(index, statement)| can_be(**index, statement) && !is_revoked(**index));
    let records = statements.iter().map(|(index, statement)| {
        let record = Record::parse(statement.kind(), statement.payload()).is_ok().then_some(statement.payload());
        (Spot::from(*index), statement.leaf_hash(), record)
    });
    let members_records = members.iter().map(|(spot, proof)| {
        let record = proof.record.as_slice();
        (*spot, leaf_hash(record), Some(record))
    });
    let mut records: Vec<_> = records.chain(members_records).collect();
    records.sort_by_key(|(spot, ..)| *spot);
    NotFound {
        links: survey.dead.iter().map(link).collect(),
        revocations: unrevoked.map(|(index, _)| id(*index)).collect(),
        sealed: records
            .iter()
            .filter_map(|(spot, leaf, record)| sealed(*spot, (*record)?, disclosed.get(leaf)))
            .collect(),
        members: statements.iter().filter_map(|(index, statement)| unopened(*index, statement, members)).collect(),
        batches: claimed.batches,
        cut_at: claimed.cut_at,
        refused: claimed.refused,
    }
}

fn link(dead: &DeadLink) -> Link {
    Link { entry: id(dead.from), rel: dead.rel.clone(), target: dead.to.clone() }
}

/// The values of a record that are sealed and stay so.
fn sealed(spot: Spot, record: &[u8], disclosed: Option<&Openings>) -> Option<Sealed> {
    let openings = disclosed.map_or(&[][..], |openings| &openings.fields);
    let fields = openings::open(record, openings).ok()?.fields;
    let closed = fields.into_iter().filter(|field| field.state == State::Closed).map(|field| field.path);
    let paths: Vec<String> = closed.collect();
    (!paths.is_empty()).then(|| Sealed { entry: id(spot), paths })
}

/// The members of a batch that are not here.
fn unopened(index: LeafIndex, statement: &SignedStatement, members: &Members) -> Option<Unopened> {
    if statement.is_hash_envelope() {
        return None;
    }
    let Ok(Record::DecisionBatch(batch)) = Record::parse(statement.kind(), statement.payload()) else { return None };
    let (first, last) = (LeafIndex::new(0), LeafIndex::new(u64::MAX));
    let here = members.range(Spot::of_member(index, first)..=Spot::of_member(index, last));
    let (count, opened) = (batch.count().present(), here.count() as u64);
    (count != Some(opened)).then(|| Unopened { entry: id(index), members: count, opened })
}
