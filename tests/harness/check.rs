//! Reading a whole log over its public routes, and holding it to what it has promised.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use govlog_formats::checkpoint::Checkpoint;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, MemoryTree, TreeSize, leaf_hash};
use govlog_formats::statement::SignedStatement;
use govlog_formats::tile::{TileId, TilePath, bundle, entry_bundles, hash_tiles};
use serde_json::Value;

use crate::http::Client;
use crate::wait::{SOON, within};
use crate::{Broken, Ledger, Log};

/// A log that has kept every promise in the ledger.
#[derive(Clone, Debug)]
pub struct Checked {
    /// All entries.
    pub entries: Vec<Vec<u8>>,
    /// The tree over them.
    pub tree: MemoryTree,
}

/// Reads every bundle, every tile and every published note of a running log, derives all of it again from the entries,
/// and compares with the ledger.
///
/// # Errors
/// What is missing, wrong, or not as promised.
pub fn log(log: &Log, ledger: &Ledger) -> Result<Checked, Broken> {
    log_within(SOON, log, ledger)
}

/// As [`log`], for a log that is expected to have lost something: what is not published within this time counts as lost.
///
/// # Errors
/// As there.
pub fn log_within(limit: Duration, log: &Log, ledger: &Ledger) -> Result<Checked, Broken> {
    let mut reader = Reader { client: log.client() };
    let head = newest_head(&mut reader, log, ledger.covering_size(), limit)?;
    let entries = reader.entries(head.size)?;
    let tree: MemoryTree = entries.iter().map(|entry| leaf_hash(entry)).collect();
    same("the root that the entries give", &tree.root(), &head.root)?;
    reader.check_tiles(&tree)?;
    check_notes(&mut reader, log, &tree)?;
    check_promises(ledger, &tree)?;
    check_statements(&entries)?;
    Ok(Checked { entries, tree })
}

/// Waits for a head that covers so much, and takes the newest there is when none comes.
fn newest_head(reader: &mut Reader, log: &Log, size: u64, limit: Duration) -> Result<Checkpoint, Broken> {
    let mut newest = Err(Broken("there is no checkpoint".into()));
    within(limit, || {
        let note = reader.get("/checkpoint").ok()?;
        newest = match log.policy.verify_checkpoint(&note) {
            Err(error) => Err(Broken(format!("the checkpoint: {error}"))),
            Ok(head) if !head.quorum().met() => Err(Broken(format!("the checkpoint: {}", head.quorum()))),
            Ok(head) => Ok(head.checkpoint().clone()),
        };
        newest.as_ref().map_or(true, |head| head.size.get() >= size).then_some(())
    });
    newest
}

/// Every published note is of this tree, and there is one order of them.
fn check_notes(reader: &mut Reader, log: &Log, tree: &MemoryTree) -> Result<(), Broken> {
    let mut from = 1;
    loop {
        let page = reader.get(&format!("/v1/checkpoints?from={from}&to={}", tree.size()))?;
        let page: Value = serde_json::from_slice(&page).map_err(|error| Broken(format!("/v1/checkpoints: {error}")))?;
        for row in page["checkpoints"].as_array().into_iter().flatten() {
            let note = row["note"].as_str().unwrap_or_default();
            let verified = log.policy.verify_checkpoint(note.as_bytes());
            let verified = verified.map_err(|error| Broken(format!("a published note: {error}")))?;
            let (head, quorum) = (verified.checkpoint(), verified.quorum());
            if !quorum.met() {
                return Err(Broken(format!("a note of size {} was published: {quorum}", head.size)));
            }
            if row["size"].as_u64() != Some(head.size.get()) {
                return Err(Broken(format!("the note listed as {} is of size {}", row["size"], head.size)));
            }
            match tree.root_at(head.size) {
                Some(root) => same(&format!("the root published for size {}", head.size), &head.root, &root)?,
                None => return Err(Broken(format!("a note of size {} is listed up to {}", head.size, tree.size()))),
            }
        }
        match page["next"].as_u64() {
            Some(next) => from = next,
            None => return Ok(()),
        }
    }
}

