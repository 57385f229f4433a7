//! How fresh each stream of a matter is: what may have happened already and be on its way.
//!
//! A stream speaks of itself at regular times. What happened before it last spoke is in the log, or it said what was lost; what happened
//! since may still be in flight, for as long as the stream usually takes to speak again. One that has not spoken for longer is silent.

use std::collections::BTreeMap;

use govlog_formats::record::stream::StreamOp;
use govlog_formats::visible::visible;
use serde_json::{Value, json};

use crate::custody::{GapSeen, SILENT_AFTER_S, StreamSeen};
use crate::time;

/// How many seconds lie between two words of a stream, by issuer and name, where two were found.
pub(super) type Beats = BTreeMap<(String, String), u64>;

/// So many times as long as usual is silence.
const PATIENCE: u64 = 3;

/// One stream, at a time.
#[derive(Debug)]
pub(super) struct Fresh<'a> {
    pub(super) stream: &'a StreamSeen,
    /// Seconds since it last spoke.
    age_s: Option<u64>,
    beat_s: Option<u64>,
    is_closed: bool,
}

impl<'a> Fresh<'a> {
    pub(super) fn new(stream: &'a StreamSeen, beats: &Beats, now_s: u64) -> Self {
        let word = stream.last_word.as_ref();
        Self {
            stream,
            age_s: word.map(|word| now_s.saturating_sub(word.said_s())),
            beat_s: beats.get(&(stream.issuer.clone(), stream.stream.clone())).copied(),
            is_closed: word.is_some_and(|word| word.op == StreamOp::Close.as_str()),
        }
    }

    pub(super) fn is_silent(&self) -> bool {
        let bound = self.beat_s.map_or(SILENT_AFTER_S, |beat| beat.saturating_mul(PATIENCE));
        !self.is_closed && self.age_s.is_some_and(|age| age > bound)
    }

    /// In a line, for people.
    pub(super) fn line(&self) -> String {
        let stream = self.stream;
        let count = if stream.entries == 1 { "1 entry".to_owned() } else { format!("{} entries", stream.entries) };
        format!("{}  {}  {count} here; {}", visible(&stream.issuer), visible(&stream.stream), self.said())
    }

    fn said(&self) -> String {
        let (Some(word), Some(age_s)) = (&self.stream.last_word, self.age_s) else {
            return "it says nothing of itself: how far behind it is, is not known".to_owned();
        };
        let (age, entry) = (time::age(0, age_s), &word.entry);
        if self.is_closed {
            return format!("closed {age} ago ({entry}): nothing is in flight");
        }
        let last = format!("last {} {age} ago ({entry})", if word.op == "open" { "opened" } else { "heartbeat" });
        match (self.is_silent(), self.beat_s) {
            (true, Some(beat)) => {
                format!(
                    "SILENT: {last}, though it speaks every {}; what happened since may be missing",
                    time::age(0, beat)
                )
            }
            (true, None) => format!("SILENT: {last}; what happened since may be missing"),
            (false, Some(beat)) => format!("{last}; up to {} in flight", time::age(0, beat.max(1))),
            (false, None) => format!("{last}; what happened since may be in flight"),
        }
    }

    /// What it says was lost, in lines.
    pub(super) fn gaps(&self) -> impl Iterator<Item = String> + '_ {
        self.stream.gaps.iter().map(gap)
    }

    pub(super) fn json(&self) -> Value {
        let stream = self.stream;
        json!({
            "issuer": stream.issuer,
            "stream": stream.stream,
            "entries": stream.entries,
            "last_word": stream.last_word,
            "age_s": self.age_s,
            "in_flight_s": if self.is_closed { Some(0) } else { self.beat_s },
            "silent": self.is_silent(),
            "gaps": stream.gaps,
        })
    }
}

fn gap(gap: &GapSeen) -> String {
    let at = |ms: Option<u64>| ms.map_or_else(|| "?".to_owned(), |ms| time::utc(ms / 1000));
    let count = gap.count.map(|count| format!(", {count} events")).unwrap_or_default();
    let cause = gap.cause.as_deref().map_or_else(|| "no cause is given".to_owned(), visible);
    format!("GAP {}: {cause}{count}, from {} to {}", gap.entry, at(gap.from_ms), at(gap.to_ms))
}
