//! The index against brute force, and against what can happen to it.

mod faults;
mod model;
mod worker;

use std::path::Path;
use std::sync::Arc;

use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::merkle::LeafIndex;
use govlog_formats::record::view::from_json;
use govlog_formats::search::{Filter, Marks};
use govlog_formats::statement::{Claims, Content, SignedStatement, StatementHeader, content_type_of};
use serde_json::Value as Json;

use super::build::advance;
use super::fault::Fault;
use super::search::{Effort, Page, SearchError, page, page_for};
use super::shared::Shared;
use super::tail::Room;
use crate::clock::Millis;
use crate::sequencer::{Batch, EntryRow};
use crate::store::{LogStore, MemoryStore, StreamKey};
use crate::tree::RightEdge;
use crate::tree::testing::identity;

/// Signs a record of an issuer.
fn record(kind: &str, issuer: u64, view: &Json) -> SignedStatement {
    record_at(1_000, kind, issuer, view)
}

/// Signs one at this time, in seconds.
fn record_at(iat: i64, kind: &str, issuer: u64, view: &Json) -> SignedStatement {
    let claims = Claims {
        iss: format!("spiffe://prod.example/pep/{issuer}"),
        sub: format!("spiffe://prod.example/w/{}", issuer % 3),
        aud: None,
        iat,
        stream: None,
        head: None,
    };
    let header = StatementHeader { content: Content::Plain(content_type_of(kind)), claims };
    let key = SigningKey::from_seed(Curve::Ed25519, &[7; 32]).unwrap();
    SignedStatement::sign(&header, &from_json(kind, view).unwrap(), &key).unwrap()
}

/// A store in memory of these statements.
struct Log {
    store: Arc<MemoryStore>,
    edge: RightEdge,
    marks: Vec<Marks>,
}

impl Log {
    fn new() -> Self {
        Self { store: Arc::new(MemoryStore::new(&identity())), edge: RightEdge::new(), marks: Vec::new() }
    }

    fn of(statements: &[SignedStatement]) -> Self {
        let mut log = Self::new();
        log.add(statements);
        log
    }

    fn add(&mut self, statements: &[SignedStatement]) {
        for batch in statements.chunks(1000) {
            let row = |one: &SignedStatement| EntryRow {
                entry: one.entry().to_vec().into(),
                leaf: one.leaf_hash(),
                key: StreamKey::of(one),
            };
            let batch = Batch::build(&mut self.edge, batch.iter().map(row).collect(), Millis::new(1)).unwrap();
            self.store.commit(&batch).unwrap();
        }
        self.marks.extend(statements.iter().map(Marks::of));
    }

    fn size(&self) -> u64 {
        u64::try_from(self.marks.len()).unwrap()
    }

    /// What a filter finds, by looking at every entry below `end`.
    fn brute(&self, filter: &Filter, end: u64) -> Vec<u64> {
        let all = self.marks.iter().zip(0..end);
        all.filter(|(marks, _)| filter.matches_marks(marks)).map(|(_, index)| index).collect()
    }

    /// Opens the index at a path, as it is there.
    fn open(&self, path: &Path, entries: u64) -> Result<Shared, Fault> {
        let room = Room { entries, ..Room::default() };
        let shared = Shared::new(path.to_owned(), Arc::clone(&self.store) as Arc<dyn LogStore>, room);
        shared.open(self.size())?;
        Ok(shared)
    }

    /// Reads everything that is in the log into an index.
    fn catch_up(&self, shared: &Shared) -> Result<(), Fault> {
        let mut end = shared.read().tail.end();
        while end < self.size() {
            end = advance(shared, self.size())?;
        }
        Ok(())
    }
}

/// Asks page by page for all that a filter finds below `end`.
fn search(shared: &Shared, filter: &Filter, end: u64, limit: usize) -> Result<Vec<u64>, SearchError> {
    search_for(Effort::default(), shared, filter, end, limit)
}

/// The same, with so much for each page.
fn search_for(
    effort: Effort,
    shared: &Shared,
    filter: &Filter,
    end: u64,
    limit: usize,
) -> Result<Vec<u64>, SearchError> {
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        let Page { found, next } = page_for(effort, shared, filter, from, end, limit)?;
        assert!(found.len() <= limit);
        all.extend(found.iter().map(|index| LeafIndex::get(*index)));
        match next {
            None => return Ok(all),
            Some(next) => {
                assert!(next > from, "a page goes on");
                from = next;
            }
        }
    }
}
