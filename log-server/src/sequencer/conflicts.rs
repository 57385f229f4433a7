//! The bounded table of statements that collided with an entry: evidence that an issuer signed two things for one place.
//!
//! DESIGN §6: "lower `seq`, different Sig_structure | 409; both statements kept in a bounded local table, `GET /v1/conflicts`". A statement comes
//! here only after its signature verified and the policy in force admitted it, so that nobody but the issuer itself can fill the table against it;
//! the same statement under other signature bytes is a duplicate and never comes here. The table is no part of the tree. Where it can not be read or
//! written the store is failing, and the log stops as after any other write; a row that is damaged is told of and left out, for each is evidence for
//! itself.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use govlog_formats::admission::PolicyState;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::statement::SignedStatement;

use crate::admission::Collided;
use crate::store::{ConflictRow, ConflictTable, LogStore, StoreError};

/// Most rows of the table.
const MAX_ROWS: usize = 1024;
/// Most rows of all that one row of the policy admits, an issuer or the workloads of a trust domain together: a few prove as much as many do. The
/// first ones of each stay, or they could push out what convicts them.
const MAX_ROWS_OF_ONE: usize = 64;
/// Most bytes of the statements in the table.
const MAX_BYTES: usize = 8 << 20;

/// A statement that collided.
#[derive(Debug)]
pub(super) struct Collision {
    /// The entry that has its place.
    pub(super) entry: LeafIndex,
    /// The row of the policy that admits whoever signed both.
    pub(super) counted_by: String,
    /// Who signed both.
    pub(super) iss: String,
    /// The statement's Sig_structure digest.
    pub(super) identity: Digest,
    /// The statement, as an entry would be logged.
    pub(super) statement: Bytes,
}

/// What the table holds, known to its only writer.
pub(super) struct Conflicts {
    store: Arc<dyn LogStore>,
    /// Oldest first.
    kept: VecDeque<Kept>,
    known: Collided,
    /// Rows by whom they count against.
    counts: HashMap<String, usize>,
    bytes: usize,
    next: u64,
}

struct Kept {
    number: u64,
    counted_by: String,
    iss: String,
    identity: Digest,
    bytes: usize,
}

impl Collision {
    pub(super) fn of(policy: &PolicyState, statement: &SignedStatement, entry: LeafIndex) -> Self {
        Self {
            entry,
            counted_by: policy.counted_by(statement).to_owned(),
            iss: statement.claims().iss.clone(),
            identity: statement.sig_structure_digest(),
            statement: Bytes::copy_from_slice(statement.entry()),
        }
    }
}

impl Conflicts {
    /// Reads the table; its rows count as under this policy.
    ///
    /// # Errors
    /// When the store fails: taken for empty, the table would be filled anew, over what is there.
    pub(super) fn load(store: Arc<dyn LogStore>, policy: &PolicyState) -> Result<Self, StoreError> {
        let ConflictTable { next, malformed } = store.conflict_table()?;
        for error in malformed {
            tracing::warn!(%error, "a row of the table of conflicts is damaged and left out");
        }
        let rows = store.conflicts(0, MAX_ROWS + 1)?;
        let (known, counts) = (Collided::default(), HashMap::new());
        let mut table = Self { store, kept: VecDeque::new(), known, counts, bytes: 0, next };
        for row in rows {
            match SignedStatement::parse_entry(&row.statement) {
                Ok(statement) => table.note(row.number, &Collision::of(policy, &statement, row.entry)),
                Err(error) => {
                    tracing::warn!(number = row.number, %error, "a row of the table of conflicts is no statement")
                }
            }
        }
        Ok(table)
    }

    /// Which statements it holds, for those who are to know while it changes.
    pub(super) fn known(&self) -> Collided {
        self.known.clone()
    }

    /// Keeps statements that collided, each once, up to the bounds.
    ///
    /// # Errors
    /// When the store fails; what is on disk is then not known.
    pub(super) fn keep(&mut self, collisions: Vec<Collision>) -> Result<(), StoreError> {
        let (mut add, mut remove) = (Vec::new(), Vec::new());
        for collision in collisions {
            if self.known.has(&collision.identity) {
                continue;
            }
            if self.counts.get(&collision.counted_by).is_some_and(|count| *count >= MAX_ROWS_OF_ONE) {
                let Some(number) = self.too_many_beside(&collision).and_then(|at| self.let_go(at)) else { continue };
                remove.push(number);
            }
            let number = self.next;
            self.next += 1;
            self.note(number, &collision);
            add.push(ConflictRow { number, entry: collision.entry, statement: collision.statement });
        }
        if add.is_empty() {
            return Ok(());
        }
        remove.extend(self.shrink());
        // What came and went at once was never written.
        remove.retain(|number| match add.iter().position(|row| row.number == *number) {
            Some(at) => {
                add.remove(at);
                false
            }
            None => true,
        });
        if add.is_empty() && remove.is_empty() {
            return Ok(());
        }
        // A crash here leaves the statements unkept and their submitters without an answer; who sends one again is refused, and it is kept, then.
        self.store.keep_conflicts(&add, &remove)
    }

