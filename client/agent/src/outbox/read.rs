//! What is in the outbox.

use redb::ReadableTable as _;

use super::load::{Amount, Backlog};
use super::receive::Content;
use super::row::{Stream, StreamNumber};
use super::tables::{MEMBERS, OWN, SIGNED, STREAMS, WAITING};
use super::{Outbox, OutboxError, all_of, size, stream_of};

/// Something that came in and is not signed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its place in the order of arrival within its stream.
    pub arrival: u64,
    /// When it came, POSIX milliseconds.
    pub received_ms: u64,
    /// Its idempotency key.
    pub key: [u8; 32],
    /// The thing itself.
    pub content: Content,
}

/// A signed statement that is not known to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// When what it records came in, POSIX milliseconds.
    pub received_ms: u64,
    /// The idempotency key of what it records; zeros: a record of the agent's own, or a batch.
    pub key: [u8; 32],
    /// The idempotency keys of what it records together, in the order of the batch's members; empty: it is no batch.
    pub members: Vec<[u8; 32]>,
    /// The statement.
    pub entry: Vec<u8>,
    /// What opens its sealed values, as [`govlog_client::openings::Openings`] writes it; empty: it has none.
    pub openings: Vec<u8>,
}

impl Signed {
    /// How many events it records.
    #[must_use]
    pub fn events(&self) -> u64 {
        let members = u64::try_from(self.members.len()).unwrap_or(u64::MAX);
        if self.key == OWN { members } else { 1 }
    }
}

impl Outbox {
    /// Gives all streams: the open ones, and those closed of late.
    ///
    /// # Errors
    ///
    /// The store is not well.
    pub fn streams(&self) -> Result<Vec<(StreamNumber, Stream)>, OutboxError> {
        self.look(|tx| {
            let mut found = Vec::new();
            for row in tx.open_table(STREAMS)?.iter()? {
                let (number, row) = row?;
                found.push((number.value(), stream_of(row.value())?));
            }
            Ok(found)
        })
    }

    /// Gives one stream.
    ///
    /// # Errors
    ///
    /// The store is not well.
    pub fn stream(&self, number: StreamNumber) -> Result<Option<Stream>, OutboxError> {
        self.look(|tx| tx.open_table(STREAMS)?.get(number)?.map(|row| stream_of(row.value())).transpose())
    }

    /// Gives the oldest of what waits in a stream: at most `most` of them, and no more bytes than `most_bytes`, but one at least.
    ///
    /// # Errors
    ///
    /// The store is not well, or holds what this program does not write.
    pub fn waiting(&self, number: StreamNumber, most: usize, most_bytes: u64) -> Result<Vec<Waiting>, OutboxError> {
        self.waiting_from(number, 0, most, most_bytes)
    }

    /// The same from an arrival on.
    ///
    /// # Errors
    ///
    /// As [`waiting`](Self::waiting).
    pub fn waiting_from(
        &self,
        number: StreamNumber,
        from: u64,
        most: usize,
        most_bytes: u64,
    ) -> Result<Vec<Waiting>, OutboxError> {
        self.look(|tx| {
            let (mut found, mut bytes) = (Vec::new(), 0);
            for row in tx.open_table(WAITING)?.range((number, from)..=(number, u64::MAX))?.take(most) {
                let (place, row) = row?;
                let (received_ms, what, key, reason, content) = row.value();
                bytes += size(content);
                if bytes > most_bytes && !found.is_empty() {
                    break;
                }
                let content = Content::of_row(what, reason, content)
                    .ok_or_else(|| redb::Error::Corrupted(format!("a waiting row of kind {what}")))?;
                found.push(Waiting { arrival: place.value().1, received_ms, key: *key, content });
            }
            Ok(found)
        })
    }

    /// Gives signed statements of a stream from a position on, in order: at most `most`, and no more bytes than `most_bytes`, but one at least.
    ///
    /// # Errors
    ///
    /// The store is not well.
    pub fn signed(
        &self,
        number: StreamNumber,
        from_seq: u64,
        most: usize,
        most_bytes: u64,
    ) -> Result<Vec<(u64, Signed)>, OutboxError> {
        self.look(|tx| {
            let members = tx.open_table(MEMBERS)?;
            let (mut found, mut bytes) = (Vec::new(), 0);
            for row in tx.open_table(SIGNED)?.range((number, from_seq)..=(number, u64::MAX))?.take(most) {
                let (place, row) = row?;
                let (received_ms, key, entry, openings) = row.value();
                bytes += size(entry) + size(openings);
                if bytes > most_bytes && !found.is_empty() {
                    break;
                }
                let keys = if *key == OWN { members.get(place.value())? } else { None };
                let signed = Signed {
                    received_ms,
                    key: *key,
                    members: keys.map(|keys| keys.value().as_chunks().0.to_vec()).unwrap_or_default(),
                    entry: entry.to_vec(),
                    openings: openings.to_vec(),
                };
                found.push((place.value().1, signed));
            }
            Ok(found)
        })
    }

    /// Gives the position of the first statement of a stream that is not known to be published.
    ///
    /// # Errors
    ///
    /// The store is not well.
    pub fn first_signed(&self, number: StreamNumber) -> Result<Option<u64>, OutboxError> {
        self.look(|tx| {
            let first = tx.open_table(SIGNED)?.range(all_of(number))?.next().transpose()?;
            Ok(first.map(|(place, _)| place.value().1))
        })
    }

    /// Counts the inputs that wait in a stream.
    ///
    /// # Errors
    ///
    /// The store is not well.
    pub fn count_waiting(&self, number: StreamNumber) -> Result<u64, OutboxError> {
        self.look(|tx| {
            let mut count = 0;
            for row in tx.open_table(WAITING)?.range(all_of(number))? {
                row?;
                count += 1;
            }
            Ok(count)
        })
    }

    /// Gives when the oldest of what is not known to be published came in, POSIX milliseconds: of what waits, and of all.
    ///
    /// # Errors
    ///
    /// The store is not well.
    pub fn oldest_ms(&self) -> Result<(Option<u64>, Option<u64>), OutboxError> {
        self.look(|tx| {
            let (waiting, signed) = (tx.open_table(WAITING)?, tx.open_table(SIGNED)?);
            let (mut oldest_waiting, mut oldest) = (None, None);
            let earlier = |so_far: Option<u64>, ms: u64| Some(so_far.map_or(ms, |so_far| so_far.min(ms)));
            for row in tx.open_table(STREAMS)?.iter()? {
                let number = row?.0.value();
                if let Some(first) = waiting.range(all_of(number))?.next() {
                    let received_ms = first?.1.value().0;
                    oldest_waiting = earlier(oldest_waiting, received_ms);
                    oldest = earlier(oldest, received_ms);
                }
                if let Some(first) = signed.range(all_of(number))?.next() {
                    oldest = earlier(oldest, first?.1.value().0);
                }
            }
            Ok((oldest_waiting, oldest))
        })
    }

    /// Says how much there is.
    #[must_use]
    pub fn backlog(&self) -> Backlog {
        self.load().backlog()
    }

    /// Says how much of a stream is signed and not known to be published.
    #[must_use]
    pub fn signed_ahead(&self, number: StreamNumber) -> Amount {
        self.load().signed_of(number)
    }
}
