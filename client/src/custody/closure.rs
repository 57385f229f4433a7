//! What belongs to a matter: everything that the relations lead to from where it starts.
//!
//! A worklist over entries, each taken up again only if it is reached in a stronger role, so that cycles end and the order of the steps changes
//! nothing, unless there is not room for all: then what weighs most comes first ([`super::turns`]). Where the entries come from is the caller's: a log's index, a scan of all of it, or a custody file itself, which is judged by the
//! same rules that made it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;

use govlog_formats::record::{Handle, LinkTarget};

use super::ahead::{Question, followers_of, questions};
use super::relations::{
    BEARS_ON, Class, Node, Point, REVOKES, also_called, can_be_meant, class, key, meant_kinds, shown, speakers,
};
use super::spot::Spot;
use super::turns::{Turn, Turns};
use crate::verify::join;

/// Where entries are found by what they are called and by what they name.
pub trait Lookup {
    /// Why nothing can be found.
    type Error;

    /// Every entry that this can mean, by leaf hash or handle; of these kinds, where any are given.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    fn named(&mut self, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, Self::Error>;

    /// Every entry that names this; of these kinds, where any are given.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    fn pointing(&mut self, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, Self::Error>;

    /// Says what will be looked for, so that it can be had at once; whoever has all of it at hand need not listen.
    ///
    /// # Errors
    ///
    /// It cannot be had.
    fn expect(&mut self, questions: &[Question]) -> Result<(), Self::Error> {
        let _ = questions;
        Ok(())
    }

    /// Whether there were more of those that were asked for last.
    fn has_more(&self) -> bool {
        false
    }
}

/// Why an entry belongs to a matter; a later one outweighs an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Somebody's word about another one: a revocation, an approval, a finding, or who saw a credential.
    Word,
    /// What another one rests on.
    Cause,
    /// What came of what was asked for.
    Effect,
    /// What was asked for.
    Start,
}

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

/// Everything that was reached.
#[derive(Clone, Debug, Default)]
pub struct Closure {
    /// The entries and their roles.
    pub reached: BTreeMap<Spot, (Arc<Node>, Role)>,
    /// Whether there is more than was asked for at most.
    pub is_cut: bool,
}

impl Role {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Cause => "cause",
            Self::Effect => "effect",
            Self::Start => "start",
        }
    }
}

/// The role of what an entry of this role names by a relation of this class; `None`: not followed.
pub(super) fn forward(role: Role, class: Class) -> Option<Role> {
    match (class, role) {
        (Class::Causal | Class::Owner | Class::Part, Role::Start | Role::Effect | Role::Cause) => Some(Role::Cause),
        (Class::Causal | Class::Part, Role::Word) => Some(Role::Word),
        (Class::About | Class::Newer | Class::Seen, Role::Start) => Some(Role::Cause),
        _ => None,
    }
}

/// The role of what names an entry of this role by a relation of this class; `None`: not followed.
fn backward(role: Role, class: Class) -> Option<Role> {
    match (class, role) {
        (Class::Causal, Role::Start | Role::Effect) => Some(Role::Effect),
        (Class::About, _) => Some(Role::Word),
        (Class::Newer, Role::Start | Role::Effect | Role::Cause) => Some(Role::Word),
        (Class::Seen, Role::Start | Role::Effect) => Some(Role::Word),
        _ => None,
    }
}

/// Finds everything that belongs to these entries, at most so many.
///
/// # Errors
///
/// The look-up fails.
pub fn close<L: Lookup>(
    lookup: &mut L,
    starts: impl IntoIterator<Item = Arc<Node>>,
    most: usize,
) -> Result<Closure, L::Error> {
    let mut search = Search::new(lookup, most);
    for start in starts {
        search.turns.wait(Turn::Start, start, Role::Start);
    }
    while let Some((turn, node, role)) = search.turns.next() {
        match search.take(turn, &node, role) {
            Taken::Known => {}
            Taken::Reached => {
                search.look_ahead(&node, role)?;
                search.causes(&node, role)?;
                search.followers(&node, role)?;
                search.revoked(&node)?;
            }
            Taken::NoRoom => {
                search.found.is_cut = true;
                break;
            }
        }
    }
    Ok(search.found)
}

/// Of so many that wait it is said ahead what will be looked for.
const AT_ONCE: usize = 256;

struct Search<'l, L> {
    lookup: &'l mut L,
    found: Closure,
    turns: Turns,
    /// Of which entries, in which role, it was said ahead what will be looked for.
    ahead: HashSet<(Spot, Role)>,
    /// What relations lead to, by the kind of who names it, the relation and what is named.
    resolved: HashMap<(String, String, Vec<u8>), Resolved>,
    most: usize,
}

