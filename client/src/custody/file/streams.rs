//! What streams say of themselves, as far as a set of entries shows it: where they are, what was lost, when they last spoke.

use std::collections::BTreeMap;

use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::record::stream::StreamOp;
use govlog_formats::record::{Record, Recorded};
use govlog_formats::statement::SignedStatement;
use serde::{Deserialize, Serialize};

use crate::trust::EPOCH;

/// A stream that says nothing for so long, without having ended, is called silent. Agents speak every minute unless told otherwise.
pub const SILENT_AFTER_S: u64 = 900;

/// What is known of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamSeen {
    /// Who signs it.
    pub issuer: String,
    /// Its name.
    pub stream: String,
    /// How many of its entries are here.
    pub entries: u64,
    /// The lowest of their positions.
    pub first: u64,
    /// The highest of them.
    pub last: u64,
    /// The stream that this one continues, as it says.
    pub predecessor: Option<String>,
    /// What it says was lost.
    pub gaps: Vec<GapSeen>,
    /// The newest of its records about itself that is here.
    pub last_word: Option<LastWord>,
}

/// Events that were lost before they reached the stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GapSeen {
    /// The entry that says so.
    pub entry: String,
    /// Why they were lost.
    pub cause: Option<String>,
    /// Not before this time, POSIX milliseconds.
    pub from_ms: Option<u64>,
    /// Not after this time.
    pub to_ms: Option<u64>,
    /// How many, where that is known.
    pub count: Option<u64>,
}

/// A stream's record about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastWord {
    /// The entry.
    pub entry: String,
    /// `open`, `heartbeat` or `close`.
    pub op: String,
    /// When, as claimed: POSIX milliseconds.
    pub event_ms: u64,
    /// How many statements the stream has had with it.
    pub next_seq: Option<u64>,
    /// By when it was said at the latest, POSIX seconds: when it was signed, as claimed, and when witnesses saw it logged. No manifest holds it.
    #[serde(skip)]
    pub by_s: Option<u64>,
}

impl LastWord {
    /// When it was said, POSIX seconds: as claimed, but not after it was there. A clock that is ahead hides no silence.
    #[must_use]
    pub fn said_s(&self) -> u64 {
        let claimed = self.event_ms / 1000;
        self.by_s.map_or(claimed, |by| by.min(claimed))
    }

    /// Whether it claims a time after it was there.
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        self.said_s() < self.event_ms / 1000
    }
}

impl StreamSeen {
    /// For how long it has been silent at a time, POSIX seconds; `None`: it has ended, or spoke shortly before.
    #[must_use]
    pub fn silent_s(&self, at_s: u64) -> Option<u64> {
        let word = self.last_word.as_ref().filter(|word| word.op != StreamOp::Close.as_str())?;
        Some(at_s.saturating_sub(word.said_s())).filter(|age| *age > SILENT_AFTER_S)
    }
}

/// Bounds when streams last spoke: by when each of these entries was there.
pub(in crate::custody) fn bounded(streams: &[StreamSeen], by_s: impl Fn(&str) -> Option<u64>) -> Vec<StreamSeen> {
    let bound = |stream: &StreamSeen| {
        let last_word = stream.last_word.as_ref().map(|word| LastWord { by_s: by_s(&word.entry), ..word.clone() });
        StreamSeen { last_word, ..stream.clone() }
    };
    streams.iter().map(bound).collect()
}

/// Tells what entries show of the streams that they stand in, in the order of issuer and name.
#[must_use]
pub fn streams<'a>(entries: impl IntoIterator<Item = (LeafIndex, &'a SignedStatement)>) -> Vec<StreamSeen> {
    let mut found: BTreeMap<(String, String), StreamSeen> = BTreeMap::new();
    for (index, statement) in entries {
        let Some(position) = &statement.claims().stream else { continue };
        let (issuer, stream) = (statement.claims().iss.clone(), position.stream.clone());
        let seen = found.entry((issuer.clone(), stream.clone())).or_insert_with(|| StreamSeen {
            issuer,
            stream,
            entries: 0,
            first: position.seq,
            last: position.seq,
            predecessor: None,
            gaps: Vec::new(),
            last_word: None,
        });
        seen.entries += 1;
        seen.first = seen.first.min(position.seq);
        seen.last = seen.last.max(position.seq);
        if !statement.is_hash_envelope() {
            add(seen, index, statement);
        }
    }
    found.into_values().collect()
}

fn add(seen: &mut StreamSeen, index: LeafIndex, statement: &SignedStatement) {
    let entry = EntryId { epoch: EPOCH, index }.to_string();
    let text = |text: Recorded<&str>| text.present().map(str::to_owned);
    match Record::parse(statement.kind(), statement.payload()) {
        Ok(Record::Gap(gap)) => {
            let (from_ms, to_ms) = gap.time_ms();
            let (from_ms, to_ms) = (from_ms.present(), to_ms.present());
            seen.gaps.push(GapSeen { entry, cause: text(gap.cause()), from_ms, to_ms, count: gap.count().present() });
        }
        Ok(Record::Stream(word)) => {
            seen.predecessor = text(word.predecessor()).or(seen.predecessor.take());
            if let (Some(op), Some(event_ms)) = (word.op().present(), word.body().event_ms().present()) {
                let next_seq = word.next_seq().present();
                // In the log's order, so that the last one stays.
                seen.last_word = Some(LastWord { entry, op: op.as_str().to_owned(), event_ms, next_seq, by_s: None });
            }
        }
        _ => {}
    }
}
