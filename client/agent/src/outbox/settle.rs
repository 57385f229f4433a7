//! Letting go of what is proved to be in the log.

use redb::ReadableTable as _;

use super::receive::status_of;
use super::row::StreamNumber;
use super::tables::{FORGET, MEMBERS, OWN, PLACES, SEEN, SIGNED, SPEAKERS, STREAMS, WAITING};
use super::{Outbox, OutboxError, all_of, stream_of};

impl Outbox {
    /// Deletes statements of a stream that are published and whose openings are stored; their keys are remembered until a time.
    ///
    /// Each is given by its position and its bytes: what was signed anew in that position meanwhile stays.
    ///
    /// # Errors
    ///
    /// The store is not well.
    pub fn settle(&self, number: StreamNumber, statements: &[(u64, &[u8])], until_ms: u64) -> Result<(), OutboxError> {
        self.change(|tx, load| {
            let mut signed = tx.open_table(SIGNED)?;
            let mut members = tx.open_table(MEMBERS)?;
            let (mut seen, mut forget) = (tx.open_table(SEEN)?, tx.open_table(FORGET)?);
            for (seq, published) in statements {
                let is_it = signed.get((number, *seq))?.is_some_and(|row| row.value().2 == *published);
                let Some(row) = (if is_it { signed.remove((number, *seq))? } else { None }) else { continue };
                let (_, key, entry, openings) = row.value();
                load.is_signed_no_more(number, entry, openings);
                let of_batch = members.remove((number, *seq))?;
                let of_batch = of_batch.as_ref().map(|keys| keys.value().as_chunks().0).unwrap_or_default();
                for key in of_batch.iter().chain([key]).filter(|key| **key != OWN) {
                    let semantic = seen.get(key)?.map(|row| *row.value().0);
                    if let Some(semantic) = semantic {
                        seen.insert(key, (&semantic, until_ms))?;
                        forget.insert((until_ms, key), ())?;
                    }
                }
            }
            Ok(Some(()))
        })?;
        Ok(())
    }

    /// Forgets keys whose time has passed, and streams that were closed and not heard since `silent_since_ms`; gives how many keys.
    ///
    /// `now_ms` must be a clock that does not jump, or what is forgotten too early is logged again.
    ///
    /// # Errors
    ///
    /// The store is not well.
    pub fn forget(&self, now_ms: u64, silent_since_ms: u64) -> Result<u64, OutboxError> {
        let nothing = self.look(|tx| {
            let first = tx.open_table(FORGET)?.first()?.map(|(place, _)| place.value().0);
            Ok(first.is_none_or(|until_ms| until_ms > now_ms))
        })?;
        if nothing && !self.has_gone(silent_since_ms)? {
            return Ok(0);
        }
        let count = self.change(|tx, _| {
            let (mut seen, mut forget) = (tx.open_table(SEEN)?, tx.open_table(FORGET)?);
            let mut count = 0;
            for row in forget.extract_from_if((0, &OWN)..(now_ms.saturating_add(1), &OWN), |_, ()| true)?.take(AT_ONCE)
            {
                let row = row?;
                seen.remove(row.0.value().1)?;
                count += 1;
            }
            let (mut streams, mut speakers) = (tx.open_table(STREAMS)?, tx.open_table(SPEAKERS)?);
            let mut places = tx.open_table(PLACES)?;
            for (number, stream) in gone(&streams, &tx.open_table(SIGNED)?, &tx.open_table(WAITING)?, silent_since_ms)?
            {
                streams.remove(number)?;
                let place = (stream.route.as_str(), stream.instance.as_str());
                if speakers.get(place)?.is_some_and(|speaker| speaker.value() == number) {
                    speakers.remove(place)?;
                    places.remove((place.0, status_of(place.1).as_str()))?;
                }
            }
            Ok(Some(count))
        })?;
        Ok(count.unwrap_or(0))
    }

    fn has_gone(&self, silent_since_ms: u64) -> Result<bool, OutboxError> {
        self.look(|tx| {
            let (streams, signed, waiting) = (tx.open_table(STREAMS)?, tx.open_table(SIGNED)?, tx.open_table(WAITING)?);
            Ok(!gone(&streams, &signed, &waiting, silent_since_ms)?.is_empty())
        })
    }
}

/// Finds closed streams of which nothing is left to send and nothing was heard for long.
fn gone(
    streams: &impl redb::ReadableTable<u64, &'static [u8]>,
    signed: &impl redb::ReadableTable<(u64, u64), super::tables::SignedRow>,
    waiting: &impl redb::ReadableTable<(u64, u64), super::tables::WaitingRow>,
    silent_since_ms: u64,
) -> Result<Vec<(StreamNumber, super::Stream)>, redb::Error> {
    let mut found = Vec::new();
    for row in streams.iter()? {
        let (number, row) = row?;
        let stream = stream_of(row.value())?;
        let all = all_of(number.value());
        let is_sent = signed.range(all.clone())?.next().is_none() && waiting.range(all)?.next().is_none();
        if stream.closed && stream.heard_ms < silent_since_ms && is_sent {
            found.push((number.value(), stream));
        }
    }
    Ok(found)
}

/// Keys forgotten in one transaction: other writers wait meanwhile.
const AT_ONCE: usize = 10_000;
