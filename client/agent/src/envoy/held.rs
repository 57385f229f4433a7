//! The lines that wait in the outbox: as much of them in memory as is needed to find them there.
//!
//! A row is looked at when a decision of its request came, and when its time may be up. Who begins anew looks at all of them once, and so does who
//! missed which decisions came: at those that it held by then, for what is read later is looked up when it is read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::outbox::{Joined, RequestName};

/// The lines of one Envoy that wait.
#[derive(Debug)]
pub(super) struct Held {
    /// In the order in which they were read.
    rows: BTreeMap<u64, Row>,
    of_requests: BTreeSet<(RequestName, u64)>,
    /// Rows that are to be looked at.
    due: BTreeSet<u64>,
    /// Which rows are all to be looked at.
    sweep: Option<Range<u64>>,
    /// How many bytes they have, and at how many no more are held.
    bytes: u64,
    most_bytes: u64,
    /// The number that the next row gets.
    next: u64,
    /// Rows with lesser numbers are in the outbox.
    kept: u64,
    /// How many decisions were heard of.
    heard: u64,
    /// When it was last looked: before the first time no time is known.
    looked_ms: u64,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    /// When it was read, by this process.
    since_ms: u64,
    /// None: whatever is decided, it needs nothing of it any more.
    request: Option<RequestName>,
    bytes: u32,
}

impl Default for Held {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            of_requests: BTreeSet::new(),
            due: BTreeSet::new(),
            sweep: None,
            bytes: 0,
            most_bytes: u64::MAX,
            next: 0,
            kept: 0,
            heard: 0,
            looked_ms: u64::MAX,
        }
    }
}

impl Held {
    /// Nothing yet, with room for so many bytes.
    pub(super) fn at_most(most_bytes: u64) -> Self {
        Self { most_bytes, ..Self::default() }
    }

    /// How many bytes it has room for.
    pub(super) const fn most_bytes(&self) -> u64 {
        self.most_bytes
    }

    /// Takes in a row that an earlier process held: it waits anew, and is to be looked at.
    pub(super) fn recall(&mut self, number: u64, request_id: Option<&str>, bytes: usize) {
        self.put(number, request_id, u64::MAX, bytes);
        self.next = number.saturating_add(1);
        self.kept = self.next;
        self.look_at_all();
    }

    /// All that are held by now are to be looked at.
    pub(super) fn look_at_all(&mut self) {
        self.sweep = (!self.rows.is_empty()).then_some(0..self.next);
    }

    /// Whether there are some to which a decision may be known, and nobody has looked.
    pub(super) const fn is_sweeping(&self) -> bool {
        self.sweep.is_some()
    }

    /// Holds one more row; gives its number.
    pub(super) fn hold(&mut self, request_id: &str, now_ms: u64, bytes: usize) -> u64 {
        let number = self.next;
        self.put(number, Some(request_id), now_ms, bytes);
        self.next += 1;
        number
    }

    fn put(&mut self, number: u64, request_id: Option<&str>, since_ms: u64, bytes: usize) {
        let request = request_id.map(RequestName::of);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.bytes = self.bytes.saturating_add(bytes.into());
        self.of_requests.extend(request.map(|request| (request, number)));
        self.rows.insert(number, Row { since_ms, request, bytes });
    }

    /// Lets go of a row.
    pub(super) fn let_go(&mut self, number: u64) {
        if let Some(row) = self.rows.remove(&number) {
            self.bytes = self.bytes.saturating_sub(row.bytes.into());
            if let Some(request) = row.request {
                self.of_requests.remove(&(request, number));
            }
        }
        self.due.remove(&number);
    }

    /// Takes note that all rows are in the outbox.
    pub(super) fn are_kept(&mut self) {
        self.kept = self.next;
    }

    /// Takes note of the time. A clock that was set back starts every wait anew.
    pub(super) fn look(&mut self, now_ms: u64) {
        if now_ms < self.looked_ms {
            for row in self.rows.values_mut() {
                row.since_ms = row.since_ms.min(now_ms);
            }
        }
        self.looked_ms = now_ms;
    }

    /// With what to ask which decisions came.
    pub(super) const fn heard(&self) -> u64 {
        self.heard
    }

    /// Takes note of the requests that had a decision.
    pub(super) fn hear(&mut self, joined: Joined) {
        self.heard = joined.so_far;
        let Some(requests) = joined.requests else {
            self.look_at_all();
            return;
        };
        for request in requests {
            let rows = self.of_requests.range((request, 0)..=(request, u64::MAX));
            self.due.extend(rows.map(|(_, number)| *number));
        }
    }

    /// Gives the rows that are to be looked at now.
    ///
    /// A sweep comes last and ends all the same. What is over is let go of when it is looked at, the oldest first: before anything that was read
    /// after the sweep began it is what the sweep would look at. Decisions that never stop coming for others hold it up until that is over.
    ///
    /// `is_over`: whether what waits since then has had its time, and how.
    pub(super) fn due(&mut self, most: Most, mut is_over: impl FnMut(u64) -> Option<bool>) -> Due {
        let kept = self.kept;
        // None that was read later has had its time before the first has.
        let over = self.rows.range(..kept).map_while(|(number, row)| Some((*number, Some(is_over(row.since_ms)?))));
        let mut due = Due { left: most, ..Due::default() };
        due.add(&self.rows, over);
        due.add(&self.rows, self.due.range(..kept).map(|number| (*number, None)));
        if let Some(Range { start, end }) = self.sweep.take() {
            let until = end.min(kept);
            let from = due.add(&self.rows, self.rows.range(start..until).map(|(number, _)| (*number, None)));
            let from = from.unwrap_or(until);
            self.sweep = (from < end).then_some(from..end);
        }
        due
    }

    /// Takes note that a row was looked at, and waits on.
    pub(super) fn waits(&mut self, number: u64) {
        self.due.remove(&number);
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether more may be held: of what is read then, some may be too many.
    pub(super) fn has_room(&self) -> bool {
        self.rows.len() < MOST && self.bytes < self.most_bytes
    }

    /// Since when the first of them waits.
    pub(super) fn since_ms(&self) -> Option<u64> {
        self.rows.first_key_value().map(|(_, row)| row.since_ms)
    }
}

/// Rows that are to be looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// Of those that have had their time: whether a decision may be under way all the same.
    pub(super) rows: BTreeMap<u64, Option<bool>>,
    /// Whether there are more.
    pub(super) more: bool,
    /// How much there is still room for.
    left: Most,
}

impl Due {
    /// Adds those of some rows that there is room for, and that are not there yet; gives the first for which there is none.
    fn add(&mut self, held: &BTreeMap<u64, Row>, rows: impl Iterator<Item = (u64, Option<bool>)>) -> Option<u64> {
        for (number, over) in rows {
            if self.rows.contains_key(&number) {
                continue;
            }
            if self.left.rows == 0 || self.left.bytes == 0 {
                self.more = true;
                return Some(number);
            }
            let bytes = held.get(&number).map_or(0, |row| row.bytes);
            self.left.rows -= 1;
            self.left.bytes = self.left.bytes.saturating_sub(usize::try_from(bytes).unwrap_or(usize::MAX));
            self.rows.insert(number, over);
        }
        None
    }
}

/// How much is looked at at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Most {
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

/// The most lines that wait: about a hundred bytes of memory each. While there are as many, the file keeps the rest. In tests few.
const MOST: usize = if cfg!(test) { 2_048 } else { 1 << 20 };