    fn note(&mut self, number: u64, collision: &Collision) {
        let bytes = collision.statement.len();
        self.bytes += bytes;
        self.known.insert(collision.identity);
        *self.counts.entry(collision.counted_by.clone()).or_default() += 1;
        let (counted_by, iss) = (collision.counted_by.clone(), collision.iss.clone());
        self.kept.push_back(Kept { number, counted_by, iss, identity: collision.identity, bytes });
    }

    /// Lets go what is too much, and returns the numbers of those rows.
    fn shrink(&mut self) -> Vec<u64> {
        let mut gone = Vec::new();
        while self.kept.len() > MAX_ROWS || self.bytes > MAX_BYTES {
            let Some(number) = self.loudest().and_then(|at| self.let_go(at)) else { break };
            gone.push(number);
        }
        gone
    }

    fn let_go(&mut self, at: usize) -> Option<u64> {
        let row = self.kept.remove(at)?;
        self.bytes -= row.bytes;
        self.known.remove(&row.identity);
        if let Some(count) = self.counts.get_mut(&row.counted_by) {
            *count -= 1;
            // The table is bounded, and so are the names in it.
            if *count == 0 {
                self.counts.remove(&row.counted_by);
            }
        }
        Some(row.number)
    }

    /// Finds what is to go so that a workload with nothing in its trust domain's full share gets a place: the newest of the workload that has most.
    fn too_many_beside(&self, collision: &Collision) -> Option<usize> {
        let share = || self.kept.iter().filter(|row| row.counted_by == collision.counted_by);
        let mut by_workload: HashMap<&str, usize> = HashMap::new();
        share().for_each(|row| *by_workload.entry(&row.iss).or_default() += 1);
        let most = by_workload.values().copied().max().filter(|most| *most > 1)?;
        let is_new = !by_workload.contains_key(collision.iss.as_str());
        let goes =
            |row: &Kept| row.counted_by == collision.counted_by && by_workload.get(row.iss.as_str()) == Some(&most);
        is_new.then(|| self.kept.iter().rposition(goes))?
    }

    /// Finds the row that is to go: the newest of those that count against whom the most do, so that nobody can push out what others did.
    fn loudest(&self) -> Option<usize> {
        let most = self.counts.values().copied().max()?;
        self.kept.iter().rposition(|row| self.counts.get(&row.counted_by) == Some(&most))
    }
}

#[cfg(test)]
mod tests {
    use govlog_tls::testing::Authority;

    use super::*;
    use crate::admission::testing::{DOMAIN, admits_domain, by_workload, policy};
    use crate::store::MemoryStore;
    use crate::tree::testing::identity;

    fn collision(counted_by: &str, number: u64, bytes: usize) -> Collision {
        let identity = Digest::sha256(format!("{counted_by} {number}").as_bytes());
        let (entry, statement) = (LeafIndex::new(number), Bytes::from(vec![7; bytes]));
        Collision { entry, counted_by: counted_by.into(), iss: counted_by.into(), identity, statement }
    }

    fn table() -> (Arc<MemoryStore>, Conflicts) {
        let store = Arc::new(MemoryStore::new(&identity()));
        (Arc::clone(&store), Conflicts::load(store, &policy()).unwrap())
    }

    fn entries(store: &MemoryStore) -> Vec<u64> {
        store.conflicts(0, usize::MAX).unwrap().iter().map(|row| row.entry.get()).collect()
    }

    #[test]
    fn a_statement_is_kept_once() {
        let (store, mut table) = table();
        table.keep(vec![collision("a", 1, 9), collision("a", 2, 9), collision("a", 1, 9)]).unwrap();
        table.keep(vec![collision("a", 2, 9)]).unwrap();
        assert_eq!(entries(&store), [1, 2]);
    }

