//! What was looked for and is not among a file's entries: whoever makes the file and whoever judges it find it by the same rules, from the
//! entries alone, so that nobody has to be believed.

use std::collections::{BTreeMap, BTreeSet};

use govlog_formats::digest::Digest;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::record::Record;
use govlog_formats::statement::SignedStatement;

use super::closure::{Edge, Role, Shelf, close};
use super::contents::id;
use super::manifest::{Link, NotFound, Sealed};
use super::relations::{Node, REVOCABLE, is_revoking};
use crate::openings::{self, Openings, State};

/// Finds it; how many entries were taken at most stays its maker's word.
pub(super) fn not_found<'s>(
    statements: &BTreeMap<LeafIndex, SignedStatement>,
    starts: impl IntoIterator<Item = &'s LeafIndex>,
    disclosed: &BTreeMap<Digest, Openings>,
    cut_at: Option<u64>,
) -> NotFound {
    let mut shelf = Shelf::default();
    statements.iter().for_each(|(index, statement)| shelf.add(Node::new(*index, statement)));
    let starts: Vec<_> = starts.into_iter().filter_map(|index| shelf.get(*index).cloned()).collect();
    let Ok(closure) = close(&mut shelf, starts, usize::MAX);
    let roles: BTreeMap<LeafIndex, Role> =
        closure.reached.into_iter().map(|(index, (_, role))| (index, role)).collect();
    let (edges, dead) = shelf.survey(&roles);
    let is_revoking = |edge: &&Edge| shelf.get(edge.from).is_some_and(|from| is_revoking(&edge.rel, &from.kind));
    let revoked: BTreeSet<LeafIndex> = edges.iter().filter(is_revoking).map(|edge| edge.to).collect();
    let can_be = |index: &LeafIndex, statement: &SignedStatement| {
        REVOCABLE.contains(&statement.kind()) && roles.get(index) > Some(&Role::Word)
    };
    let unrevoked = statements.iter().filter(|(index, statement)| can_be(index, statement) && !revoked.contains(index));
    NotFound {
        links: dead.into_iter().map(|dead| Link { entry: id(dead.from), rel: dead.rel, target: dead.to }).collect(),
        revocations: unrevoked.map(|(index, _)| id(*index)).collect(),
        sealed: statements.iter().filter_map(|(index, statement)| sealed(*index, statement, disclosed)).collect(),
        cut_at,
    }
}

/// The values of an entry that are sealed and stay so.
fn sealed(index: LeafIndex, statement: &SignedStatement, disclosed: &BTreeMap<Digest, Openings>) -> Option<Sealed> {
    Record::parse(statement.kind(), statement.payload()).ok()?;
    let openings = disclosed.get(&statement.leaf_hash()).map_or(&[][..], |openings| &openings.fields);
    let fields = openings::open(statement.payload(), openings).ok()?.fields;
    let closed = fields.into_iter().filter(|field| field.state == State::Closed).map(|field| field.path);
    let paths: Vec<String> = closed.collect();
    (!paths.is_empty()).then(|| Sealed { entry: id(index), paths })
}
