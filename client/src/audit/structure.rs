//! `audit --structure`: the whole log from its public files, every entry, every tile, every rule that needs no meaning.

use govlog_formats::digest::Digest;
use govlog_formats::merkle::{self, BuildError, ConsistencyProof, EMPTY_ROOT, LeafIndex, TreeSize};
use govlog_formats::tile::{self, TilePath};

use super::conflicts::conflicts;
use super::report::{Check, Report};
use super::walk::Walk;
use crate::source::{Head, HeadError, Published, Source, SourceError, Tree, TreeError, published_page};
use crate::trust::Trust;
use crate::verify::Outcome;

const MAX_BUNDLE_BYTES: usize = 256 * (65_535 + 2);

/// Told how far the audit has come: entries done, entries in all.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Why an audit could not be made; what it proves wrong is in the [`Report`] instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// There is no head to audit up to.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// A tile or bundle cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The source did not answer.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The list of statements that collided cannot be understood.
    #[error("v1/conflicts: {0}")]
    Conflicts(String),
    /// The list of checkpoints does not go on as it says.
    #[error("v1/checkpoints: {0}")]
    List(String),
}

/// Audits a log's structure up to its newest published head, from public files alone.
///
/// # Errors
///
/// The log cannot be read to the end. What is read and is wrong stands in the report.
pub fn audit(source: &Source, trust: &Trust, progress: Progress<'_>) -> Result<(Head, Report), AuditError> {
    let head = Head::read(source, trust)?;
    let tree = Tree::new(source, head.size());
    let mut walk = Walk::new(trust);
    let mut levels = Levels::default();
    for path in tile::entry_bundles(head.size()) {
        let TilePath::Entries { n, width } = path else { continue };
        let bytes = tree.fetch(path, MAX_BUNDLE_BYTES)?;
        match tile::bundle::parse(&bytes, width) {
            Ok(entries) => {
                for (offset, entry) in (0_u64..).zip(entries) {
                    walk.entry(LeafIndex::new(n * tile::WIDTH + offset), entry);
                    levels.push(merkle::leaf_hash(entry), &tree, &mut walk)?;
                }
            }
            Err(error) => {
                // Nothing after it can be placed, so the audit ends here, refuted.
                walk.finding(Check::Tiles, Outcome::Refuted, format!("{path}: {error}"));
                return Ok((
                    head.clone(),
                    walk.report(head.size().get(), head.root(), 0, vec!["what follows the broken bundle".to_owned()]),
                ));
            }
        }
        progress((n * tile::WIDTH + u64::from(width)).min(head.size().get()), head.size().get());
    }
    let root = levels.finish(&tree, &mut walk)?;
    if root != *head.root() {
        let what =
            format!("the entries hash to root {root}; the checkpoint of size {} says {}", head.size(), head.root());
        walk.finding(Check::Tiles, Outcome::Refuted, what);
    }
    let mut not_checked = vec!["what the records say: this is the structural audit".to_owned()];
    let compared = checkpoints(source, trust, &head, &mut walk, &mut not_checked)?;
    same_changes(trust, &mut walk);
    let conflicts = conflicts(source, &head, &mut walk, &mut not_checked)?;
    let report = walk.report(head.size().get(), head.root(), compared, not_checked);
    Ok((head, Report { conflicts, ..report }))
}

/// What the trust directory holds must be what the log holds.
fn same_changes(trust: &Trust, walk: &mut Walk<'_>) {
    let wrong: Vec<String> = walk.history().map_or_else(Vec::new, |found| {
        let changes = trust.history().entries().iter();
        let differs = changes.filter(|known| {
            found.change_at(known.index).is_none_or(|change| change.statement.entry() != known.statement.entry())
        });
        differs.map(|known| format!("entry 1.{} is not the one in your trust directory", known.index)).collect()
    });
    for what in wrong {
        walk.finding(Check::Admission, Outcome::Refuted, what);
    }
}

/// Rebuilds every tile from the leaf hashes and compares it with the one the log serves.
#[derive(Default)]
struct Levels {
    /// The hashes of the tile that is being filled, per tile level.
    open: Vec<Vec<Digest>>,
    /// How many tiles are full, per tile level.
    full: Vec<u64>,
    frontier: merkle::Frontier,
}

