//! What the streams of a matter say of themselves: the gaps that they declare around it, and when they last spoke.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::record::Record;
use govlog_formats::search::{Column, Filter, Marks, Term};
use govlog_formats::statement::SignedStatement;

use super::super::file::MAX_WORDS;
use super::error::ExportError;
use super::reader::{Read, Reader};

/// Gaps count that reach this near to what a stream has in the matter.
const AROUND_MS: u64 = 3_600_000;
/// How many of the newest suggestions are read for the one that does answer: an honest index suggests no others.
const TRIED: usize = 100;

/// Finds the entries in which streams speak of themselves, as far as it matters here.
pub(super) fn words(
    reader: &mut Reader<'_>,
    found: &BTreeMap<LeafIndex, Arc<Read>>,
) -> Result<Vec<LeafIndex>, ExportError> {
    let mut streams: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    for read in found.values() {
        let claims = read.statement.claims();
        let Some(position) = &claims.stream else { continue };
        let marks = Marks::of(&read.statement);
        let (from, to) = streams.entry((&claims.iss, &position.stream)).or_insert((u64::MAX, 0));
        *from = (*from).min(marks.earliest_ms());
        *to = (*to).max(marks.latest_ms());
    }
    let mut words = Vec::new();
    for (iss, stream) in streams.keys() {
        let Some(spoken) = of("stream", iss, stream) else { continue };
        words.extend(last(reader, &spoken)?.filter(|last| !found.contains_key(last)));
    }
    for ((iss, stream), (from, to)) in streams {
        let near = from.saturating_sub(AROUND_MS)..=to.saturating_add(AROUND_MS);
        gaps(reader, of("gap", iss, stream), &near, found, &mut words)?;
    }
    Ok(words)
}

/// What a stream says of itself in entries of this kind.
fn of(kind: &str, iss: &str, stream: &str) -> Option<Filter> {
    let pairs = [(Column::KIND, kind), (Column::ISSUER, iss), (Column::STREAM, stream)];
    let mut terms = pairs.iter().map(|(column, text)| Term::new(*column, text).ok());
    terms.try_fold(Filter::default(), |filter, term| Some(filter.with(term?)))
}

/// The gaps that can be of these times. A gap is declared when it is noticed, which can be long after: by that alone nothing is left out that was
/// declared later.
fn gaps(
    reader: &mut Reader<'_>,
    of: Option<Filter>,
    near: &RangeInclusive<u64>,
    found: &BTreeMap<LeafIndex, Arc<Read>>,
    words: &mut Vec<LeafIndex>,
) -> Result<(), ExportError> {
    let Some(since) = of.map(|filter| filter.since(*near.start())) else { return Ok(()) };
    for index in reader.finder.answers(std::slice::from_ref(&since))? {
        // One more than are taken, so that the file says that it was cut.
        if words.len() > MAX_WORDS {
            break;
        }
        if found.contains_key(&index) {
            continue;
        }
        let Some(read) = reader.verified(index)? else { continue };
        if since.matches(&read.statement) && can_be_of(&read.statement, near) {
            words.push(index);
        }
    }
    Ok(())
}

/// Whether what was lost can be of these times, by what the gap says; a bound that it does not name, or seals, bounds nothing.
fn can_be_of(gap: &SignedStatement, times: &RangeInclusive<u64>) -> bool {
    let Ok(Record::Gap(gap)) = Record::parse(gap.kind(), gap.payload()) else { return true };
    let (from, to) = gap.time_ms();
    from.present().is_none_or(|from| from <= *times.end()) && to.present().is_none_or(|to| to >= *times.start())
}

/// The last of them: the others are not even read. Where what is suggested as such is none, it is looked for before that.
pub(in crate::custody) fn last(reader: &mut Reader<'_>, filter: &Filter) -> Result<Option<LeafIndex>, ExportError> {
    let (mut below, mut room) = (reader.head.size(), TRIED);
    while room > 0 {
        let suggested = reader.finder.newest(filter, below, room)?;
        let Some(lowest) = suggested.first() else { break };
        below = TreeSize::new(lowest.get());
        room = room.saturating_sub(suggested.len());
        for index in suggested.into_iter().rev() {
            if reader.verified(index)?.is_some_and(|read| filter.matches(&read.statement)) {
                return Ok(Some(index));
            }
        }
    }
    Ok(None)
}
