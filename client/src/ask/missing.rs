//! What a chain ought to have and has not: links that lead nowhere, what no entry names, what was not revoked as far as was looked, what is sealed.

use govlog_formats::visible::visible;
use serde_json::{Value, json};

use super::NOT_CHECKED;
use super::chain::Chain;
use crate::custody::{Custody, DeadLink, Held, REVOCABLE, Role, Spot, Unopened};
use crate::openings::State;

/// What each kind rests on, as a rule: the relations, any of which will do, and what is missing without one.
const RULES: [(&str, &[&str], &str); 12] = [
    ("decision", &["authenticated_by"], "credential"),
    ("decision", &["governed_by"], "policy"),
    ("effect", &["enforces"], "decision"),
    ("issuance", &["registered_as"], "registration"),
    ("issuance", &["signed_by"], "signing key"),
    ("registration", &["owned_by"], "owner"),
    ("registration", &["authorised_by"], "approval"),
    ("delegation", &["authorised_by", "derived_from"], "approval"),
    ("policy", &["authorised_by"], "approval"),
    ("activation", &["governed_by"], "policy"),
    ("agent", &["owned_by"], "owner"),
    ("federation", &["authorised_by"], "approval"),
];

/// What is not there.
#[derive(Debug)]
pub(super) struct Missing<'a> {
    /// Relations that lead to no entry.
    pub(super) dead: Vec<&'a DeadLink>,
    /// What is missing, and the entries without it, which name none.
    pub(super) unnamed: Vec<(&'static str, Vec<(&'static str, Spot)>)>,
    /// Entries that can be revoked, and of which no revocation was found.
    pub(super) unrevoked: Vec<Spot>,
    /// How many values are sealed.
    pub(super) sealed: usize,
    /// Batches of which there are members that are not here.
    pub(super) members: Vec<&'a Unopened>,
    /// How many entries were taken at most, where there were more.
    pub(super) cut_at: Option<u64>,
}

impl<'a> Missing<'a> {
    pub(super) fn new(custody: &'a Custody, chain: &Chain<'a>) -> Self {
        let is_here = |dead: &&DeadLink| chain.entries.contains_key(&dead.from);
        let dead: Vec<&DeadLink> = custody.dead_links.iter().filter(is_here).collect();
        let names = |index: Spot, rels: &[&str]| {
            chain.edges.iter().any(|edge| edge.from == index && rels.contains(&edge.rel.as_str()))
                || dead.iter().any(|dead| dead.from == index && rels.contains(&dead.rel.as_str()))
        };
        let mut unnamed: Vec<(&'static str, Vec<(&'static str, Spot)>)> = Vec::new();
        for (kind, rels, what) in RULES {
            let of_kind = chain.entries.iter().filter(|(_, (held, role))| {
                // What only speaks of others was not followed any further.
                held.kind() == kind && *role > Role::Word
            });
            let without: Vec<_> =
                of_kind.filter(|(index, _)| !names(**index, rels)).map(|(index, _)| (kind, *index)).collect();
            match unnamed.iter_mut().find(|(known, _)| *known == what) {
                Some((_, list)) => list.extend(without),
                None if without.is_empty() => {}
                None => unnamed.push((what, without)),
            }
        }
        let revoked = custody.revoked();
        let can_be =
            |(_, (held, role)): &(&Spot, &(&Held, Role))| *role > Role::Word && REVOCABLE.contains(&held.kind());
        let unrevoked = chain.entries.iter().filter(can_be).map(|(index, _)| *index);
        let unrevoked = unrevoked.filter(|index| !revoked.contains(index)).collect();
        let closed = |held: &Held| held.fields.iter().filter(|field| field.state == State::Closed).count();
        let sealed = chain.entries.values().map(|(held, _)| closed(held)).sum();
        let is_here =
            |unopened: &&Unopened| unopened.entry.parse::<Spot>().is_ok_and(|spot| chain.entries.contains_key(&spot));
        let members = custody.manifest.not_found.members.iter().filter(is_here).collect();
        Self { dead, unnamed, unrevoked, sealed, members, cut_at: custody.manifest.not_found.cut_at }
    }

    /// One line for each thing, for people. `checked`: what the absence of entries rests on.
    pub(super) fn lines(&self, chain: &Chain<'_>, checked: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for dead in &self.dead {
            lines.push(format!(
                "{} {} {}: no such entry ({checked})",
                named(chain, dead.from),
                visible(&dead.rel),
                visible(&dead.to)
            ));
        }
        for (what, entries) in &self.unnamed {
            let entries: Vec<String> = entries.iter().map(|(_, index)| named(chain, *index)).collect();
            lines.push(format!("no {what} is named by: {}", some(&entries)));
        }
        if !self.unrevoked.is_empty() {
            let entries: Vec<String> = self.unrevoked.iter().map(|index| named(chain, *index)).collect();
            lines.push(format!("no revocation of: {} ({checked})", some(&entries)));
        }
        if self.sealed > 0 {
            lines.push(format!("{} values are sealed; whoever has their openings: govlog open", self.sealed));
        }
        lines.extend(self.members.iter().map(|unopened| unopened.said()));
        if let Some(most) = self.cut_at {
            lines.push(format!("CUT at {most} entries: there are more; --limit takes more, govlog custody export all"));
        }
        lines
    }

    pub(super) fn json(&self) -> Value {
        let dead = |dead: &&DeadLink| json!({ "entry": id(dead.from), "rel": dead.rel, "target": dead.to });
        let unnamed = self.unnamed.iter().map(|(what, entries)| {
            json!({ "what": what, "entries": entries.iter().map(|(_, index)| id(*index)).collect::<Vec<_>>() })
        });
        json!({
            "links": self.dead.iter().map(dead).collect::<Vec<_>>(),
            "unnamed": unnamed.collect::<Vec<_>>(),
            "revocations": self.unrevoked.iter().map(|index| id(*index)).collect::<Vec<_>>(),
            "sealed": self.sealed,
            "members": self.members,
            "cut_at": self.cut_at,
        })
    }
}

/// What the absence of an entry rests on, by how it was looked for: here just now, or, as a file's maker claims, by whoever made the file.
pub(super) fn checked(completeness: &str, is_own: bool) -> String {
    match (completeness, is_own) {
        ("index", true) => NOT_CHECKED.to_owned(),
        (scanned, true) => visible(scanned),
        ("index", false) => "the file's maker claims to have asked the log's index: not checked".to_owned(),
        (claimed, false) => format!("the file's maker claims to have {}: not checked", visible(claimed)),
    }
}

/// An entry by its kind and id.
pub(super) fn named(chain: &Chain<'_>, index: Spot) -> String {
    let kind = chain.entries.get(&index).map(|(held, _)| visible(held.kind()));
    format!("{} {}", kind.as_deref().unwrap_or("entry"), id(index))
}

pub(super) fn id(spot: impl Into<Spot>) -> String {
    crate::custody::id(spot)
}

/// The first of them, and how many more there are.
fn some(entries: &[String]) -> String {
    const SHOWN: usize = 8;
    let first = entries.get(..entries.len().min(SHOWN)).unwrap_or_default().join(", ");
    match entries.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