impl Levels {
    fn push(&mut self, leaf: Digest, tree: &Tree<'_>, walk: &mut Walk<'_>) -> Result<(), AuditError> {
        if self.frontier.push(leaf).is_err() {
            walk.finding(Check::Tiles, Outcome::Refuted, "more entries than a tree can have".to_owned());
        }
        let mut carried = Some((0_usize, leaf));
        while let Some((level, hash)) = carried.take() {
            if self.open.len() <= level {
                self.open.push(Vec::new());
                self.full.push(0);
            }
            let (Some(open), Some(full)) = (self.open.get_mut(level), self.full.get_mut(level)) else { break };
            open.push(hash);
            if open.len() as u64 == tile::WIDTH {
                let hashes = std::mem::take(open);
                let n = *full;
                *full += 1;
                compare(level, n, &hashes, tree, walk)?;
                carried = Some((level + 1, root_of(&hashes)));
            }
        }
        Ok(())
    }

    fn finish(self, tree: &Tree<'_>, walk: &mut Walk<'_>) -> Result<Digest, AuditError> {
        for (level, (open, full)) in self.open.iter().zip(&self.full).enumerate() {
            if !open.is_empty() {
                compare(level, *full, open, tree, walk)?;
            }
        }
        Ok(self.frontier.root())
    }
}

fn compare(level: usize, n: u64, hashes: &[Digest], tree: &Tree<'_>, walk: &mut Walk<'_>) -> Result<(), AuditError> {
    let (Ok(level), Ok(width)) = (u8::try_from(level), u16::try_from(hashes.len())) else { return Ok(()) };
    let path = TilePath::Hash { id: tile::TileId { level, n }, width };
    let served = tree.fetch(path, tile::FULL_TILE_BYTES)?;
    let derived = hashes.iter().flat_map(|hash| hash.as_bytes().iter().copied());
    if !derived.eq(served.iter().copied()) {
        walk.finding(Check::Tiles, Outcome::Refuted, format!("{path}: not what its entries hash to"));
    }
    Ok(())
}

fn root_of(hashes: &[Digest]) -> Digest {
    let mut frontier = merkle::Frontier::new();
    for hash in hashes {
        // 256 hashes never exceed a tree's size.
        if frontier.push(*hash).is_err() {
            return EMPTY_ROOT;
        }
    }
    frontier.root()
}

/// Compares every published note with the audited head.
fn checkpoints(
    source: &Source,
    trust: &Trust,
    head: &Head,
    walk: &mut Walk<'_>,
    not_checked: &mut Vec<String>,
) -> Result<u64, AuditError> {
    let (mut from, mut compared) = (TreeSize::new(1), 0);
    loop {
        let Some(page) = published_page(source, from, head.size())? else {
            not_checked.push("earlier published checkpoints: the source lists none".to_owned());
            return Ok(compared);
        };
        for published in &page.notes {
            checkpoint(source, trust, head, published, walk)?;
            compared += 1;
        }
        match page.next {
            Some(next) if next > from => from = next,
            Some(_) => return Err(AuditError::List("the next page is not after this one".to_owned())),
            None => return Ok(compared),
        }
    }
}

fn checkpoint(
    source: &Source,
    trust: &Trust,
    head: &Head,
    published: &Published,
    walk: &mut Walk<'_>,
) -> Result<(), AuditError> {
    let refute = |walk: &mut Walk<'_>, check, why: String| {
        walk.finding(check, Outcome::Refuted, format!("the published checkpoint of size {}: {why}", published.size));
    };
    let verified = match trust.policy().verify_checkpoint(&published.note) {
        Ok(verified) => verified,
        Err(error) => {
            refute(walk, Check::Checkpoint, error.to_string());
            return Ok(());
        }
    };
    let old = verified.checkpoint();
    if old.size != published.size {
        refute(walk, Check::Checkpoint, format!("its note is of size {}", old.size));
        return Ok(());
    }
    if !verified.quorum().met() {
        refute(walk, Check::Checkpoint, verified.quorum().to_string());
    }
    if old.size == TreeSize::ZERO || old.size > head.size() {
        return Ok(());
    }
    let why = if old.size == head.size() {
        (old.root != *head.root()).then(|| "another root than the head of that size".to_owned())
    } else {
        let tree = Tree::new(source, head.size());
        match ConsistencyProof::build(&tree, old.size, head.size()) {
            Ok(proof) => proof.verify(&old.root, head.root()).err().map(|error| error.to_string()),
            Err(BuildError::Read(error)) => return Err(error.into()),
            Err(error) => Some(error.to_string()),
        }
    };
    if let Some(why) = why {
        refute(walk, Check::Consistency, format!("the audited head does not continue it: {why}"));
    }
    Ok(())
}