/// What came of taking an entry.
enum Taken {
    /// It is there, as this or more.
    Known,
    /// It is there now.
    Reached,
    /// It would be one too many.
    NoRoom,
}

/// What a relation leads to: the entry, and the one with the certificate through which.
type Resolved = Vec<(Arc<Node>, Option<Arc<Node>>)>;

/// A name that an entry is revoked by without being called so, and the entry with the certificate through which.
type Ground = (Handle, Option<Arc<Node>>);

/// A revocation that bears on an entry: by what, and the entry with the certificate through which.
type Bearing = (Arc<Node>, LinkTarget, Option<Arc<Node>>);

impl<'l, L: Lookup> Search<'l, L> {
    fn new(lookup: &'l mut L, most: usize) -> Self {
        Self {
            lookup,
            found: Closure::default(),
            turns: Turns::new(most),
            ahead: HashSet::new(),
            resolved: HashMap::new(),
            most,
        }
    }

    /// Takes an entry in, or in a stronger role than before.
    fn take(&mut self, turn: Turn, node: &Arc<Node>, role: Role) -> Taken {
        let count = self.found.reached.len();
        match self.found.reached.entry(node.spot) {
            Entry::Occupied(known) if known.get().1 >= role => return Taken::Known,
            Entry::Occupied(mut known) => known.get_mut().1 = role,
            Entry::Vacant(_) if count >= self.most => return Taken::NoRoom,
            Entry::Vacant(free) => {
                free.insert((node.clone(), role));
                self.turns.taken(turn);
            }
        }
        Taken::Reached
    }

    /// An entry belongs to the matter, and with it the one with the certificate through which, which is as good as lost without it.
    fn reach(&mut self, node: Arc<Node>, role: Role, through: Option<Arc<Node>>) {
        for (turn, node, role) in [(role.into(), Some(node), role), (Turn::Cause, through, Role::Word)] {
            let Some(node) = node else { continue };
            if self.found.reached.get(&node.spot).is_none_or(|known| known.1 < role) {
                self.turns.wait(turn, node, role);
            }
        }
    }

    /// Says what will be looked for about an entry, and about those that wait.
    fn look_ahead(&mut self, node: &Node, role: Role) -> Result<(), L::Error> {
        if self.ahead.contains(&(node.spot, role)) {
            return Ok(());
        }
        let mut expected = questions(node, role);
        self.ahead.insert((node.spot, role));
        for (waiting, role) in self.turns.waiting().take(AT_ONCE) {
            if self.ahead.insert((waiting.spot, role)) {
                expected.extend(questions(waiting, role));
            }
        }
        self.lookup.expect(&expected)
    }

    /// Goes on to what an entry names.
    fn causes(&mut self, node: &Node, role: Role) -> Result<(), L::Error> {
        for point in &node.points {
            let Some(role) = forward(role, class(&point.rel)) else { continue };
            for (to, through) in self.resolve(node, point)? {
                self.reach(to, role, through);
            }
        }
        Ok(())
    }

    /// Goes back to what names an entry.
    fn followers(&mut self, node: &Arc<Node>, role: Role) -> Result<(), L::Error> {
        let targets = node.targets().filter(|target| can_be_meant(target, &node.kind));
        let kinds = |target: &LinkTarget| followers_of(role, target, &node.kind);
        let mut asked: Vec<(LinkTarget, Vec<&str>)> = targets.map(|target| (target.clone(), kinds(&target))).collect();
        for alias in self.aliases(node)? {
            let is_key = is_key_name(&alias);
            let target = LinkTarget::Handle(alias);
            // Who names the key alone means another credential as well as this one, but for who revokes the key.
            let kinds = if is_key { vec!["revocation"] } else { kinds(&target) };
            asked.push((target, kinds));
        }
        for (target, kinds) in asked {
            let mut found = self.lookup.pointing(&target, &kinds)?;
            // Where more was made of it than is told at once, the words about it are asked for by themselves.
            if kinds.is_empty() && self.lookup.has_more() {
                let words: Vec<&str> = speakers(&target, &node.kind).into_iter().chain(["observation"]).collect();
                found.extend(self.lookup.pointing(&target, &words)?);
            }
            for from in found {
                for point in from.points.iter().filter(|point| same(&point.target, &target)) {
                    let Some(role) = backward(role, class(&point.rel)) else { continue };
                    let meant = self.resolve(&from, point)?.into_iter().filter(|(to, _)| to.spot == node.spot);
                    meant.for_each(|(_, through)| self.reach(from.clone(), role, through));
                }
            }
        }
        Ok(())
    }

