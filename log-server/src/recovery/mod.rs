//! What start-up proves before the first request is taken.
//!
//! Nothing here mends anything. A start either explains all that it finds, or refuses and names what disagrees and the
//! runbook that says what to do.

mod policy;
mod refusal;

use std::path::PathBuf;
use std::sync::Arc;

use govlog_formats::admission::PolicyState;
use govlog_formats::checkpoint::Checkpoint;
use govlog_formats::merkle::{NodeReader, TreeSize, root_from, root_nodes};
use govlog_formats::note::{Note, Vkey};

use crate::failpoints;
use crate::head::{HeadFile, HeadOwner, HeadState, HeadStore};
use crate::sequencer::MAX_BATCH_ENTRIES;
use crate::store::{Bounds, Identity, LogStore, RocksStore};
use crate::tree::{RightEdge, TileCache, TreeHead, TreeView};

pub use policy::fold_policy;
pub use refusal::StartRefused;

/// Where a log keeps what is its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The store's directory.
    pub store: PathBuf,
    /// The head file; best on another disk.
    pub head: PathBuf,
}

/// What the configuration says about the log, to be found again in store and head.
#[derive(Clone, Debug)]
pub struct Configured {
    /// The log's origin.
    pub origin: String,
    /// The epoch of its tree.
    pub epoch: u64,
    /// The key that its checkpoints are signed with.
    pub vkey: Vkey,
}

/// A log of which all is proved that can be without witnesses.
pub struct Recovered {
    pub(crate) store: Arc<dyn LogStore>,
    pub(crate) head: Box<dyn HeadStore>,
    /// The head in the head file, and the edge of that tree.
    pub(crate) finished: TreeHead,
    pub(crate) finished_edge: RightEdge,
    /// The head of the last batch in the store, and the edge of that tree: larger when there is an unsigned tail.
    pub(crate) stored: TreeHead,
    pub(crate) stored_edge: RightEdge,
    /// The policy in force after the last entry stored.
    pub(crate) policy: Arc<PolicyState>,
}

impl Recovered {
    /// Returns the head that is surely committed.
    #[must_use]
    pub const fn finished(&self) -> &TreeHead {
        &self.finished
    }

    /// Returns the head of the last batch in the store.
    #[must_use]
    pub const fn stored(&self) -> &TreeHead {
        &self.stored
    }

    /// Returns the policy in force.
    #[must_use]
    pub const fn policy(&self) -> &Arc<PolicyState> {
        &self.policy
    }
}

impl std::fmt::Debug for Recovered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recovered")
            .field("finished", &self.finished)
            .field("stored", &self.stored)
            .finish_non_exhaustive()
    }
}

/// Opens store and head file, and proves what start-up must prove.
///
/// The head file comes first: its lock keeps a second process out before anything else is touched. The store is returned
/// as well for the one who closes it.
///
/// # Errors
/// [`StartRefused`], which names what disagrees and the runbook.
pub fn open(
    paths: &Paths,
    bounds: &Bounds,
    configured: &Configured,
) -> Result<(Arc<RocksStore>, Recovered), StartRefused> {
    let head = HeadFile::open(&paths.head)?;
    let store = Arc::new(RocksStore::open_with(&paths.store, bounds)?);
    let recovered = recover(Arc::clone(&store) as Arc<dyn LogStore>, Box::new(head), configured)?;
    Ok((store, recovered))
}

/// Proves what start-up must prove, but for what only witnesses know.
///
/// 1. store id, origin, epoch and head file belong together;
/// 2. the store is not smaller than the head, and not larger than what can have been under way;
/// 3. the right edge, rebuilt from full tiles and tail entries, gives the stored root;
/// 4. the root at the head's size is the head's;
/// 5. the admission policy, folded from its entries, names this origin and this key;
/// 6. no archived note lies above the head, and the newest one is of this tree and of this key.
///
/// # Errors
/// [`StartRefused`], which names what disagrees and the runbook.
pub fn recover(
    store: Arc<dyn LogStore>,
    mut head: Box<dyn HeadStore>,
    configured: &Configured,
) -> Result<Recovered, StartRefused> {
    let state = head.read()?;
    check_owner(&store.identity()?, &state, configured)?;
    let stored = store.head()?;
    check_entries_end(store.as_ref(), &stored)?;
    let finished = if failpoints::off("skip_head_check") {
        follow_the_store(head.as_mut(), &stored)?
    } else {
        check_sizes(&state, &stored)?;
        state.head
    };
    let stored_edge = edge_of(store.as_ref(), &stored, |found| StartRefused::StoreRoot { found, stored })?;
    let finished_edge = edge_of(store.as_ref(), &finished, |found| StartRefused::HeadRoot { found, head: finished })?;
    let policy = Arc::new(fold_policy(store.as_ref(), stored.size, &configured.origin)?);
    check_policy(&policy, configured)?;
    let view = TreeView::new(Arc::new(finished_edge.clone()), Arc::new(TileCache::new(Arc::clone(&store), 0)));
    check_newest_note(&view, &finished, configured)?;
    Ok(Recovered { store, head, finished, finished_edge, stored, stored_edge, policy })
}

