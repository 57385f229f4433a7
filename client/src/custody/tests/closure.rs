//! The closure, against one computed by looking at every pair of entries, and with what a log's index suggests.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use ciborium::Value;
use govlog_formats::record::{Handle, LinkTarget, view};
use govlog_formats::search::{Filter, Marks};
use serde_json::json;

use super::scene::Scene;
use super::*;
use crate::custody::{Lookup, Node, Role, Shelf, close, meant_kinds};
use crate::custody::{Way, filters};

/// From, relation, to, through.
type Pairs = Vec<(usize, String, usize, Option<usize>)>;

/// Every pair of entries that a relation ties, each looked at with each.
fn pairs(nodes: &[Arc<Node>]) -> Pairs {
    let direct = |from: &Node, rel: &str, target: &LinkTarget| -> Vec<usize> {
        let kinds = meant_kinds(rel, target, &from.kind);
        let is = |to: &Arc<Node>| {
            if rel == "supersedes" && (matches!(target, LinkTarget::Handle(_)) || to.kind != from.kind) {
                return false;
            }
            let called = match target {
                LinkTarget::Handle(handle) => to.names.contains(handle),
                LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. } => to.leaf == *leaf,
            };
            called && (kinds.is_empty() || kinds.contains(&to.kind.as_str()))
        };
        (0..nodes.len()).filter(|at| is(&nodes[*at])).collect()
    };
    let mut edges = Pairs::new();
    for (from, node) in nodes.iter().enumerate() {
        for point in &node.points {
            let found = direct(node, &point.rel, &point.target);
            let LinkTarget::Handle(handle) = &point.target else {
                edges.extend(found.into_iter().map(|to| (from, point.rel.clone(), to, None)));
                continue;
            };
            let is_tied = match point.rel.as_str() {
                "revokes" => OF_CERTIFICATES.contains(&handle.name.as_str()),
                _ => found.is_empty() && OF_CERTIFICATES[..3].contains(&handle.name.as_str()),
            };
            if is_tied {
                for (through, seen) in nodes.iter().enumerate().filter(|(_, seen)| seen.certificate.contains(handle)) {
                    let of_it = |other: &&Handle| OF_CERTIFICATES[..3].contains(&other.name.as_str());
                    for other in seen.certificate.iter().filter(of_it).filter(|other| *other != handle) {
                        let others = direct(node, &point.rel, &LinkTarget::Handle(other.clone()));
                        let own = others.into_iter().filter(|to| nodes[*to].iss == seen.iss);
                        edges.extend(own.map(|to| (from, point.rel.clone(), to, Some(through))));
                    }
                }
            }
            edges.extend(found.into_iter().map(|to| (from, point.rel.clone(), to, None)));
        }
    }
    edges.retain(|(from, _, to, _)| from != to);
    let bearing = bearing(nodes, &edges, &direct);
    edges.extend(bearing);
    edges
}

/// The names of a certificate, and those of its key.
const OF_CERTIFICATES: [&str; 5] = ["cert_s256", "tbs_s256", "serial_aki", "spki_s256", "jkt"];