    /// Goes to whoever revoked what an entry rests on and that has no entry of its own, or what it stands under.
    fn revoked(&mut self, node: &Node) -> Result<(), L::Error> {
        for (revocation, _, through) in self.bearing(node)? {
            self.reach(revocation, Role::Word, through);
        }
        Ok(())
    }

    /// Every revocation that bears on an entry without revoking it.
    fn bearing(&mut self, node: &Node) -> Result<Vec<Bearing>, L::Error> {
        let mut found = Vec::new();
        for (handle, through) in self.grounds(node)? {
            let target = LinkTarget::Handle(handle);
            for revocation in self.lookup.pointing(&target, &["revocation"])? {
                let is_it = |point: &Point| point.rel == REVOKES && same(&point.target, &target);
                if revocation.spot != node.spot && revocation.points.iter().any(is_it) {
                    found.push((revocation, target.clone(), through.clone()));
                }
            }
        }
        Ok(found)
    }

    /// What an entry rests on and that has no entry here, and what it stands under, unless an entry that it rests on does so itself.
    fn grounds(&mut self, node: &Node) -> Result<Vec<Ground>, L::Error> {
        let (mut grounds, mut known) = (Vec::new(), Vec::new());
        for point in node.points.iter().filter(|point| class(&point.rel) == Class::Causal) {
            let found = self.resolve(node, point)?;
            if let (LinkTarget::Handle(handle), true) = (&point.target, found.is_empty()) {
                grounds.extend(also_called(handle).into_iter().chain([handle.clone()]).map(|handle| (handle, None)));
                grounds.extend(self.hashed(handle)?);
            }
            known.extend(found.into_iter().map(|(to, _)| to));
        }
        let is_known = |handle: &Handle| known.iter().any(|to| to.names.contains(handle) || to.under.contains(handle));
        grounds.extend(node.under.iter().filter(|handle| !is_known(handle)).map(|handle| (handle.clone(), None)));
        Ok(grounds)
    }

    /// The other names of the certificate whose hash this is, by whoever logged it: other bytes would have another hash.
    fn hashed(&mut self, handle: &Handle) -> Result<Vec<Ground>, L::Error> {
        if !["cert_s256", "tbs_s256"].contains(&handle.name.as_str()) {
            return Ok(Vec::new());
        }
        let observations = self.lookup.named(&LinkTarget::Handle(handle.clone()), &["observation"])?;
        let seen = observations.into_iter().find(|seen| seen.certificate.contains(handle));
        let others =
            seen.iter().flat_map(|seen| seen.certificate.iter().map(|other| (other.clone(), Some(seen.clone()))));
        Ok(others.filter(|(other, _)| other != handle).collect())
    }

    /// The other names of a credential, by the certificates that its own issuer logged whole.
    fn aliases(&mut self, node: &Node) -> Result<Vec<Handle>, L::Error> {
        let mut aliases = Vec::new();
        for name in node.names.iter().filter(|name| node.kind == "issuance" && is_certificate_name(name)) {
            for seen in self.lookup.named(&LinkTarget::Handle(name.clone()), &["observation"])? {
                if seen.iss == node.iss && seen.certificate.contains(name) {
                    aliases.extend(seen.certificate.iter().filter(|other| !node.names.contains(other)).cloned());
                }
            }
        }
        Ok(aliases)
    }

    fn resolve(&mut self, from: &Node, point: &Point) -> Result<Resolved, L::Error> {
        let key = (from.kind.clone(), point.rel.clone(), target_key(&point.target));
        let known = match self.resolved.get(&key) {
            Some(known) => known.clone(),
            None => {
                let found = resolve(self.lookup, from, point)?;
                self.resolved.insert(key, found.clone());
                found
            }
        };
        Ok(known.into_iter().filter(|(to, _)| to.spot != from.spot).collect())
    }
}