    #[test]
    fn an_issuer_can_not_push_out_its_own_first_rows() {
        let (store, mut table) = table();
        table.keep(vec![collision("b", 500, 9)]).unwrap();
        for number in 0..100 {
            table.keep(vec![collision("a", number, 9)]).unwrap();
        }
        let expected: Vec<u64> = std::iter::once(500).chain(0..64).collect();
        assert_eq!(entries(&store), expected);
        // All at once it comes to the same.
        let (store, mut table) = self::table();
        table.keep((0..100).map(|number| collision("a", number, 9)).collect()).unwrap();
        assert_eq!(entries(&store), (0..64).collect::<Vec<u64>>());
    }

    /// Else whoever can make workloads has the whole table, and pushes out what others did.
    #[test]
    fn the_workloads_of_a_trust_domain_have_one_share_of_the_table() {
        let authority = Authority::of_trust_domain("example.org");
        let (policy, store) = (admits_domain(&authority, 1), Arc::new(MemoryStore::new(&identity())));
        let load = || Conflicts::load(Arc::clone(&store) as _, &policy).unwrap();
        let of = |number: u64| {
            let statement = by_workload(&authority, &format!("w{number}"), number);
            Collision::of(&policy, &statement, LeafIndex::new(number))
        };
        load().keep((0..40).map(of).collect()).unwrap();
        // A restart counts as before.
        let mut table = load();
        table.keep((40..80).map(of).collect()).unwrap();
        assert_eq!(entries(&store), (0..64).collect::<Vec<u64>>());
        assert_eq!(table.counts, HashMap::from([(DOMAIN.to_owned(), 64)]));
    }

    /// Else one workload fills the share, and nobody learns what another one signed twice.
    #[test]
    fn a_workload_finds_a_place_in_a_share_that_another_one_filled() {
        let (store, mut table) = table();
        let of = |iss: &str, number| Collision { iss: iss.into(), ..collision("domain", number, 9) };
        table.keep((0..70).map(|number| of("loud", number)).collect()).unwrap();
        table.keep(vec![of("quiet", 100), of("quiet", 101), of("loud", 102)]).unwrap();
        let expected: Vec<u64> = (0..63).chain([100]).collect();
        assert_eq!(entries(&store), expected, "the newest of the loud one goes, and once only");
        // As long as somebody has more than one: then everybody's first stays.
        table.keep((200..300).map(|number| of(&format!("w{number}"), number)).collect()).unwrap();
        let expected: Vec<u64> = [0, 100].into_iter().chain(200..262).collect();
        assert_eq!(entries(&store), expected);
        assert_eq!(table.counts, HashMap::from([("domain".to_owned(), 64)]));
    }

    #[test]
    fn a_number_is_given_once_whatever_became_of_its_row() {
        let (store, mut table) = table();
        table.keep(vec![collision("a", 1, 9), collision("a", 2, 9)]).unwrap();
        store.keep_conflicts(&[], &[1]).unwrap();
        let mut table = Conflicts::load(Arc::clone(&store) as _, &policy()).unwrap();
        table.keep(vec![collision("a", 3, 9)]).unwrap();
        assert_eq!(store.conflicts(0, 9).unwrap().iter().map(|row| row.number).collect::<Vec<_>>(), [0, 2]);
    }

    #[test]
    fn rows_and_bytes_are_bounded_and_the_loudest_make_room() {
        let (store, mut table) = table();
        table.keep(vec![collision("quiet", 9999, 9)]).unwrap();
        for issuer in 0..40 {
            table.keep((0..30).map(|number| collision(&format!("i{issuer}"), number, 9)).collect()).unwrap();
        }
        let rows = entries(&store);
        assert_eq!((rows.len(), table.kept.len()), (MAX_ROWS, MAX_ROWS));
        assert!(rows.contains(&9999), "an issuer that said little keeps its place");
        assert_eq!(rows.iter().filter(|row| **row == 0).count(), 40, "everybody's first stays");

        let (store, mut table) = self::table();
        for issuer in 0..10 {
            table.keep((0..30).map(|number| collision(&format!("i{issuer}"), number, 65_535)).collect()).unwrap();
        }
        let bytes: usize = store.conflicts(0, usize::MAX).unwrap().iter().map(|row| row.statement.len()).sum();
        assert!(bytes <= MAX_BYTES && bytes > MAX_BYTES - 65_536, "{bytes}");
        assert_eq!(bytes, table.bytes);
    }
}
