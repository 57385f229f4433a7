//! Putting signed statements in the place of what waited for them.

use redb::{ReadableTable as _, WriteTransaction};

use super::load::Load;
use super::read::Signed;
use super::row::{Stream, StreamNumber};
use super::tables::{MEMBERS, META, SIGNED, SPEAKERS, STREAMS, WAITING};
use super::{Outbox, OutboxError, all_of, stream_of, stream_row};

/// A stream that goes on under another name.
#[derive(Clone, Debug)]
pub struct Fork {
    /// The row of the new stream, behind its statements.
    pub stream: Stream,
    /// All its statements, from position 0.
    pub rows: Vec<Signed>,
}

impl Outbox {
    /// Makes `rows` the statements of a stream from `from_seq` on, and takes away the waiting inputs that they record; says whether it did.
    ///
    /// What stood at those positions is replaced: only statements that no log has may be. `update` says whether the change still fits the row
    /// that it finds. A stream into which something came meanwhile is not closed.
    ///
    /// # Errors
    ///
    /// The store is not well.
    pub fn write(
        &self,
        number: StreamNumber,
        from_seq: u64,
        rows: &[Signed],
        taken: &[u64],
        update: impl FnOnce(&mut Stream) -> bool,
    ) -> Result<bool, OutboxError> {
        let written = self.change(|tx, load| {
            let mut streams = tx.open_table(STREAMS)?;
            let row = streams.get(number)?.map(|row| stream_of(row.value())).transpose()?;
            let mut stream = row.ok_or_else(|| redb::Error::Corrupted(format!("there is no stream {number}")))?;
            if !update(&mut stream) {
                return Ok(None);
            }
            take_away(tx, number, taken, load)?;
            if stream.closed && tx.open_table(WAITING)?.range(all_of(number))?.next().is_some() {
                return Ok(None);
            }
            clear(tx, number, from_seq, load)?;
            insert(tx, number, from_seq, rows, load)?;
            streams.insert(number, stream_row(&stream)?.as_slice())?;
            Ok(Some(()))
        })?;
        Ok(written.is_some())
    }

    /// Goes on with a stream's statements from a position on, and with all its inputs, under a new one, and closes the old.
    ///
    /// The new stream takes over the counters as they are then.
    ///
    /// # Errors
    ///
    /// The store is not well.
    pub fn fork(&self, old: StreamNumber, from_seq: u64, fork: &Fork) -> Result<Option<StreamNumber>, OutboxError> {
        self.change(|tx, load| {
            let mut streams = tx.open_table(STREAMS)?;
            let row = streams.get(old)?.map(|row| stream_of(row.value())).transpose()?;
            let Some(mut closed) = row else { return Ok(None) };
            let number = next_number(tx)?;
            let mut stream = fork.stream.clone();
            (stream.counters, stream.heard_ms) = (closed.counters, closed.heard_ms);
            stream.source_counters.clone_from(&closed.source_counters);
            streams.insert(number, stream_row(&stream)?.as_slice())?;
            closed.closed = true;
            streams.insert(old, stream_row(&closed)?.as_slice())?;
            tx.open_table(SPEAKERS)?.insert((stream.route.as_str(), stream.instance.as_str()), number)?;
            clear(tx, old, from_seq, load)?;
            insert(tx, number, 0, &fork.rows, load)?;
            move_waiting(tx, old, number)?;
            Ok(Some(number))
        })
    }
}

/// Gives a number that no stream of this outbox ever had: what others remember of a number is never another stream's.
pub(super) fn next_number(tx: &WriteTransaction) -> Result<StreamNumber, redb::Error> {
    let mut meta = tx.open_table(META)?;
    let next = meta.get(NEXT_STREAM)?.map_or(Ok(0), |text| text.value().parse());
    let next: StreamNumber = next.map_err(|_| redb::Error::Corrupted("the number of the next stream".to_owned()))?;
    meta.insert(NEXT_STREAM, (next + 1).to_string().as_str())?;
    Ok(next)
}

const NEXT_STREAM: &str = "next stream";

fn take_away(tx: &WriteTransaction, number: StreamNumber, taken: &[u64], load: &mut Load) -> Result<(), redb::Error> {
    let mut waiting = tx.open_table(WAITING)?;
    for arrival in taken {
        if let Some(row) = waiting.remove((number, *arrival))? {
            load.waits_no_more(row.value().4);
        }
    }
    Ok(())
}

fn clear(tx: &WriteTransaction, number: StreamNumber, from_seq: u64, load: &mut Load) -> Result<(), redb::Error> {
    let mut signed = tx.open_table(SIGNED)?;
    for row in signed.extract_from_if((number, from_seq)..=(number, u64::MAX), |_, _| true)? {
        let row = row?;
        let (_, _, entry, openings) = row.1.value();
        load.is_signed_no_more(number, entry, openings);
    }
    let mut members = tx.open_table(MEMBERS)?;
    for row in members.extract_from_if((number, from_seq)..=(number, u64::MAX), |_, _| true)? {
        row?;
    }
    Ok(())
}

fn insert(
    tx: &WriteTransaction,
    number: StreamNumber,
    from_seq: u64,
    rows: &[Signed],
    load: &mut Load,
) -> Result<(), redb::Error> {
    let (mut signed, mut members) = (tx.open_table(SIGNED)?, tx.open_table(MEMBERS)?);
    for (seq, row) in (from_seq..).zip(rows) {
        if !row.members.is_empty() {
            members.insert((number, seq), row.members.as_flattened())?;
        }
        signed.insert((number, seq), (row.received_ms, &row.key, row.entry.as_slice(), row.openings.as_slice()))?;
        load.is_signed(number, &row.entry, &row.openings);
    }
    Ok(())
}

fn move_waiting(tx: &WriteTransaction, from: StreamNumber, to: StreamNumber) -> Result<(), redb::Error> {
    let mut waiting = tx.open_table(WAITING)?;
    // One after the other, for all of them together may be more than memory should hold.
    while let Some((place, row)) = first(&waiting, from)? {
        waiting.remove((from, place))?;
        let (received_ms, what, key, reason, bytes) = &row;
        waiting.insert((to, place), (*received_ms, *what, key, reason.as_str(), bytes.as_slice()))?;
    }
    Ok(())
}

type OwnedWaiting = (u64, u8, [u8; 32], String, Vec<u8>);

fn first(
    waiting: &redb::Table<'_, (u64, u64), super::tables::WaitingRow>,
    number: StreamNumber,
) -> Result<Option<(u64, OwnedWaiting)>, redb::Error> {
    let Some(found) = waiting.range(all_of(number))?.next() else { return Ok(None) };
    let (place, row) = found?;
    let (received_ms, what, key, reason, bytes) = row.value();
    Ok(Some((place.value().1, (received_ms, what, *key, reason.to_owned(), bytes.to_vec()))))
}
