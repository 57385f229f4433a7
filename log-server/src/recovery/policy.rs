//! The policy in force, folded again from the entries it was made of.
//!
//! They stand in the operator's stream of changes and, one for each operator's key, in streams of approvals: all dense, all read in the order of
//! the log.

use std::collections::{BTreeMap, VecDeque};

use govlog_formats::admission::{OPERATOR_STREAM, PolicyState, approval_stream, operator_iss};
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::statement::SignedStatement;

use super::StartRefused;
use crate::store::{LogStore, StreamId, StreamRow};

/// Rows of a stream read at once.
const PAGE: usize = 256;

/// Folds the admission policy from its entries below `size`.
///
/// # Errors
/// When an entry of the operator's streams is missing or cannot be folded.
pub fn fold_policy(store: &dyn LogStore, size: TreeSize, origin: &str) -> Result<PolicyState, StartRefused> {
    let mut streams = Streams { store, size, iss: operator_iss(origin), cursors: BTreeMap::new() };
    streams.open(OPERATOR_STREAM.to_owned())?;
    let mut policy: Option<PolicyState> = None;
    while let Some(index) = streams.next()? {
        let refused = |why: String| StartRefused::PolicyEntry { index, why };
        let statement = policy_entry(store, index)?;
        let after = match &policy {
            None if index != LeafIndex::new(0) => return Err(refused("the first change is not entry 0".into())),
            None => PolicyState::genesis(&statement).map_err(|error| refused(error.to_string()))?,
            Some(before) => before.apply(index, &statement).map_err(|error| refused(error.to_string()))?,
        };
        // Nobody but an operator signs in such a stream: before its key was one, it had no entries.
        for (kid, _) in after.operators() {
            streams.open(approval_stream(kid))?;
        }
        policy = Some(after);
    }
    policy.ok_or(StartRefused::NoPolicy)
}

/// The operator's streams, read side by side.
struct Streams<'a> {
    store: &'a dyn LogStore,
    size: TreeSize,
    iss: String,
    cursors: BTreeMap<String, Cursor>,
}

/// How far a stream is read.
struct Cursor {
    id: StreamId,
    rows: VecDeque<StreamRow>,
    next_seq: u64,
    ended: bool,
}

impl Streams<'_> {
    /// Begins to read a stream, if that has not been done.
    fn open(&mut self, name: String) -> Result<(), StartRefused> {
        if self.cursors.contains_key(&name) {
            return Ok(());
        }
        let id = StreamId::new(&self.iss, &name);
        let mut cursor = Cursor { id, rows: VecDeque::new(), next_seq: 0, ended: false };
        cursor.fill(self.store, self.size)?;
        self.cursors.insert(name, cursor);
        Ok(())
    }

    /// Takes the entry that comes first in the log among those not yet taken.
    fn next(&mut self) -> Result<Option<LeafIndex>, StartRefused> {
        let first = self.cursors.values_mut().filter(|cursor| !cursor.rows.is_empty());
        let Some(cursor) = first.min_by_key(|cursor| cursor.rows.front().map(|row| row.index)) else {
            return Ok(None);
        };
        let Some(row) = cursor.rows.pop_front() else { return Ok(None) };
        if row.seq != cursor.next_seq {
            let why = format!("it has sequence number {}, not {}", row.seq, cursor.next_seq);
            return Err(StartRefused::PolicyEntry { index: row.index, why });
        }
        cursor.next_seq += 1;
        if cursor.rows.is_empty() {
            cursor.fill(self.store, self.size)?;
        }
        Ok(Some(row.index))
    }
}

impl Cursor {
    fn fill(&mut self, store: &dyn LogStore, size: TreeSize) -> Result<(), StartRefused> {
        if self.ended {
            return Ok(());
        }
        let rows = store.stream_rows(&self.id, self.next_seq, PAGE)?;
        let below = rows.iter().filter(|row| row.index.get() < size.get()).copied();
        self.rows.extend(below);
        self.ended = rows.len() < PAGE || self.rows.len() < rows.len();
        Ok(())
    }
}

fn policy_entry(store: &dyn LogStore, index: LeafIndex) -> Result<SignedStatement, StartRefused> {
    let entry =
        store.entry(index)?.ok_or_else(|| StartRefused::PolicyEntry { index, why: "there is no such entry".into() })?;
    SignedStatement::parse_entry(&entry).map_err(|error| StartRefused::PolicyEntry { index, why: error.to_string() })
}
