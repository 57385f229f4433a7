//! What belongs to a matter: everything that the relations lead to from where it starts.
//!
//! A worklist over entries, each taken up again only if it is reached in a stronger role, so that cycles end and the order of the steps changes
//! nothing, unless there is not room for all: then what weighs most comes first ([`super::turns`]). Where the entries come from is the caller's: a
//! log's index, a scan of all of it, or a custody file itself, which is judged by the same rules that made it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use govlog_formats::record::LinkTarget;

use super::super::relations::{Node, Spot, can_be_meant, class, is_key_name, same, speakers};
use super::ahead::{followers_of, questions};
use super::resolve::{Lookup, Resolver};
use super::roles::{Role, backward, forward};
use super::turns::{Turn, Turns};

/// Everything that was reached.
#[derive(Clone, Debug, Default)]
pub struct Closure {
    /// The entries and their roles.
    pub reached: BTreeMap<Spot, (Arc<Node>, Role)>,
    /// Whether there is more than was asked for at most.
    pub is_cut: bool,
}

impl Closure {
    /// The role of each.
    #[must_use]
    pub fn roles(&self) -> BTreeMap<Spot, Role> {
        self.reached.iter().map(|(spot, (_, role))| (*spot, *role)).collect()
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
    resolver: Resolver<'l, L>,
    found: Closure,
    turns: Turns,
    /// Of which entries, in which role, it was said ahead what will be looked for.
    ahead: HashSet<(Spot, Role)>,
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

impl<'l, L: Lookup> Search<'l, L> {
    fn new(lookup: &'l mut L, most: usize) -> Self {
        Self {
            resolver: Resolver::new(lookup),
            found: Closure::default(),
            turns: Turns::new(most),
            ahead: HashSet::new(),
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
        self.resolver.lookup.expect(&expected)
    }

    /// Goes on to what an entry names.
    fn causes(&mut self, node: &Node, role: Role) -> Result<(), L::Error> {
        for point in &node.points {
            let Some(role) = forward(role, class(&point.rel)) else { continue };
            for (to, through) in self.resolver.resolve(node, point)? {
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
        for alias in self.resolver.aliases(node)? {
            let is_key = is_key_name(&alias);
            let target = LinkTarget::Handle(alias);
            // Who names the key alone means another credential as well as this one, but for who revokes the key.
            let kinds = if is_key { vec!["revocation"] } else { kinds(&target) };
            asked.push((target, kinds));
        }
        for (target, kinds) in asked {
            let mut found = self.resolver.lookup.pointing(&target, &kinds)?;
            // Where more was made of it than is told at once, the words about it are asked for by themselves.
            if kinds.is_empty() && self.resolver.lookup.has_more() {
                let words: Vec<&str> = speakers(&target, &node.kind).into_iter().chain(["observation"]).collect();
                found.extend(self.resolver.lookup.pointing(&target, &words)?);
            }
            for from in found {
                for point in from.points.iter().filter(|point| same(&point.target, &target)) {
                    let Some(role) = backward(role, class(&point.rel)) else { continue };
                    let meant = self.resolver.resolve(&from, point)?.into_iter().filter(|(to, _)| to.spot == node.spot);
                    meant.for_each(|(_, through)| self.reach(from.clone(), role, through));
                }
            }
        }
        Ok(())
    }

    /// Goes to whoever revoked what an entry rests on and that has no entry of its own, or what it stands under.
    fn revoked(&mut self, node: &Node) -> Result<(), L::Error> {
        for (revocation, _, through) in self.resolver.bearing(node)? {
            self.reach(revocation, Role::Word, through);
        }
        Ok(())
    }
}
