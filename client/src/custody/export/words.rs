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
fn last(reader: &mut Reader<'_>, filter: &Filter) -> Result<Option<LeafIndex>, ExportError> {
    let (mut below, mut room, mut others) = (reader.head.size(), TRIED, 0);
    while room > 0 {
        let suggested = reader.finder.newest(filter, below, room)?;
        let Some(lowest) = suggested.first() else { return Ok(None) };
        below = TreeSize::new(lowest.get());
        room = room.saturating_sub(suggested.len());
        for index in suggested.into_iter().rev() {
            match reader.verified(index)? {
                Some(read) if filter.matches(&read.statement) => return Ok(Some(index)),
                Some(_) => others += 1,
                None => {}
            }
        }
    }
    let sought = filter.to_query();
    if others > 0 {
        reader.wrong.push(format!(
            "the index names {others} entries that are none as the newest with {sought}, and no other was looked for"
        ));
    } else {
        reader
            .notices
            .push(format!("the newest with {sought}: of the last {TRIED} none verifies, and no other was looked for"));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use govlog_formats::record::LinkTarget;
    use serde_json::json;

    use super::super::super::find::{FindError, Finder, Scan, Way};
    use super::super::super::tests::export::{log_with_words, mirror};
    use super::*;
    use crate::source::{Head, Tree};
    use crate::testing::{COSIGNED, ISSUER, TestLog, decision, sign};
    use crate::trust::learn_found;

    /// Suggests some entries as the newest of whatever is asked for, and speaks the truth of all before them.
    struct Posing<'p>(Scan, &'p [LeafIndex]);

    impl Finder for Posing<'_> {
        fn find(&mut self, way: Way, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<LeafIndex>, FindError> {
            self.0.find(way, target, kinds)
        }

        fn answers(&mut self, filters: &[Filter]) -> Result<Vec<LeafIndex>, FindError> {
            self.0.answers(filters)
        }

        fn newest(&mut self, filter: &Filter, below: TreeSize, most: usize) -> Result<Vec<LeafIndex>, FindError> {
            let posing: Vec<LeafIndex> = self.1.iter().copied().filter(|index| below.covers(*index)).collect();
            if posing.is_empty() { self.0.newest(filter, below, most) } else { Ok(posing) }
        }

        fn is_cut(&self) -> bool {
            false
        }
    }

    #[test]
    fn a_suggestion_near_the_end_that_is_none_hides_no_last_word() {
        let word = json!({ "op": "heartbeat", "instance": "agent-1", "next_seq": 2 });
        let (mut log, decided) = log_with_words("stream", &[(COSIGNED * 1000, word)]);
        let posing: Vec<LeafIndex> = (0..TRIED).map(|at| log.add("decision", &decision(&format!("d-{at}x")))).collect();
        let forged = sign(&TestLog::new().operator, "decision", &decision("d-10"), None);
        let refused = [log.append(forged.entry().to_vec())];
        let (_dir, source, mut known) = mirror(&log);
        let head = Head::read(&source, &known).unwrap();
        let tree = Tree::new(&source, head.size());
        let filters = [("kind", "stream"), ("issuer", ISSUER), ("stream", "s-1")];
        let filter = Filter::from_pairs(filters).unwrap();
        let said = Some(LeafIndex::new(decided.get() + 1));
        for (posing, found) in [(&posing[..1], said), (&refused[..], said), (&posing[1..], said), (&posing[..], None)] {
            let scan = Scan::read(&tree, &head, std::slice::from_ref(&filter), &mut |_| {}).unwrap();
            learn_found(&source, &mut known, &head, scan.changes()).unwrap();
            let mut reader = Reader::new(&source, &known, &head, &tree, Box::new(Posing(scan, posing)));
            assert_eq!(last(&mut reader, &filter).unwrap(), found);
            let wrong = reader.wrong.take();
            assert_eq!(wrong.len(), usize::from(found.is_none()), "{wrong:?}");
            assert!(wrong.iter().all(|why| why.starts_with("the index names 100 entries that are none")), "{wrong:?}");
        }
    }
}
