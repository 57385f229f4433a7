//! The relations among entries that are at hand: who names whom, and what leads to none of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use govlog_formats::record::LinkTarget;

use super::super::relations::{BEARS_ON, Class, Node, REVOKES, Spot, class, is_revoking, shown};
use super::closure::close;
use super::resolve::Resolver;
use super::roles::{Role, forward};
use super::shelf::Shelf;

/// A relation between two entries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The entry that names the other.
    pub from: Spot,
    /// The other.
    pub to: Spot,
    /// The relation.
    pub rel: String,
    /// What both hold.
    pub by: String,
    /// The entry with the certificate that has both its names, where each holds another one.
    pub through: Option<Spot>,
}

/// A relation that leads to no entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeadLink {
    /// The entry that names something.
    pub from: Spot,
    /// The relation.
    pub rel: String,
    /// What it names.
    pub to: String,
}

/// What follows from entries and from where the matter starts: found once, for whatever is said of them.
pub(in crate::custody) struct Survey {
    /// Why each belongs to the matter, by the rules that a file is made by.
    pub(in crate::custody) roles: BTreeMap<Spot, Role>,
    pub(in crate::custody) edges: Vec<Edge>,
    pub(in crate::custody) dead: Vec<DeadLink>,
    /// What a revocation among them revokes, or bears on.
    pub(in crate::custody) revoked: BTreeSet<Spot>,
}

impl Survey {
    pub(in crate::custody) fn of<'s>(mut shelf: Shelf, starts: impl IntoIterator<Item = &'s Spot>) -> Self {
        let starts: Vec<_> = starts.into_iter().filter_map(|spot| shelf.get(*spot).cloned()).collect();
        let Ok(closure) = close(&mut shelf, starts, usize::MAX);
        let roles = closure.roles();
        let (edges, dead) = shelf.survey(&roles);
        let is_revoking = |edge: &&Edge| shelf.get(edge.from).is_some_and(|from| is_revoking(&edge.rel, &from.kind));
        let revoked = edges.iter().filter(is_revoking).map(|edge| edge.to).collect();
        Self { roles, edges, dead, revoked }
    }
}

impl Shelf {
    /// The relations between them, and those that lead to none of them although they would be followed.
    #[must_use]
    pub fn survey(&mut self, roles: &BTreeMap<Spot, Role>) -> (Vec<Edge>, Vec<DeadLink>) {
        let (mut edges, mut dead) = (Vec::new(), Vec::new());
        let nodes: Vec<Arc<Node>> = self.nodes().cloned().collect();
        let mut resolver = Resolver::new(self);
        for node in &nodes {
            let role = roles.get(&node.spot).copied();
            let (mut owners, mut revoked) = (Vec::new(), Vec::new());
            for point in &node.points {
                let Ok(found) = resolver.resolve(node, point);
                let class = class(&point.rel);
                let is_followed = role.is_some_and(|role| forward(role, class).is_some());
                let by = shown(&point.target);
                let link = DeadLink { from: node.spot, rel: point.rel.clone(), to: by.clone() };
                match (class, &point.target) {
                    (Class::Owner, _) if is_followed => owners.push((link, found.is_empty())),
                    (Class::About, LinkTarget::Handle(_)) if is_followed && point.rel == REVOKES => {
                        revoked.push((link, found.is_empty()));
                    }
                    _ if found.is_empty() && (is_followed || class == Class::Other) => dead.push(link),
                    _ => {}
                }
                edges.extend(found.into_iter().map(|(to, through)| Edge {
                    from: node.spot,
                    to: to.spot,
                    rel: point.rel.clone(),
                    by: by.clone(),
                    through: through.map(|through| through.spot),
                }));
            }
            let Ok(bearing) = resolver.bearing(node);
            edges.extend(bearing.into_iter().map(|(revocation, target, through)| Edge {
                from: revocation.spot,
                to: node.spot,
                rel: BEARS_ON.to_owned(),
                by: shown(&target),
                through: through.map(|through| through.spot),
            }));
            // Any of them answers for it, of itself or of all below a path; the identity itself stands last.
            dead.extend(all_dead(&owners).then(|| owners.pop()).flatten().map(|(link, _)| link));
            // Several names of one thing: any of them leads to it; the target itself stands first.
            dead.extend(revoked.first().filter(|_| all_dead(&revoked)).map(|(link, _)| link.clone()));
        }
        edges.sort_unstable();
        edges.dedup_by(|one, other| (one.from, one.to, &one.rel) == (other.from, other.to, &other.rel));
        dead.sort_unstable();
        dead.dedup();
        (edges, dead)
    }
}

/// Says whether none of several names leads to an entry.
fn all_dead(links: &[(DeadLink, bool)]) -> bool {
    links.iter().all(|(_, is_dead)| *is_dead)
}
