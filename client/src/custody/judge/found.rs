//! A custody file that was verified, and what follows from it. Everything that is shown of a file, in a verdict or a report, is made from this.

use std::collections::{BTreeMap, BTreeSet};

use govlog_formats::digest::Digest;
use govlog_formats::merkle::TreeSize;

use super::super::file::{Manifest, StreamSeen};
use super::super::matter::{DeadLink, Edge, Role};
use super::super::relations::{REVOCABLE, Spot, is_revoking};
use super::held::Held;
use crate::openings::State;
use crate::verify::{Redacted, VerifiedEntry, WitnessSeen};

/// A verified custody file.
#[derive(Clone, Debug)]
pub struct Custody {
    /// What the file says of itself; the claims in it are not verified.
    pub manifest: Manifest,
    /// SHA-256 of the manifest: the file's name for whoever records its custody.
    pub manifest_digest: Digest,
    /// SHA-256 of the whole file.
    pub file_digest: Digest,
    /// The fingerprint of the trust directory that it was judged by.
    pub fingerprint: Digest,
    /// The one checkpoint.
    pub checkpoint: Head,
    /// The admission policy.
    pub changes: Changes,
    /// The entries, in the log's order, each with its members that are here behind it.
    pub entries: Vec<Held>,
    /// The relations between them.
    pub edges: Vec<Edge>,
    /// Relations that are followed and lead to no entry of the file.
    pub dead_links: Vec<DeadLink>,
    /// What redactions in the file say of its entries; positions are those of `entries`.
    pub redactions: Vec<Redacted>,
    /// The streams that the entries stand in.
    pub streams: Vec<StreamSeen>,
    /// The `custody` records about this file that lay beside it, verified.
    pub records: Vec<Recorded>,
}

/// The file's checkpoint.
#[derive(Clone, Debug)]
pub struct Head {
    /// The tree size.
    pub size: TreeSize,
    /// The root hash.
    pub root: Digest,
    /// The witnesses of your policy that cosigned it.
    pub witnesses: Vec<WitnessSeen>,
    /// How many witnesses your policy knows.
    pub known_witnesses: usize,
    /// Whether your policy asks for any.
    pub asks_for_witnesses: bool,
    /// Since when a quorum of them has signed it, by its slowest clock, POSIX seconds: one of them alone cannot make it newer.
    pub time_s: Option<u64>,
    /// The sizes of the earlier notes in the file, each proved to be of the same history.
    pub earlier: Vec<TreeSize>,
}

/// The admission policy as the file encloses it and you know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes {
    /// How many of its entries are enclosed.
    pub enclosed: usize,
    /// How many changes you did not know, and the file proves under your own operators' keys and witnesses.
    pub learnt: usize,
    /// How many of its entries below the checkpoint you knew, and whoever collected the file did not.
    pub more: usize,
    /// The number of the newest change that entries were judged by.
    pub as_of: usize,
    /// Whether the collector's policy on heads is yours.
    pub is_same_policy: bool,
}

/// A `custody` record about the file.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The entry, verified.
    pub entry: VerifiedEntry,
    /// What was done: `export`, `hand-over` …
    pub op: String,
    /// Who collected it, as recorded.
    pub collector: Option<String>,
    /// Who got it, as recorded.
    pub recipient: Option<String>,
    /// What for, as recorded.
    pub purpose: Option<String>,
    /// Whether the checkpoint and the query that it names, where it does, are the file's.
    pub is_same_matter: bool,
}

impl Custody {
    /// What stands there.
    #[must_use]
    pub fn at(&self, spot: impl Into<Spot>) -> Option<&Held> {
        at(&self.entries, spot.into())
    }

    /// How many entries are here, and how many members of batches.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let members = self.entries.iter().filter(|held| held.member.is_some()).count();
        (self.entries.len() - members, members)
    }

    /// Entries that can be revoked, belong to the matter, and of which no revocation is in the file.
    #[must_use]
    pub fn unrevoked(&self) -> Vec<&Held> {
        let revoked = self.revoked();
        let is_revoked = |held: &&Held| revoked.contains(&held.spot());
        let can_be = |held: &&Held| held.role > Some(Role::Word) && REVOCABLE.contains(&held.kind());
        self.entries.iter().filter(can_be).filter(|held| !is_revoked(held)).collect()
    }

    /// What is to be added wherever something is said not to be here: nothing, unless the collector stopped before the end.
    pub(crate) fn unlooked(&self) -> &'static str {
        if self.manifest.not_found.cut_at.is_some() { " (not looked for to the end)" } else { "" }
    }

    /// What a revocation in the file revokes, or bears on.
    pub(crate) fn revoked(&self) -> BTreeSet<Spot> {
        let kinds: BTreeMap<Spot, &str> = self.entries.iter().map(|held| (held.spot(), held.kind())).collect();
        let is_revoking = |edge: &&Edge| kinds.get(&edge.from).is_some_and(|kind| is_revoking(&edge.rel, kind));
        self.edges.iter().filter(is_revoking).map(|edge| edge.to).collect()
    }

    /// What the file discloses of sealed values: each a field and the id of its entry, as `input of 1.407`.
    #[must_use]
    pub fn disclosed(&self) -> Vec<String> {
        let of = |held: &Held| {
            let opened = held.fields.iter().filter(|field| matches!(field.state, State::Opened(_)));
            opened.map(|field| format!("{} of {}", field.path, held.id())).collect::<Vec<_>>()
        };
        self.entries.iter().flat_map(of).collect()
    }

    /// How many values are sealed and stay so.
    #[must_use]
    pub fn sealed(&self) -> usize {
        self.entries.iter().flat_map(|held| &held.fields).filter(|field| matches!(field.state, State::Closed)).count()
    }

    /// The record that confirms collector and purpose as the manifest claims them, at this checkpoint, for this query.
    #[must_use]
    pub fn confirmed(&self) -> Option<&Recorded> {
        let is_same = |record: &&Recorded| {
            record.op == "export"
                && record.is_same_matter
                && record.collector == self.manifest.collector
                && record.purpose == self.manifest.purpose
        };
        self.records.iter().find(is_same)
    }
}

/// What stands there, among what is in the log's order.
pub(super) fn at(held: &[Held], spot: Spot) -> Option<&Held> {
    held.binary_search_by_key(&spot, Held::spot).ok().and_then(|at| held.get(at))
}

impl Recorded {
    /// Who says so, in what may be another's words: to be escaped.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.entry.statement().claims().iss
    }
}