/// Every revocation of what an entry rests on without an entry, or stands under.
fn bearing(nodes: &[Arc<Node>], edges: &Pairs, direct: &dyn Fn(&Node, &str, &LinkTarget) -> Vec<usize>) -> Pairs {
    let mut found = Pairs::new();
    for (at, node) in nodes.iter().enumerate() {
        let mut grounds: Vec<(Handle, Option<usize>)> = Vec::new();
        let causal = |rel: &str| causal(rel) && rel != "owned_by";
        for point in node.points.iter().filter(|point| causal(&point.rel)) {
            let LinkTarget::Handle(handle) = &point.target else { continue };
            let is_one = direct(node, &point.rel, &point.target).into_iter().any(|to| to != at);
            let through = |through: usize| {
                let seen = &nodes[through];
                let other = |other: &Handle| direct(node, &point.rel, &LinkTarget::Handle(other.clone()));
                let is_tied = |other: &&Handle| OF_CERTIFICATES[..3].contains(&other.name.as_str());
                OF_CERTIFICATES[..3].contains(&handle.name.as_str())
                    && seen.certificate.contains(handle)
                    && seen
                        .certificate
                        .iter()
                        .filter(is_tied)
                        .flat_map(other)
                        .any(|to| nodes[to].iss == seen.iss && to != at)
            };
            if is_one || (0..nodes.len()).any(through) {
                continue;
            }
            grounds.push((handle.clone(), None));
            if let ("registry_entry", Value::Array(parts)) = (handle.name.as_str(), &handle.value) {
                grounds.push((Handle { name: "id".to_owned(), value: parts[1].clone() }, None));
            }
            let seen = (0..nodes.len()).find(|seen| nodes[*seen].certificate.contains(handle));
            if let (Some(seen), true) = (seen, OF_CERTIFICATES[..2].contains(&handle.name.as_str())) {
                grounds.extend(nodes[seen].certificate.iter().map(|other| (other.clone(), Some(seen))));
            }
        }
        for handle in &node.under {
            let stands = |to: usize| nodes[to].names.contains(handle) || nodes[to].under.contains(handle);
            if !edges.iter().any(|(from, rel, to, _)| *from == at && causal(rel) && stands(*to)) {
                grounds.push((handle.clone(), None));
            }
        }
        for (from, revocation) in nodes.iter().enumerate().filter(|(_, from)| from.kind == "revocation") {
            for (handle, through) in grounds.iter().filter(|_| from != at) {
                let target = LinkTarget::Handle(handle.clone());
                if revocation.points.iter().any(|point| point.rel == "revokes" && point.target == target) {
                    found.push((from, "bears_on".to_owned(), at, *through));
                }
            }
        }
    }
    found
}

fn causal(rel: &str) -> bool {
    !matches!(
        rel,
        "revokes" | "bears_on" | "redacts" | "about" | "ends" | "supersedes" | "observes" | "external_log" | "owned_by"
    )
}

/// What belongs to a matter, found by going over all pairs until nothing changes.
fn brute(edges: &Pairs, start: usize) -> BTreeMap<u64, Role> {
    let mut roles: BTreeMap<u64, Role> = BTreeMap::from([(start as u64, Role::Start)]);
    loop {
        let before = roles.clone();
        for (from, rel, to, _) in edges {
            let (of_from, of_to) = (before.get(&(*from as u64)), before.get(&(*to as u64)));
            let causal = causal(rel);
            let down = match (of_from, rel.as_str()) {
                (Some(Role::Word), _) if causal => Some(Role::Word),
                (Some(Role::Cause | Role::Effect | Role::Start), _) if causal => Some(Role::Cause),
                (Some(Role::Cause | Role::Effect | Role::Start), "owned_by") => Some(Role::Cause),
                (Some(Role::Start), "revokes" | "redacts" | "about" | "ends" | "supersedes" | "observes") => {
                    Some(Role::Cause)
                }
                _ => None,
            };
            let up = match (of_to, rel.as_str()) {
                (Some(Role::Effect | Role::Start), _) if causal => Some(Role::Effect),
                (Some(_), "revokes" | "bears_on" | "redacts" | "about" | "ends") => Some(Role::Word),
                (Some(Role::Cause | Role::Effect | Role::Start), "supersedes") => Some(Role::Word),
                (Some(Role::Effect | Role::Start), "observes") => Some(Role::Word),
                _ => None,
            };
            let raise = |roles: &mut BTreeMap<u64, Role>, at: usize, role: Role| {
                let known = roles.entry(at as u64).or_insert(role);
                *known = (*known).max(role);
            };
            // Of several certificates that tie two entries the first is enough.
            let throughs = edges
                .iter()
                .filter(|other| (other.0, &other.1, other.2) == (*from, rel, *to))
                .filter_map(|other| other.3);
            let through = throughs.min();
            if let Some(role) = down {
                raise(&mut roles, *to, role);
            }
            if let Some(role) = up {
                raise(&mut roles, *from, role);
            }
            if let Some(through) = through.filter(|_| down.or(up).is_some()) {
                raise(&mut roles, through, Role::Word);
            }
        }
        if roles == before {
            return roles;
        }
    }
}