/// Finds what a relation leads to: by leaf hash or a handle that both hold, or else through a certificate that somebody logged whole.
///
/// Anybody can make a certificate with another's serial number; by whoever issued the other one it is that one's own word.
fn resolve<L: Lookup>(lookup: &mut L, from: &Node, point: &Point) -> Result<Resolved, L::Error> {
    let direct: Resolved = lookup
        .named(&point.target, &meant_kinds(&point.rel, &point.target, &from.kind))?
        .into_iter()
        .filter(|to| to.is_meant(&point.rel, &point.target, &from.kind))
        .map(|to| (to, None))
        .collect();
    let LinkTarget::Handle(handle) = &point.target else { return Ok(direct) };
    // Whoever bears a name of what was revoked takes no revocation from another; and by its key every certificate is revoked that has it.
    let is_tied = match point.rel.as_str() {
        REVOKES => is_certificate_name(handle) || is_key_name(handle),
        _ => direct.is_empty() && is_certificate_name(handle),
    };
    if !is_tied {
        return Ok(direct);
    }
    let mut found = direct;
    for seen in lookup.named(&point.target, &["observation"])? {
        if !seen.certificate.contains(handle) {
            continue;
        }
        for other in seen.certificate.iter().filter(|other| *other != handle && is_certificate_name(other)) {
            let other = LinkTarget::Handle(other.clone());
            let named = lookup.named(&other, &meant_kinds(&point.rel, &other, &from.kind))?;
            let meant =
                named.into_iter().filter(|to| to.iss == seen.iss && to.is_meant(&point.rel, &other, &from.kind));
            found.extend(meant.map(|to| (to, Some(seen.clone()))));
        }
    }
    found.sort_by_key(|(to, through)| (to.spot, through.as_ref().map(|through| through.spot)));
    found.dedup_by_key(|(to, _)| to.spot);
    Ok(found)
}

pub(super) fn is_certificate_name(handle: &Handle) -> bool {
    join::NAMES.contains(&handle.name.as_str())
}

fn is_key_name(handle: &Handle) -> bool {
    ["spki_s256", "jkt"].contains(&handle.name.as_str())
}

fn same(one: &LinkTarget, other: &LinkTarget) -> bool {
    target_key(one) == target_key(other)
}

/// What a target is looked up by: an entry of this log and a reference to it by its leaf hash are one.
pub(super) fn target_key(target: &LinkTarget) -> Vec<u8> {
    match target {
        LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. } => leaf.as_bytes().to_vec(),
        LinkTarget::Handle(handle) => key(handle),
    }
}

/// Entries in memory, by everything they are called and name.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    nodes: BTreeMap<Spot, Arc<Node>>,
    by_name: HashMap<Vec<u8>, Vec<Arc<Node>>>,
    by_point: HashMap<Vec<u8>, Vec<Arc<Node>>>,
}

impl Shelf {
    /// Puts an entry there.
    pub fn add(&mut self, node: Node) {
        let node = Arc::new(node);
        let put = |map: &mut HashMap<Vec<u8>, Vec<Arc<Node>>>, key: Vec<u8>| {
            let there = map.entry(key).or_default();
            if there.last().is_none_or(|last| last.spot != node.spot) {
                there.push(node.clone());
            }
        };
        for target in node.targets().chain(node.certificate.iter().cloned().map(LinkTarget::Handle)) {
            put(&mut self.by_name, target_key(&target));
        }
        for point in &node.points {
            put(&mut self.by_point, target_key(&point.target));
        }
        self.nodes.insert(node.spot, node);
    }

    /// What stands there.
    #[must_use]
    pub fn get(&self, spot: impl Into<Spot>) -> Option<&Arc<Node>> {
        self.nodes.get(&spot.into())
    }

    /// All of them, in the log's order.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.values()
    }

    /// The relations between them, and those that lead to none of them although they would be followed.
    #[must_use]
    pub fn survey(&mut self, roles: &BTreeMap<Spot, Role>) -> (Vec<Edge>, Vec<DeadLink>) {
        let (mut edges, mut dead) = (Vec::new(), Vec::new());
        let nodes: Vec<Arc<Node>> = self.nodes.values().cloned().collect();
        let mut search = Search::new(self, usize::MAX);
        for node in &nodes {
            let role = roles.get(&node.spot).copied();
            let (mut owners, mut revoked) = (Vec::new(), Vec::new());
            for point in &node.points {
                let Ok(found) = search.resolve(node, point);
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
            let Ok(bearing) = search.bearing(node);
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

impl Lookup for Shelf {
    type Error = Infallible;

    fn named(&mut self, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, Infallible> {
        Ok(of_kinds(self.by_name.get(&target_key(target)), kinds))
    }

    fn pointing(&mut self, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, Infallible> {
        Ok(of_kinds(self.by_point.get(&target_key(target)), kinds))
    }
}

fn of_kinds(nodes: Option<&Vec<Arc<Node>>>, kinds: &[&str]) -> Vec<Arc<Node>> {
    let is_asked = |node: &&Arc<Node>| kinds.is_empty() || kinds.contains(&node.kind.as_str());
    nodes.map(Vec::as_slice).unwrap_or_default().iter().filter(is_asked).cloned().collect()
}
