//! The agent's own records: about its streams, and about what could not be made a record.

use std::collections::BTreeMap;

use ciborium::Value;
use govlog_client::openings::FieldOpening;
use govlog_formats::cbor;
use govlog_formats::digest::Digest;
use govlog_formats::record::{Record, RecordError};

use crate::outbox::{Content, Counters, Stream};
use crate::seal::{Draft, Sealer};

/// What a `stream` record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Open,
    Heartbeat,
    Close,
}

/// A `stream` record to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told<'a> {
    pub(super) op: Op,
    pub(super) stream: &'a Stream,
    /// The position of the record itself.
    pub(super) seq: u64,
    pub(super) counters: Counters,
    pub(super) waiting: u64,
    pub(super) head: Option<Digest>,
    pub(super) now_ms: u64,
}

impl Told<'_> {
    pub(super) fn draft(&self) -> Result<Draft, RecordError> {
        let stream = self.stream;
        // The agent's own stream is about no instance of a source: it is the agent's.
        let instance = if stream.instance.is_empty() { &stream.name } else { &stream.instance };
        let mut map = vec![
            ("v", 1.into()),
            ("event_ms", self.now_ms.into()),
            ("op", self.op.name().into()),
            ("instance", instance.as_str().into()),
            ("next_seq", (self.seq + 1).into()),
            ("assurance", ASSURANCE.into()),
        ];
        if let Some(predecessor) = stream.predecessor.as_ref().filter(|_| self.op == Op::Open) {
            map.push(("predecessor", predecessor.as_str().into()));
        }
        if self.op != Op::Open {
            map.push(("counters", self.counters()));
            if !stream.source_counters.is_empty() {
                map.push(("source_counters", source_counters(&stream.source_counters)));
            }
        }
        if self.op == Op::Close {
            map.push(("reason", "nothing was heard of the source for long".into()));
        }
        if let Some(head) = &self.head {
            map.push(("head", Value::Bytes(head.as_bytes().to_vec())));
        }
        draft("stream", map, Vec::new())
    }

    fn counters(&self) -> Value {
        let Counters { received, emitted, duplicate, quarantined } = self.counters;
        let named = [
            ("received", received),
            ("emitted", emitted),
            ("duplicate", duplicate),
            ("quarantined", quarantined),
            ("waiting", self.waiting),
        ];
        Value::Map(named.into_iter().map(|(name, count)| (name.into(), count.into())).collect())
    }
}

impl Op {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Heartbeat => "heartbeat",
            Self::Close => "close",
        }
    }
}

fn source_counters(counters: &BTreeMap<String, String>) -> Value {
    let number = |text: &String| text.parse::<u64>().map_or_else(|_| text.as_str().into(), Value::from);
    // A source may report what it likes; a heartbeat must fit into an entry whatever that is.
    let short =
        counters.iter().filter(|(name, count)| name.len() <= MAX_COUNTER_BYTES && count.len() <= MAX_COUNTER_BYTES);
    Value::Map(short.take(MAX_COUNTERS).map(|(name, count)| (name.as_str().into(), number(count))).collect())
}

/// Something that a `quarantine` stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quarantined<'a> {
    pub(super) reason: &'a str,
    /// What it stands for: for a statement that was refused, its bytes.
    pub(super) what: &'a Content,
    /// The source's system and instance; the instance may be unknown.
    pub(super) source: (&'a str, &'a str),
    /// The status with which the log refused it, if it is a statement that was.
    pub(super) refused: Option<u16>,
    pub(super) received_ms: u64,
}

impl Quarantined<'_> {
    /// Writes the record; what it stands for may be personal or easy to guess, so its bytes and even its digest are sealed.
    pub(super) fn draft(&self, mut sealer: Sealer<'_>) -> Result<Draft, RecordError> {
        let (digest, size, input) = match self.what {
            Content::Digest { digest, size, .. } => (*digest, *size, None),
            Content::Event(bytes) | Content::Formed { bytes, .. } | Content::Input { bytes, .. } => {
                (Digest::sha256(bytes), u64::try_from(bytes.len()).unwrap_or(u64::MAX), Some(bytes))
            }
        };
        let (system, instance) = self.source;
        let mut source = vec![("system".into(), system.into())];
        if !instance.is_empty() {
            source.push(("instance".into(), instance.into()));
        }
        let mut map = vec![
            ("v", 1.into()),
            ("event_ms", self.received_ms.into()),
            ("reason", bounded(self.reason).into()),
            ("size", size.into()),
            ("assurance", ASSURANCE.into()),
            ("source", Value::Map(source)),
            ("digest", sealer.seal("digest", Value::Bytes(digest.as_bytes().to_vec()))),
        ];
        if let Some(bytes) = input {
            map.push(("input", sealer.seal("input", Value::Bytes(bytes.clone()))));
        }
        if let Some(status) = self.refused {
            map.push(("refused", status.into()));
        }
        draft("quarantine", map, sealer.into_openings())
    }
}

fn draft(kind: &'static str, map: Vec<(&str, Value)>, openings: Vec<FieldOpening>) -> Result<Draft, RecordError> {
    let pairs = map.into_iter().map(|(key, value)| (key.into(), value)).collect();
    let payload = cbor::to_deterministic(&Value::Map(pairs));
    // What is signed is known to be well-formed.
    Record::parse(kind, &payload)?;
    Ok(Draft { kind, sub: None, payload, openings })
}

/// A reason as long as a person would read.
fn bounded(reason: &str) -> &str {
    let mut end = reason.len().min(MAX_REASON_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    match reason.get(..end) {
        Some(reason) if !reason.is_empty() => reason,
        _ => "no reason was given",
    }
}

const MAX_REASON_BYTES: usize = 500;
/// OPA has fewer than thirty of decision logs.
const MAX_COUNTERS: usize = 64;
const MAX_COUNTER_BYTES: usize = 128;
/// records.md §1, `assurance`: the agent signs what a source sent it; the source itself signs nothing.
const ASSURANCE: &str = "adapter-signed";