/// All that was acknowledged stands where it was acknowledged, and every head signed is a head of this tree.
fn check_promises(ledger: &Ledger, tree: &MemoryTree) -> Result<(), Broken> {
    let pages = ledger.pages();
    for (index, leaf) in &pages.entries {
        match tree.leaf(LeafIndex::new(*index)) {
            Some(found) if found == *leaf => {}
            Some(found) => return Err(Broken(format!("acknowledged entry {index} was {leaf} and is {found}"))),
            None => {
                return Err(Broken(format!("acknowledged entry {index} is lost: the log has {} entries", tree.size())));
            }
        }
    }
    for (size, root) in &pages.heads {
        match tree.root_at(TreeSize::new(*size)) {
            Some(found) => same(&format!("the root signed for size {size}"), root, &found)?,
            None => {
                return Err(Broken(format!("a head of size {size} was signed: the log has {} entries", tree.size())));
            }
        }
    }
    Ok(())
}

/// Every entry is a statement, none is there twice, and no stream has a gap.
fn check_statements(entries: &[Vec<u8>]) -> Result<(), Broken> {
    let mut streams: BTreeMap<(String, String), (u64, Digest)> = BTreeMap::new();
    let mut identities = BTreeSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let statement =
            SignedStatement::parse_entry(entry).map_err(|error| Broken(format!("entry {index}: {error}")))?;
        let identity = statement.sig_structure_digest();
        if !identities.insert(identity) {
            return Err(Broken(format!("entry {index} is in the log twice")));
        }
        let claims = statement.claims();
        let Some(position) = &claims.stream else { continue };
        let place = streams.entry((claims.iss.clone(), position.stream.clone())).or_insert((0, Digest::ZERO));
        if (position.seq, position.prev) != *place {
            return Err(Broken(format!("entry {index} has seq {}, its stream goes on with {}", position.seq, place.0)));
        }
        *place = (position.seq + 1, identity);
    }
    Ok(())
}

struct Reader {
    client: Client,
}

impl Reader {
    fn get(&mut self, path: &str) -> Result<Vec<u8>, Broken> {
        match self.client.get(path) {
            Ok(answer) if answer.status == 200 => Ok(answer.body),
            Ok(answer) => Err(Broken(format!("GET {path}: {} {}", answer.status, answer.text()))),
            Err(error) => Err(Broken(format!("GET {path}: {error}"))),
        }
    }

    fn entries(&mut self, size: TreeSize) -> Result<Vec<Vec<u8>>, Broken> {
        let mut entries = Vec::new();
        for path in entry_bundles(size) {
            let bytes = self.get(&format!("/{path}"))?;
            let found = bundle::parse(&bytes, path.width()).map_err(|error| Broken(format!("{path}: {error}")))?;
            entries.extend(found.into_iter().map(<[u8]>::to_vec));
        }
        Ok(entries)
    }

    fn check_tiles(&mut self, tree: &MemoryTree) -> Result<(), Broken> {
        use govlog_formats::merkle::NodeReader as _;
        for path in hash_tiles(tree.size()) {
            let TilePath::Hash { id, width } = path else { continue };
            let nodes: Vec<_> = (0..width).map(|offset| node(id, offset)).collect();
            let expected: Vec<u8> = tree.read_nodes(&nodes).unwrap().iter().flat_map(|hash| *hash.as_bytes()).collect();
            if self.get(&format!("/{path}"))? != expected {
                return Err(Broken(format!("{path} is not what the entries give")));
            }
        }
        Ok(())
    }
}

fn node(id: TileId, offset: u16) -> govlog_formats::merkle::Node {
    id.node(u8::try_from(offset).unwrap())
}

fn same(what: &str, found: &Digest, expected: &Digest) -> Result<(), Broken> {
    if found == expected { Ok(()) } else { Err(Broken(format!("{what} is {found}, not {expected}"))) }
}
