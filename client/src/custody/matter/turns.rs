//! In which order entries are taken into a matter, where there is not room for all.
//!
//! What was done (effects, and decisions under what was asked for) anybody who may log it makes as much of as he likes; it comes last, in the room that
//! the rest leaves. Of the rest each has a share that nothing else takes from it: half of the room what was asked for, a quarter what that rests on,
//! an eighth the words about any of these. Then comes what all of this rests on, then words, then the rest of what was asked for. Among its like the
//! kind says which weighs more, a revocation most, and then the log's order: the same entries give the same matter, wherever they come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::relations::{Node, Spot};
use super::roles::Role;

/// As what an entry waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Asked for.
    Start,
    /// What another one rests on, or that ties it to another.
    Cause,
    /// A word about another one.
    Word,
    /// What came of it.
    Use,
}

/// The order of those that wait within their share; in the second one come those that wait beyond.
const WITHIN: [Turn; 3] = [Turn::Start, Turn::Cause, Turn::Word];
const BEYOND: [Turn; 4] = [Turn::Cause, Turn::Word, Turn::Start, Turn::Use];

/// The kinds that weigh most, and those of which there can be very many; the others are between.
const HEAVY: [&str; 14] = [
    "revocation",
    "decision",
    "approval",
    "issuance",
    "registration",
    "delegation",
    "ownership",
    "agent",
    "policy",
    "signing-key",
    "federation",
    "attestation",
    "redaction",
    "finding",
];
const LIGHT: [&str; 2] = ["activation", "custody"];

/// Those that wait.
#[derive(Debug)]
pub(super) struct Turns {
    starts: Queue,
    causes: Queue,
    words: Queue,
    uses: Queue,
}

#[derive(Debug)]
struct Queue {
    share: usize,
    taken: usize,
    waiting: BTreeMap<(usize, Spot), (Arc<Node>, Role)>,
}

impl Turns {
    /// Nobody waits yet for a room of this size.
    pub(super) fn new(room: usize) -> Self {
        let queue = |share| Queue { share, taken: 0, waiting: BTreeMap::new() };
        Self { starts: queue((room / 2).max(1)), causes: queue(room / 4), words: queue(room / 8), uses: queue(0) }
    }

    /// Puts an entry in its queue.
    pub(super) fn wait(&mut self, turn: Turn, node: Arc<Node>, role: Role) {
        let weight = if role == Role::Word && turn == Turn::Cause { 0 } else { weight(&node.kind) };
        let key = (if turn == Turn::Start { 0 } else { weight }, node.spot);
        let waiting = self.of(turn).waiting.entry(key).or_insert((node, role));
        waiting.1 = waiting.1.max(role);
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Option<(Turn, Arc<Node>, Role)> {
        let is_within = |turn: &Turn| {
            let queue = self.of(*turn);
            !queue.waiting.is_empty() && queue.taken < queue.share
        };
        let within = WITHIN.into_iter().find(is_within);
        let turn = within.or_else(|| BEYOND.into_iter().find(|turn| !self.of(*turn).waiting.is_empty()))?;
        let (_, (node, role)) = self.of(turn).waiting.pop_first()?;
        Some((turn, node, role))
    }

    /// Those that wait, in the order of their queues.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&Arc<Node>, Role)> {
        let queues = [&self.starts, &self.causes, &self.words, &self.uses].into_iter();
        queues.flat_map(|queue| queue.waiting.values().map(|(node, role)| (node, *role)))
    }

    /// Counts one as taken.
    pub(super) fn taken(&mut self, turn: Turn) {
        self.of(turn).taken += 1;
    }

    const fn of(&mut self, turn: Turn) -> &mut Queue {
        match turn {
            Turn::Start => &mut self.starts,
            Turn::Cause => &mut self.causes,
            Turn::Word => &mut self.words,
            Turn::Use => &mut self.uses,
        }
    }
}

impl From<Role> for Turn {
    fn from(role: Role) -> Self {
        match role {
            Role::Start => Self::Start,
            Role::Cause => Self::Cause,
            Role::Word => Self::Word,
            Role::Effect => Self::Use,
        }
    }
}

fn weight(kind: &str) -> usize {
    let light = LIGHT.iter().position(|known| *known == kind).map(|at| HEAVY.len() + 1 + at);
    HEAVY.iter().position(|known| *known == kind).or(light).unwrap_or(HEAVY.len())
}
