//! How much is in the outbox.

use std::collections::HashMap;

use super::row::StreamNumber;
use super::size;

/// Counts of what is in the tables, so that nobody has to walk them.
#[derive(Clone, Debug, Default)]
pub(super) struct Load {
    waiting: Amount,
    held: Amount,
    signed: HashMap<StreamNumber, Amount>,
}

/// A number of rows, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub count: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// How much is in the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Inputs that are not signed yet.
    pub waiting: u64,
    /// What was read and is no event yet.
    pub held: u64,
    /// Statements that are not known to be published.
    pub signed: u64,
    /// Bytes of the inputs.
    pub waiting_bytes: u64,
    /// Bytes of what is held.
    pub held_bytes: u64,
    /// Bytes of the statements, and of what opens their sealed values.
    pub signed_bytes: u64,
}

impl Backlog {
    /// Bytes of all of it.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.waiting_bytes.saturating_add(self.held_bytes).saturating_add(self.signed_bytes)
    }
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }

    fn take(&mut self, bytes: u64) {
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl Load {
    pub(super) fn waits(&mut self, bytes: &[u8]) {
        self.waiting.add(size(bytes));
    }

    pub(super) fn waits_no_more(&mut self, bytes: &[u8]) {
        self.waiting.take(size(bytes));
    }

    pub(super) fn is_held(&mut self, bytes: &[u8]) {
        self.held.add(size(bytes));
    }

    pub(super) fn is_held_no_more(&mut self, bytes: &[u8]) {
        self.held.take(size(bytes));
    }

    pub(super) fn is_signed(&mut self, number: StreamNumber, entry: &[u8], openings: &[u8]) {
        self.signed.entry(number).or_default().add(size(entry) + size(openings));
    }

    pub(super) fn is_signed_no_more(&mut self, number: StreamNumber, entry: &[u8], openings: &[u8]) {
        let amount = self.signed.entry(number).or_default();
        amount.take(size(entry) + size(openings));
        if amount.count == 0 {
            self.signed.remove(&number);
        }
    }

    pub(super) fn signed_of(&self, number: StreamNumber) -> Amount {
        self.signed.get(&number).copied().unwrap_or_default()
    }

    pub(super) fn backlog(&self) -> Backlog {
        Backlog {
            waiting: self.waiting.count,
            held: self.held.count,
            signed: self.signed.values().map(|amount| amount.count).sum(),
            waiting_bytes: self.waiting.bytes,
            held_bytes: self.held.bytes,
            signed_bytes: self.signed.values().map(|amount| amount.bytes).sum(),
        }
    }
}
