//! From relations to a forest: each entry stands once, below the one it rests on most directly, so that who answers for it is at the top and
//! what came of it at the bottom.
//!
//! Whatever else an entry rests on is told beside it. A log's relations can go in circles and be thousands long; neither makes this long.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::custody::{Class, Custody, Edge, Held, Role, Spot, class};

/// The forest of a matter.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    /// The entries, with why each belongs here.
    pub(super) entries: BTreeMap<Spot, (&'a Held, Role)>,
    /// Every relation between them.
    pub(super) edges: Vec<&'a Edge>,
    /// The entries that rest on none, in the order they are drawn.
    pub(super) roots: Vec<Spot>,
    /// What is drawn below an entry, and by which relation.
    below: BTreeMap<Spot, Vec<(Spot, &'a str)>>,
    /// The entry that each is drawn below.
    above: BTreeMap<Spot, Spot>,
}

/// By which relation an entry is drawn below another: the first of these that it has. Who asked comes before by which credential.
const ORDER: [&str; 22] = [
    "enforces",
    "caused_by",
    "on_behalf_of",
    "derived_from",
    "authenticated_by",
    "registered_as",
    "owned_by",
    "authorised_by",
    "acted_as",
    "attested_by",
    "governed_by",
    "signed_by",
    "anchored_in",
    "member_of",
    "revokes",
    "bears_on",
    "redacts",
    "ends",
    "about",
    "supersedes",
    "observes",
    "external_log",
];
/// Kinds in which people speak: trees that begin with them come first.
const PEOPLE: [&str; 4] = ["ownership", "delegation", "approval", "agent"];
/// Deeper ones begin a tree of their own: no terminal is wide enough.
const DEEPEST: usize = 24;

impl<'a> Chain<'a> {
    /// Takes these entries of a matter. `roles`: why each belongs to it; others are left out.
    pub(super) fn new(custody: &'a Custody, roles: &BTreeMap<Spot, Role>) -> Self {
        let with_role = |held: &'a Held| {
            let index = held.spot();
            roles.get(&index).map(|role| (index, (held, *role)))
        };
        let entries: BTreeMap<Spot, (&Held, Role)> = custody.entries.iter().filter_map(with_role).collect();
        let is_here = |edge: &&Edge| entries.contains_key(&edge.from) && entries.contains_key(&edge.to);
        let edges: Vec<&Edge> = custody.edges.iter().filter(is_here).collect();
        let mut above = without_circles(parents(&edges));
        let below = cut(&entries, &mut above);
        let mut chain = Self {
            roots: Vec::new(),
            below,
            above: above.into_iter().map(|(k, (to, _))| (k, to)).collect(),
            entries,
            edges,
        };
        chain.roots = chain.sorted_roots();
        chain
    }

    /// What is drawn below an entry, in the log's order: words about it first.
    pub(super) fn below(&self, index: Spot) -> &[(Spot, &'a str)] {
        self.below.get(&index).map_or(&[], Vec::as_slice)
    }

    /// The entry that one is drawn below.
    pub(super) fn above(&self, index: Spot) -> Option<Spot> {
        self.above.get(&index).copied()
    }

    /// What an entry names besides the one that it is drawn below.
    pub(super) fn also(&self, index: Spot) -> impl Iterator<Item = &&'a Edge> {
        let above = self.above.get(&index).copied();
        self.edges.iter().filter(move |edge| edge.from == index && Some(edge.to) != above)
    }

    /// The trees with what was asked for first, and among them those that begin with people.
    fn sorted_roots(&self) -> Vec<Spot> {
        let mut with_starts = BTreeSet::new();
        for (start, _) in self.entries.iter().filter(|(_, (_, role))| *role == Role::Start) {
            let mut at = *start;
            while with_starts.insert(at) {
                let Some(above) = self.above.get(&at) else { break };
                at = *above;
            }
        }
        let mut roots: Vec<Spot> =
            self.entries.keys().filter(|index| !self.above.contains_key(index)).copied().collect();
        let kind = |index: &Spot| self.entries.get(index).map(|(held, _)| held.kind());
        let of_people = |index: &Spot| kind(index).and_then(|kind| PEOPLE.iter().position(|known| *known == kind));
        roots.sort_by_key(|root| (!with_starts.contains(root), of_people(root).unwrap_or(PEOPLE.len()), *root));
        roots
    }
}

/// The best relation of each entry to another: to which, and by what.
fn parents<'a>(edges: &[&'a Edge]) -> BTreeMap<Spot, (Spot, &'a str)> {
    let is_word = |edge: &Edge| matches!(class(&edge.rel), Class::About | Class::Newer | Class::Seen);
    // What rests on an approval is not what the approval rests on, though it speaks of it.
    let rests_on: BTreeSet<(Spot, Spot)> =
        edges.iter().filter(|edge| !is_word(edge)).map(|edge| (edge.from, edge.to)).collect();
    let rank = |edge: &Edge| (ORDER.iter().position(|rel| *rel == edge.rel).unwrap_or(ORDER.len()), edge.to);
    let mut best: BTreeMap<Spot, &'a Edge> = BTreeMap::new();
    for edge in edges.iter().filter(|edge| !(is_word(edge) && rests_on.contains(&(edge.to, edge.from)))) {
        let known = best.entry(edge.from).or_insert(edge);
        if rank(edge) < rank(known) {
            *known = edge;
        }
    }
    best.into_iter().map(|(from, edge)| (from, (edge.to, edge.rel.as_str()))).collect()
}

/// Where going up comes back to where it began, the entry that was logged first is a root.
fn without_circles(mut above: BTreeMap<Spot, (Spot, &str)>) -> BTreeMap<Spot, (Spot, &str)> {
    let mut done = BTreeSet::new();
    for start in above.keys().copied().collect::<Vec<_>>() {
        let (mut path, mut at) = (BTreeSet::new(), start);
        while !done.contains(&at) && path.insert(at) {
            let Some((next, _)) = above.get(&at) else { break };
            at = *next;
        }
        if path.contains(&at) && !done.contains(&at) && above.contains_key(&at) {
            // `at` is on the circle, which is walked once more for its first entry.
            let (mut first, mut here) = (at, at);
            while let Some((next, _)) = above.get(&here) {
                here = *next;
                first = first.min(here);
                if here == at {
                    break;
                }
            }
            above.remove(&first);
        }
        done.extend(path);
    }
    above
}

/// What stands below what; what would stand too deep is taken from there and becomes a root.
fn cut<'a>(
    entries: &BTreeMap<Spot, (&Held, Role)>,
    above: &mut BTreeMap<Spot, (Spot, &'a str)>,
) -> BTreeMap<Spot, Vec<(Spot, &'a str)>> {
    let mut below: BTreeMap<Spot, Vec<(Spot, &str)>> = BTreeMap::new();
    for (index, (to, rel)) in above.iter() {
        below.entry(*to).or_default().push((*index, *rel));
    }
    for children in below.values_mut() {
        children.sort_by_key(|(index, rel)| (class(rel) != Class::About, *index));
    }
    let roots = entries.keys().filter(|index| !above.contains_key(index));
    let mut open: VecDeque<(Spot, usize)> = roots.map(|index| (*index, 0)).collect();
    while let Some((index, depth)) = open.pop_front() {
        let Some(children) = below.get(&index) else { continue };
        if depth < DEEPEST {
            open.extend(children.iter().map(|(child, _)| (*child, depth + 1)));
            continue;
        }
        for (child, _) in below.remove(&index).unwrap_or_default() {
            above.remove(&child);
            open.push_back((child, 0));
        }
    }
    below
}
