//! What the streams of a matter say of themselves: the gaps that they declare around it, and when they last spoke.

use std::collections::BTreeMap;
use std::sync::Arc;

use govlog_formats::merkle::LeafIndex;
use govlog_formats::search::{Column, Filter, Marks, Term};

use super::export::ExportError;
use super::reader::{Read, Reader};

/// Gaps count that reach this near to what a stream has in the matter.
const AROUND_MS: u64 = 3_600_000;
/// How far back a stream's last word is looked for, step by step: its heartbeats are many, and the last one is near.
const BACK_MS: [u64; 4] = [3_600_000, 86_400_000, 30 * 86_400_000, u64::MAX];
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
    let at_ms = reader.head.verified().lower_time().map_or(u64::MAX, |at| at.saturating_mul(1000));
    let mut words = Vec::new();
    for ((iss, stream), (from, to)) in streams {
        let of = |kind: &str| {
            let pairs = [(Column::KIND, kind), (Column::ISSUER, iss), (Column::STREAM, stream)];
            pairs
                .iter()
                .try_fold(Filter::default(), |filter, (column, text)| Some(filter.with(Term::new(*column, text).ok()?)))
        };
        if let Some(gaps) = of("gap") {
            let near = gaps.since(from.saturating_sub(AROUND_MS)).until(to.saturating_add(AROUND_MS));
            words.extend(read(reader, &near)?);
        }
        for back in BACK_MS {
            let Some(spoken) = of("stream") else { break };
            let spoken = if back == u64::MAX { spoken } else { spoken.since(at_ms.saturating_sub(back)) };
            if let Some(last) = last(reader, &spoken)? {
                words.push(last);
                break;
            }
        }
    }
    Ok(words)
}

/// The entries that a finder suggests and that do answer.
fn read(reader: &mut Reader<'_>, filter: &Filter) -> Result<Vec<LeafIndex>, ExportError> {
    let suggested = reader.finder.answers(std::slice::from_ref(filter))?;
    let mut found = Vec::new();
    for index in suggested {
        if filter.matches(&reader.read(index)?.statement) {
            found.push(index);
        }
    }
    Ok(found)
}

/// The last of them: the others are not even read.
fn last(reader: &mut Reader<'_>, filter: &Filter) -> Result<Option<LeafIndex>, ExportError> {
    for index in reader.finder.newest(filter, TRIED)?.into_iter().rev() {
        if filter.matches(&reader.read(index)?.statement) {
            return Ok(Some(index));
        }
    }
    Ok(None)
}