pub(super) fn found<L: Lookup<Error = Infallible>>(lookup: &mut L, start: &Arc<Node>) -> BTreeMap<u64, Role> {
    let Ok(closure) = close(lookup, [start.clone()], usize::MAX);
    closure.reached.into_iter().map(|(spot, (_, role))| (spot.index.get(), role)).collect()
}

/// Says of the first entry that differs what it is and names.
fn same(nodes: &[Arc<Node>], one: &BTreeMap<u64, Role>, other: &BTreeMap<u64, Role>, start: usize) {
    for (at, node) in (0..).zip(nodes) {
        assert_eq!(one.get(&at), other.get(&at), "from {start}, a {}: {node:?}", nodes[start].kind);
    }
}

#[test]
fn the_closure_is_that_of_all_pairs_from_every_start() {
    for seed in [1, 2] {
        let nodes = Scene::new(seed, 110).nodes();
        let mut shelf = Shelf::default();
        nodes.iter().for_each(|node| shelf.add(node.as_ref().clone()));
        let (edges, mut sizes) = (pairs(&nodes), BTreeSet::new());
        for (at, node) in nodes.iter().enumerate() {
            let all = found(&mut shelf, node);
            same(&nodes, &all, &brute(&edges, at), at);
            sizes.insert(all.len());
        }
        assert!(sizes.len() > 10, "matters of many sizes: {sizes:?}");
    }
}

/// A log's index, as its server answers: by the filters, and nothing else.
pub(super) struct Suggests {
    pub(super) nodes: Vec<Arc<Node>>,
    pub(super) marks: Vec<Marks>,
    pub(super) known: HashMap<(Way, String, Vec<String>), Vec<Arc<Node>>>,
}

impl Suggests {
    fn find(&mut self, way: Way, target: &LinkTarget, kinds: &[&str]) -> Vec<Arc<Node>> {
        let key = (way, format!("{target:?}"), kinds.iter().map(|kind| (*kind).to_owned()).collect());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let found = self.search(way, target, kinds);
        self.known.insert(key, found.clone());
        found
    }

    fn search(&self, way: Way, target: &LinkTarget, kinds: &[&str]) -> Vec<Arc<Node>> {
        let filters: Vec<Filter> = filters(way, target, kinds);
        let is_suggested = |marks: &Marks| filters.iter().any(|filter| filter.matches_marks(marks));
        let suggested =
            self.nodes.iter().zip(&self.marks).filter(|(_, marks)| is_suggested(marks)).map(|(node, _)| node);
        let is_it = |node: &&Arc<Node>| match (way, target) {
            (Way::Named, LinkTarget::Handle(handle)) => node.is_called(target) || node.certificate.contains(handle),
            (Way::Named, _) => node.is_called(target),
            (Way::Pointing, _) => node.points.iter().any(|point| point.target == *target),
        };
        suggested
            .filter(is_it)
            .filter(|node| kinds.is_empty() || kinds.contains(&node.kind.as_str()))
            .cloned()
            .collect()
    }
}

impl Lookup for Suggests {
    type Error = Infallible;