/// "store id, key and origin belong together" (DESIGN §7.4); the key is compared with the policy's.
fn check_owner(identity: &Identity, head: &HeadState, configured: &Configured) -> Result<(), StartRefused> {
    if identity.origin != configured.origin {
        return Err(StartRefused::Origin { found: identity.origin.clone(), configured: configured.origin.clone() });
    }
    if identity.epoch != configured.epoch {
        return Err(StartRefused::Epoch { found: identity.epoch, configured: configured.epoch });
    }
    let expected = HeadOwner::new(identity.store, &identity.origin);
    if head.owner.store != expected.store {
        return Err(StartRefused::ForeignHead { head: head.owner.store, store: expected.store });
    }
    if head.owner.origin != expected.origin {
        return Err(StartRefused::HeadOrigin { found: head.owner.origin, origin: identity.origin.clone() });
    }
    Ok(())
}

/// The head row and the entries are of one batch, so they end together.
fn check_entries_end(store: &dyn LogStore, stored: &TreeHead) -> Result<(), StartRefused> {
    let end = store.last_entry()?.map_or(0, |index| index.get() + 1);
    if end != stored.size.get() {
        return Err(StartRefused::EntriesEnd { end: TreeSize::new(end), stored: stored.size });
    }
    Ok(())
}

/// "the store is not smaller than the head"; "if the other is invalid, the store must be *larger* than the valid one"
/// (DESIGN §7.3, §7.4).
fn check_sizes(state: &HeadState, stored: &TreeHead) -> Result<(), StartRefused> {
    let head = state.head;
    if stored.size < head.size {
        return Err(StartRefused::StoreBehind { stored: *stored, head });
    }
    if let Some(fault) = &state.torn
        && stored.size == head.size
    {
        return Err(StartRefused::TornWithoutTail { fault: fault.clone(), size: head.size });
    }
    if stored.size == head.size && *stored != head {
        return Err(StartRefused::SameSize { stored: *stored, head });
    }
    if stored.size.get() - head.size.get() > MAX_TAIL {
        return Err(StartRefused::TailTooLong { stored: stored.size, head: head.size, most: MAX_TAIL });
    }
    if stored.time < head.time {
        return Err(StartRefused::TimeBack { stored: *stored, head });
    }
    Ok(())
}

/// Most entries that can be above the head: one batch being finished, and one written behind it.
const MAX_TAIL: u64 = 2 * MAX_BATCH_ENTRIES as u64;

fn edge_of(
    store: &dyn LogStore,
    head: &TreeHead,
    refused: impl FnOnce(govlog_formats::digest::Digest) -> StartRefused,
) -> Result<RightEdge, StartRefused> {
    let edge = RightEdge::rebuild(store, head.size)?;
    if edge.root() == head.root { Ok(edge) } else { Err(refused(edge.root())) }
}

/// A note is archived only for a committed size, so none lies above the head; and it must be of this tree.
fn check_newest_note(view: &TreeView, head: &TreeHead, configured: &Configured) -> Result<(), StartRefused> {
    let Some(archived) = view.store().newest_archived()? else { return Ok(()) };
    if archived.size > head.size {
        return Err(StartRefused::NoteAhead { note: archived.size, head: head.size });
    }
    let refused = |why: String| StartRefused::Note { size: archived.size, why };
    let note = Note::parse(&archived.note).map_err(|error| refused(error.to_string()))?;
    note.verify_log(&configured.vkey).map_err(|error| refused(error.to_string()))?;
    let checkpoint = Checkpoint::of_note(&note).map_err(|error| refused(error.to_string()))?;
    let nodes = view.read_nodes(&root_nodes(archived.size)).map_err(|error| refused(error.to_string()))?;
    let root = root_from(archived.size, &nodes).map_err(|error| refused(error.to_string()))?;
    if checkpoint.origin.as_str() != configured.origin {
        return Err(refused(format!("it is of {}", checkpoint.origin.as_str())));
    }
    if (checkpoint.size, checkpoint.root) != (archived.size, root) {
        return Err(refused(format!(
            "it says size {} root {}; the tree has root {root} at size {}",
            checkpoint.size, checkpoint.root, archived.size
        )));
    }
    Ok(())
}

fn check_policy(policy: &PolicyState, configured: &Configured) -> Result<(), StartRefused> {
    if policy.origin() != configured.origin {
        return Err(StartRefused::Origin { found: policy.origin().to_owned(), configured: configured.origin.clone() });
    }
    let named = policy.log().checkpoint.to_string();
    if named != configured.vkey.to_string() {
        return Err(StartRefused::Key { policy: named, configured: configured.vkey.to_string() });
    }
    Ok(())
}

/// Makes the head follow the store, whatever it was: only to show that a test notices.
#[cfg(feature = "failpoints")]
fn follow_the_store(head: &mut dyn HeadStore, stored: &TreeHead) -> Result<TreeHead, StartRefused> {
    head.overwrite(stored)?;
    Ok(*stored)
}

/// Never called: without the feature no check can be switched off.
#[cfg(not(feature = "failpoints"))]
fn follow_the_store(head: &mut dyn HeadStore, _: &TreeHead) -> Result<TreeHead, StartRefused> {
    Ok(head.read()?.head)
}

#[cfg(test)]
mod tests;
