//! Files made by hand from a log in memory, and what a verifier makes of them and of everything near them.

mod batches;
mod claims;
mod closure;
mod cut;
pub(super) mod export;
mod honest;
mod mutations;
mod reached;
mod revoked;
mod scene;

use std::collections::{BTreeMap, BTreeSet};

use govlog_formats::digest::Digest;
use govlog_formats::merkle::{ConsistencyProof, InclusionProof, LeafIndex, TreeSize};
use govlog_formats::receipt::{ReceiptClaims, SignedRoot};
use govlog_formats::statement::SignedStatement;
use govlog_formats::transparent;

use super::file::archive;
use super::{BatchesSeen, Contents, CustodyVerdict, Earlier, Evidence, Members, Query, verify};
use crate::testing::{ORIGIN, Random, TestLog, decision, issuance};
use crate::trust::{Trust, TrustDir};

/// A log with an issuance, a decision under it, and another matter, all of it published entry by entry.
fn log() -> TestLog {
    let mut log = TestLog::new();
    log.add("issuance", &issuance());
    log.add("decision", &decision("d-1"));
    log.add("decision", &decision("d-2"));
    log
}

/// A trust directory that knows entry 0 alone, and how its witnesses stand to the log.
pub(super) fn trust(log: &TestLog) -> (tempfile::TempDir, Trust) {
    let dir = tempfile::tempdir().unwrap();
    let made = TrustDir::create(&dir.path().join("trust"), &log.policy(), &log.entries[0]).unwrap();
    let trust = made.trust().clone();
    (dir, trust)
}

/// What a collector takes of a log: these entries, the first of which is what was asked for.
pub(super) fn contents(log: &TestLog, at: TreeSize, indexes: &[u64]) -> Contents {
    let tree = log.tree();
    let root = tree.root_at(at).unwrap();
    let evidence = |index: &u64| {
        let index = LeafIndex::new(*index);
        let statement = transparent_at(log, index, TreeSize::new((index.get() + 1).max(2)));
        (index, Evidence { statement, path: log.proof(index, at).path })
    };
    let sizes: BTreeSet<u64> =
        indexes.iter().chain(&[0, 1]).map(|index| (index + 1).max(2)).filter(|n| *n < at.get()).collect();
    let earlier = |size: u64| {
        let size = TreeSize::new(size);
        let path = ConsistencyProof::build(&tree, size, at).unwrap().path;
        (size, Earlier { note: log.note_of(size, &[0, 1]), path })
    };
    Contents {
        origin: ORIGIN.to_owned(),
        size: at,
        root,
        note: log.note_of(at, &[0, 1, 2]),
        entries: indexes.iter().map(evidence).collect(),
        earlier: sizes.into_iter().map(earlier).collect(),
        policy: log.policy(),
        changes: [0, 1].iter().map(evidence).collect(),
        openings: BTreeMap::new(),
        query: Query { entries: vec![format!("1.{}", indexes[0])], ..Query::default() },
        collector: Some("responder-7".to_owned()),
        purpose: Some("case 2031".to_owned()),
        completeness: "index".to_owned(),
        starts: vec![LeafIndex::new(indexes[0]).into()],
        batches: BatchesSeen::default(),
        members: Members::new(),
        cut_at: None,
        refused: Vec::new(),
    }
}

/// An entry with a receipt at this size, as a log serves it once that size is published.
fn transparent_at(log: &TestLog, index: LeafIndex, size: TreeSize) -> Vec<u8> {
    let statement = SignedStatement::parse(&log.entries[usize::try_from(index.get()).unwrap()]).unwrap();
    let claims =
        ReceiptClaims { iss: format!("https://{ORIGIN}"), sub: statement.claims().sub.clone(), iat: 1_700_000_000 };
    let root = log.tree().root_at(size).unwrap();
    let proof = InclusionProof::build(&log.tree(), index, size).unwrap();
    let cosigners: &[usize] = if size == log.size() { &[0, 1, 2] } else { &[0, 1] };
    let note = log.note_of(size, cosigners);
    let receipt = SignedRoot::sign(&log.receipt, &claims, &root).unwrap().receipt(&proof, &note).unwrap();
    transparent::assemble(statement.entry(), &[receipt]).unwrap()
}

fn judge(trust: &Trust, bytes: &[u8]) -> CustodyVerdict {
    verify(trust, "case.zip", bytes, &[])
}

fn why(verdict: &CustodyVerdict) -> String {
    verdict.result.as_ref().map_or_else(|failure| failure.why.clone(), |_| "VERIFIED".to_owned())
}

/// Whether a receipt in a file that verifies is by a key that nobody knows, which is said of that member alone. It takes nothing away: entries and
/// times are those of the honest verdict.
fn is_by_nobody(verdict: &CustodyVerdict, name: &str, honest: &CustodyVerdict) -> bool {
    let said = format!("the receipts of 1 members ({name}): none is by a receipt key");
    if !verdict.not_proved.iter().any(|other| other.starts_with(&said)) {
        return false;
    }
    let told = |verdict: &CustodyVerdict| {
        let entries = verdict.result.as_ref().unwrap().entries.iter();
        entries.map(|held| (held.spot(), held.role, held.bracket, held.payload().to_vec())).collect::<Vec<_>>()
    };
    let bare = |verdict: &CustodyVerdict| {
        verdict.result.as_ref().unwrap().entries.iter().filter(|held| !held.has_receipt).count()
    };
    assert_eq!(told(verdict), told(honest), "{name}");
    assert!(bare(verdict) <= bare(honest) + 1, "{name}");
    true
}

/// A file with some of its members changed, and if `is_listed` the manifest's digests of them too.
pub(super) fn rebuilt(bytes: &[u8], is_listed: bool, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> Vec<u8> {
    let members = archive::read(bytes).unwrap();
    let mut members: BTreeMap<String, Vec<u8>> =
        members.into_iter().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect();
    change(&mut members);
    if is_listed {
        let mut manifest = super::Manifest::parse(&members["manifest.json"]).unwrap();
        let others = members.iter().filter(|(name, _)| *name != "manifest.json");
        manifest.files = others.map(|(name, bytes)| (name.clone(), Digest::sha256(bytes).to_string())).collect();
        members.insert("manifest.json".to_owned(), manifest.to_bytes().unwrap());
    }
    archive::write(&members).unwrap()
}