    fn named(&mut self, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, Infallible> {
        Ok(self.find(Way::Named, target, kinds))
    }

    fn pointing(&mut self, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, Infallible> {
        Ok(self.find(Way::Pointing, target, kinds))
    }
}

#[test]
fn what_an_index_suggests_leads_to_the_same() {
    let scene = Scene::new(4, 110);
    let nodes = scene.nodes();
    let mut shelf = Shelf::default();
    nodes.iter().for_each(|node| shelf.add(node.as_ref().clone()));
    let mut suggests = Suggests {
        marks: scene.statements.iter().map(Marks::of).collect(),
        nodes: nodes.clone(),
        known: HashMap::new(),
    };
    for (at, node) in nodes.iter().enumerate() {
        same(&nodes, &found(&mut suggests, node), &found(&mut shelf, node), at);
    }
}

#[test]
fn a_matter_is_cut_at_its_bound_and_says_so() {
    let nodes = Scene::new(5, 120).nodes();
    let mut shelf = Shelf::default();
    nodes.iter().for_each(|node| shelf.add(node.as_ref().clone()));
    let largest = nodes.iter().max_by_key(|node| found(&mut shelf, node).len()).unwrap();
    let count = found(&mut shelf, largest).len();
    let Ok(whole) = close(&mut shelf, [largest.clone()], count);
    assert!(!whole.is_cut && whole.reached.len() == count);
    let Ok(cut) = close(&mut shelf, [largest.clone()], count - 1);
    assert!(cut.is_cut && cut.reached.len() == count - 1);
}

/// Whatever else happens under a credential and a policy, a decision's matter is its own.
#[test]
fn other_decisions_under_the_same_credential_and_policy_do_not_belong_to_a_decision() {
    let scene = Scene::new(0, 0);
    let digest = |of: &str| Digest::sha256(of.as_bytes()).to_string();
    let policy =
        json!({ "v": 1, "event_ms": 1, "engine": "opa", "name": "p", "policy_digest": ["sha256", digest("p")] });
    let issuance = json!({ "v": 1, "event_ms": 1, "stage": "issued", "credential_type": "x509", "subject": "spiffe://a/x", "handles": { "tbs_s256": digest("c") } });
    let decision = |id: &str| {
        json!({
            "v": 1, "event_ms": 1, "decision_id": id, "result": "permit", "action": { "name": "read" },
            "resource": { "type": "account", "id": "a" }, "policies": [{ "policy_digest": ["sha256", digest("p")] }],
            "subject": { "id": "spiffe://a/x", "credential": { "handle": ["tbs_s256", digest("c")] } },
        })
    };
    let effect =
        json!({ "v": 1, "event_ms": 1, "outcome": "performed", "performer": "spiffe://a/x", "decision_id": "d-1" });
    let revocation = json!({ "v": 1, "event_ms": 1, "handles": { "tbs_s256": digest("c") }, "target_type": "credential", "target": { "handle": ["tbs_s256", digest("c")] }, "effective_ms": 1 });
    let all = [
        ("policy", policy),
        ("issuance", issuance),
        ("decision", decision("d-1")),
        ("decision", decision("d-2")),
        ("effect", effect),
        ("revocation", revocation),
    ];
    let mut shelf = Shelf::default();
    for (at, (kind, record)) in (0..).zip(all) {
        let statement = scene.sign("spiffe://a/pdp", kind, &view::from_json(kind, &record).unwrap());
        shelf.add(Node::new(LeafIndex::new(at), &statement));
    }
    let mut from = |at: u64| {
        let start = shelf.get(LeafIndex::new(at)).unwrap().clone();
        found(&mut shelf, &start).into_iter().collect::<Vec<_>>()
    };
    use Role::{Cause, Effect, Start, Word};
    assert_eq!(from(2), [(0, Cause), (1, Cause), (2, Start), (4, Effect), (5, Word)]);
    assert_eq!(
        from(1),
        [(0, Cause), (1, Start), (2, Effect), (3, Effect), (4, Effect), (5, Word)],
        "all under the credential"
    );
    assert_eq!(from(5), [(1, Cause), (5, Start)], "what was revoked, with what it rests on");

    let start = shelf.get(LeafIndex::new(5)).unwrap().clone();
    let mut asked = Asked { shelf, pointing: Vec::new() };
    assert_eq!(found(&mut asked, &start).len(), 2);
    let tbs = |target: &LinkTarget| matches!(target, LinkTarget::Handle(handle) if handle.name == "tbs_s256");
    let by_tbs: Vec<_> = asked.pointing.into_iter().filter(|(target, _)| tbs(target)).collect();
    assert!(!by_tbs.is_empty() && by_tbs.iter().all(|(_, kinds)| *kinds > 0), "not all under it: {by_tbs:?}");
}

/// Writes down what is asked who names it, and of how many kinds.
struct Asked {
    shelf: Shelf,
    pointing: Vec<(LinkTarget, usize)>,
}

impl Lookup for Asked {
    type Error = Infallible;

    fn named(&mut self, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, Infallible> {
        self.shelf.named(target, kinds)
    }

    fn pointing(&mut self, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, Infallible> {
        self.pointing.push((target.clone(), kinds.len()));
        self.shelf.pointing(target, kinds)
    }
}
