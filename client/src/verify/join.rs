//! What verified entries say of each other: a decision's credential and the issuance behind it, an effect and its decision.

use std::collections::HashMap;

use govlog_formats::cbor::to_deterministic;
use govlog_formats::digest::Digest;
use govlog_formats::record::{Body, Handle, LinkTarget, Record};

use super::entry::VerifiedEntry;
use super::member::VerifiedMember;

/// What was verified, as far as links go: an entry, or a member of a batch.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its id, as a verdict prints it.
    pub id: String,
    leaf: Digest,
    record: Option<Record>,
}

impl From<&VerifiedEntry> for Said {
    fn from(entry: &VerifiedEntry) -> Self {
        Self { id: entry.id().to_string(), leaf: entry.statement().leaf_hash(), record: entry.record() }
    }
}

impl From<&VerifiedMember> for Said {
    fn from(member: &VerifiedMember) -> Self {
        Self { id: member.id(), leaf: member.leaf(), record: Some(member.record().clone()) }
    }
}

/// One entry that another one links to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Position of the entry that links, in the slice given.
    pub from: usize,
    /// Position of the entry linked to.
    pub to: usize,
    /// The relation, such as `authenticated_by`.
    pub rel: String,
    /// What both entries hold, such as `cert_s256 292c42db…`.
    pub by: String,
}

/// Finds the links between verified entries and members, by leaf hash or by a handle that both hold.
///
/// Only what the entries' own signed bytes say counts; a payload that is no record of its kind joins nothing.
#[must_use]
pub fn joins(verified: &[Said]) -> Vec<Join> {
    let holders = Holders::new(verified);
    let mut found = Vec::new();
    for (from, said) in verified.iter().enumerate() {
        for (rel, target) in said.record.iter().flat_map(targets) {
            let others = holders.of(&target).iter().filter(|to| **to != from);
            found.extend(others.map(|to| Join { from, to: *to, rel: rel.clone(), by: shown(&target) }));
        }
    }
    found.dedup();
    found
}

/// Which entries a link leads to: a look-up for each link, for comparing each entry with each takes long over thousands.
struct Holders {
    by_leaf: HashMap<Digest, Vec<usize>>,
    /// By the handle's canonical bytes.
    by_handle: HashMap<Vec<u8>, Vec<usize>>,
}

impl Holders {
    fn new(verified: &[Said]) -> Self {
        let (mut by_leaf, mut by_handle) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (at, said) in verified.iter().enumerate() {
            by_leaf.entry(said.leaf).or_default().push(at);
            for handle in said.record.iter().filter_map(Record::body).flat_map(Body::handles) {
                by_handle.entry(key(&handle)).or_default().push(at);
            }
        }
        Self { by_leaf, by_handle }
    }

    fn of(&self, target: &LinkTarget) -> &[usize] {
        let holders = match target {
            LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. } => self.by_leaf.get(leaf),
            LinkTarget::Handle(handle) => self.by_handle.get(&key(handle)),
        };
        holders.map(Vec::as_slice).unwrap_or_default()
    }
}

fn key(handle: &Handle) -> Vec<u8> {
    to_deterministic(&handle.to_value())
}

/// The explicit links, and what a kind's own fields link to.
fn targets(record: &Record) -> Vec<(String, LinkTarget)> {
    let links = record.body().map(Body::links).unwrap_or_default();
    let mut targets: Vec<_> = links.into_iter().map(|link| (link.rel, link.target)).collect();
    let implied = match record {
        Record::Decision(decision) => {
            decision.credential().present().map(|handle| ("authenticated_by".to_owned(), LinkTarget::Handle(handle)))
        }
        _ => None,
    };
    if let Some(implied) = implied.filter(|implied| !targets.contains(implied)) {
        targets.push(implied);
    }
    targets
}

fn shown(target: &LinkTarget) -> String {
    match target {
        LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. } => format!("leaf {leaf}"),
        LinkTarget::Handle(handle) => handle.to_string(),
    }
}
