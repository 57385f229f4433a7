//! What the drawing shows: the entries of the matter and the people that they name, few enough for one look.
//!
//! A matter of thousands has few kinds. Where there are too many of one, they stand together in one box.

use std::collections::{BTreeMap, BTreeSet};

use govlog_formats::record::{Body, KINDS, Record, Recorded};

use super::super::super::matter::Role;
use super::super::super::relations::{Class, Spot, class};
use super::super::matter::{Matter, Told};

/// About how many boxes one look takes in.
const MAX_BOXES: usize = 36;
/// The most boxes of people.
const MAX_PEOPLE: usize = 8;

/// What is drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) links: Vec<Link>,
    /// How many relations are left out because they would lead back up.
    pub(super) circles: usize,
}

/// One box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// An entry.
    Entry(Spot),
    /// Several entries of one kind.
    Stack { kind: String, members: BTreeSet<Spot> },
    /// Somebody whom entries name, and as what.
    Person { name: String, parts: BTreeSet<&'static str> },
    /// Too many of them.
    People(usize),
}

/// A line from what something rests on to what rests on it, or from something to a word about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) is_word: bool,
}

impl Graph {
    pub(super) fn new(matter: &Matter<'_>) -> Self {
        let mut graph = Self::default();
        let places = graph.entries(matter);
        let mut links: BTreeMap<(usize, usize), bool> = BTreeMap::new();
        for edge in &matter.custody.edges {
            let (Some(from), Some(to)) = (places.get(&edge.from), places.get(&edge.to)) else { continue };
            let is_word = match class(&edge.rel) {
                Class::Causal | Class::Owner | Class::Part => false,
                Class::About | Class::Newer | Class::Seen => true,
                Class::Other => continue,
            };
            // An approval comes before what it approves, which rests on it.
            let is_approval = matter.told.get(&edge.from).is_some_and(|told| told.kind() == "approval");
            let (upper, lower, is_word) = match is_word && is_approval {
                true => (*from, *to, false),
                false => (*to, *from, is_word),
            };
            if upper != lower {
                links.entry((upper, lower)).and_modify(|known| *known &= is_word).or_insert(is_word);
            }
        }
        graph.people(matter, &places, &mut links);
        graph.links = links.into_iter().map(|((from, to), is_word)| Link { from, to, is_word }).collect();
        graph.break_circles();
        graph
    }

    /// Makes the boxes of the entries; gives where each entry stands.
    fn entries(&mut self, matter: &Matter<'_>) -> BTreeMap<Spot, usize> {
        let mut kinds: BTreeMap<(Role, String), BTreeSet<Spot>> = BTreeMap::new();
        for told in matter.told.values() {
            let Some(role) = told.held.role else { continue };
            let kind = KINDS.into_iter().find(|kind| *kind == told.kind()).unwrap_or("other kinds");
            kinds.entry((role, kind.to_owned())).or_default().insert(told.spot);
        }
        let boxes = |each: usize| {
            kinds.values().map(|members| if members.len() > each { 1 } else { members.len() }).sum::<usize>()
        };
        let each = (1..=MAX_BOXES).rev().find(|each| boxes(*each) <= MAX_BOXES).unwrap_or(1);
        let mut places = BTreeMap::new();
        for ((_, kind), members) in kinds {
            if members.len() > each {
                places.extend(members.iter().map(|index| (*index, self.nodes.len())));
                self.nodes.push(Node::Stack { kind, members });
            } else {
                for index in members {
                    places.insert(index, self.nodes.len());
                    self.nodes.push(Node::Entry(index));
                }
            }
        }
        places
    }

    fn people(
        &mut self,
        matter: &Matter<'_>,
        places: &BTreeMap<Spot, usize>,
        links: &mut BTreeMap<(usize, usize), bool>,
    ) {
        let mut named: BTreeMap<String, (BTreeSet<&'static str>, BTreeSet<usize>)> = BTreeMap::new();
        for told in matter.told.values() {
            let Some(place) = places.get(&told.spot) else { continue };
            for (part, name) in people(told) {
                let (parts, at) = named.entry(name).or_default();
                parts.insert(part);
                at.insert(*place);
            }
        }
        let is_many = named.len() > MAX_PEOPLE;
        if is_many {
            self.nodes.push(Node::People(named.len()));
        }
        for (name, (parts, at)) in named {
            if !is_many {
                self.nodes.push(Node::Person { name, parts });
            }
            let person = self.nodes.len() - 1;
            links.extend(at.into_iter().map(|place| ((person, place), false)));
        }
    }

    /// Leaves out the lines that would lead back up.
    fn break_circles(&mut self) {
        let (mut kept, mut circles): (Vec<Link>, usize) = (Vec::new(), 0);
        // Those that carry the chain come first, so that a word about something gives way.
        let mut links = std::mem::take(&mut self.links);
        links.sort_by_key(|link| (link.is_word, link.from, link.to));
        for link in links {
            if leads(&kept, link.to, link.from, self.nodes.len()) {
                circles += 1;
            } else {
                kept.push(link);
            }
        }
        self.links = kept;
        self.circles = circles;
    }
}

/// Says whether one leads to another.
fn leads(links: &[Link], from: usize, to: usize, nodes: usize) -> bool {
    let mut seen = vec![false; nodes];
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if let Some(seen) = seen.get_mut(at).filter(|seen| !**seen) {
            *seen = true;
            open.extend(links.iter().filter(|link| link.from == at).map(|link| link.to));
        }
    }
    false
}

/// The people, or teams, that an entry names, each as what. Workloads have SPIFFE IDs, and entries of their own.
pub(in super::super) fn people(told: &Told<'_>) -> Vec<(&'static str, String)> {
    let Some(record) = &told.record else { return Vec::new() };
    let Some(body) = record.body() else { return Vec::new() };
    let places: &[(&'static str, &[&str])] = match record {
        Record::Delegation(_) => &[("delegator", &["delegator", "id"])],
        Record::Approval(_) => &[("approver", &["approver"])],
        Record::Policy(_) => &[("author", &["author"])],
        Record::Ownership(_) => &[("owner", &["owner"])],
        Record::Agent(_) => &[("sponsor", &["sponsor"])],
        Record::Revocation(_) => &[("who revoked", &["revoked_by"])],
        _ => &[],
    };
    let mut found: Vec<(&'static str, String)> =
        places.iter().filter_map(|(part, path)| Some((*part, name(body, path)?))).collect();
    if let Record::Policy(policy) = record {
        let approvers = policy.approvers().present().unwrap_or_default();
        found.extend(approvers.into_iter().map(|approver| ("approver", approver.to_owned())));
    }
    found.retain(|(_, name)| !name.starts_with("spiffe://"));
    found
}

fn name(body: &Body, path: &[&str]) -> Option<String> {
    match body.text(path) {
        Recorded::Present(name) => Some(name.to_owned()),
        Recorded::Sealed(_) => Some("(sealed)".to_owned()),
        Recorded::Absent => None,
    }
}
