//! Taking in what a source sends: durable, and once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use govlog_formats::digest::Digest;
use redb::{ReadableTable as _, ReadableTableMetadata as _, Table, WriteTransaction};

use super::heard::Upload;
use super::how_far::HowFar;
use super::joins::{self, Joins};
use super::load::Load;
use super::row::{Stream, StreamNumber};
use super::tables::{FOR_NOW, PLACES, SEEN, SPEAKERS, STREAMS, WAITING, WaitingRow};
use super::write::next_number;
use super::{Outbox, OutboxError, all_of, size, stream_of, stream_row};
use crate::names::Fresh;

/// One thing that a source sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The source's instance; empty where it is not known: then it goes into the agent's own stream.
    pub instance: String,
    /// What names it once, from [`idempotency_key`].
    pub key: [u8; 32],
    /// A digest of what it says, without what may differ when it comes again.
    pub semantic: Digest,
    /// The thing itself.
    pub content: Content,
}

/// What there is of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// An event, to be made a record of.
    Event(Vec<u8>),
    /// Something else that an adapter makes a record of.
    Formed {
        /// What it is, by the name that the adapter gave it.
        form: String,
        /// The thing itself.
        bytes: Vec<u8>,
    },
    /// An input that is no event.
    Input {
        /// Why not.
        reason: String,
        /// The input.
        bytes: Vec<u8>,
    },
    /// An input too large to keep.
    Digest {
        /// Why it is not kept.
        reason: String,
        /// SHA-256 of the input.
        digest: Digest,
        /// How many bytes it had.
        size: u64,
    },
}

/// What the outbox may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of events, statements and openings.
    pub bytes: u64,
    /// Streams that are not closed, or were used of late.
    pub streams: u64,
}

/// What became of what was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Not seen before.
    pub new: u64,
    /// Seen before: nothing was to be done.
    pub duplicate: u64,
    /// Under a key seen before, with other content: kept beside the first, as an input that is no event.
    pub conflicting: u64,
    /// No event.
    pub inputs: u64,
    /// Decisions that are known no more although an effect may look for them: there was no room for more.
    pub forgotten: u64,
}

/// Why nothing was taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// There is no room; the source must come again.
    #[error("the outbox is full: {held} of {most} bytes wait for the log")]
    Full {
        /// How many bytes wait.
        held: u64,
        /// How many may.
        most: u64,
    },
    /// Too many instances have spoken.
    #[error("there are {0} streams already; a new instance must wait until idle ones are closed and forgotten")]
    Streams(u64),
    /// The store is not well.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

/// Gives the key by which an event of a source is known again.
///
/// records.md §1: "Within a source, idempotency is (source.system, source.instance, source.native_id)."
#[must_use]
pub fn idempotency_key(system: &str, instance: &str, native_id: &str) -> [u8; 32] {
    let mut text = Vec::new();
    for part in [system, instance, native_id] {
        text.extend_from_slice(&size(part.as_bytes()).to_be_bytes());
        text.extend_from_slice(part.as_bytes());
    }
    *Digest::sha256(&text).as_bytes()
}

impl Content {
    /// How many bytes are kept of it.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Event(bytes) | Self::Formed { bytes, .. } | Self::Input { bytes, .. } => size(bytes),
            Self::Digest { .. } => 0,
        }
    }

    /// What an adapter is to make a record of, if it is that: its form, and the thing itself.
    pub(crate) fn event(&self) -> Option<(&str, &[u8])> {
        match self {
            Self::Event(bytes) => Some(("", bytes)),
            Self::Formed { form, bytes } => Some((form, bytes)),
            Self::Input { .. } | Self::Digest { .. } => None,
        }
    }

    /// The form in `waiting`: what it is, reason or form, bytes.
    fn row(&self) -> (u8, &str, std::borrow::Cow<'_, [u8]>) {
        match self {
            Self::Event(bytes) => (EVENT, "", bytes.into()),
            Self::Formed { form, bytes } => (FORMED, form, bytes.into()),
            Self::Input { reason, bytes } => (INPUT, reason, bytes.into()),
            Self::Digest { reason, digest, size } => {
                (DIGEST, reason, [digest.as_bytes().as_slice(), &size.to_be_bytes()].concat().into())
            }
        }
    }

    /// Reads the form in `waiting`.
    pub(super) fn of_row(what: u8, reason: &str, bytes: &[u8]) -> Option<Self> {
        let reason = reason.to_owned();
        match what {
            EVENT => Some(Self::Event(bytes.to_vec())),
            FORMED => Some(Self::Formed { form: reason, bytes: bytes.to_vec() }),
            INPUT => Some(Self::Input { reason, bytes: bytes.to_vec() }),
            DIGEST => {
                let (digest, size) = bytes.split_first_chunk::<32>()?;
                let size = u64::from_be_bytes(size.try_into().ok()?);
                Some(Self::Digest { reason, digest: Digest::from_bytes(*digest), size })
            }
            _ => None,
        }
    }
}

impl Outbox {
    /// Takes all that came in one upload on a route, or nothing. `name` makes the name of a new stream from an instance.
    ///
    /// # Errors
    ///
    /// [`ReceiveError`]; nothing was taken then.
    pub fn receive(
        &self,
        route: &str,
        arrivals: &[Arrival],
        limits: Limits,
        now_ms: u64,
        name: &dyn Fn(&str) -> Fresh,
    ) -> Result<Taken, ReceiveError> {
        let joins = self.joins_of(route, arrivals);
        let taken = self.take_in(Intake::new(route, limits, now_ms, name), arrivals, joins.as_ref(), None);
        // Where the store is not well nothing is known, and the agent ends.
        if !matches!(taken, Err(ReceiveError::Outbox(_))) {
            self.note_upload(route, arrivals, joins.as_ref(), taken.is_ok(), now_ms);
        }
        taken
    }

    /// Takes what was read of a source, and how far it was read: both, or neither.
    ///
    /// # Errors
    ///
    /// [`ReceiveError`]; nothing was taken then.
    pub fn receive_read(
        &self,
        route: &str,
        arrivals: &[Arrival],
        how_far: Option<HowFar<'_>>,
        limits: Limits,
        now_ms: u64,
        name: &dyn Fn(&str) -> Fresh,
    ) -> Result<Taken, ReceiveError> {
        let joins = self.joins_of(route, arrivals);
        self.take_in(Intake::new(route, limits, now_ms, name), arrivals, joins.as_ref(), how_far)
    }

    fn take_in(
        &self,
        mut intake: Intake<'_>,
        arrivals: &[Arrival],
        joins: Option<&Joins>,
        how_far: Option<HowFar<'_>>,
    ) -> Result<Taken, ReceiveError> {
        let (route, now_ms) = (intake.route, intake.now_ms);
        self.change(|tx, load| {
            let done = intake.take_all(tx, load, arrivals)?;
            if let (Some(()), Some((joins, keep))) = (done, joins) {
                // What is kept beside another of its id becomes no decision: nothing can link to it.
                let joins = joins.iter().filter(|(at, _)| !intake.conflicts.contains(at)).map(|(_, join)| join);
                intake.taken.forgotten = joins::keep(tx, joins, self.terms(*keep, intake.limits, now_ms))?;
            }
            if let (Some(()), Some(how_far)) = (done, how_far) {
                how_far.keep(tx, route, load)?;
                if how_far.holds() && !intake.has_room(load) {
                    return Ok(None);
                }
            }
            Ok(done)
        })?;
        if let (None, Some((joins, _))) = (&intake.refused, joins) {
            self.lately.note(joins.iter().map(|(_, join)| join.request_id.as_str()));
        }
        match intake.refused {
            Some(refused) => Err(refused),
            None => Ok(intake.taken),
        }
    }

    /// Notes who uploaded, and whether that is kept.
    fn note_upload(&self, route: &str, arrivals: &[Arrival], joins: Option<&Joins>, is_kept: bool, now_ms: u64) {
        let events = arrivals.iter().filter(|arrival| matches!(arrival.content, Content::Event(_)));
        // One instance uploads for itself; where there are several, what is late counts for all of them.
        let oldest_ms = joins.and_then(|(joins, _)| joins.iter().filter_map(|(_, join)| join.decided.decided_ms).min());
        let upload = if is_kept { Upload::Kept { oldest_ms } } else { Upload::Refused };
        for instance in events.map(|arrival| arrival.instance.as_str()).collect::<BTreeSet<_>>() {
            self.heard.uploaded(route, instance, upload, now_ms);
        }
    }

    /// Notes that an instance lives, and what it counts itself; opens its stream if it has none, so that its heartbeats carry that.
    ///
    /// # Errors
    ///
    /// [`ReceiveError`]; nothing was noted then.
    pub fn heard(
        &self,
        route: &str,
        instance: &str,
        counters: &BTreeMap<String, String>,
        limits: Limits,
        now_ms: u64,
        name: &dyn Fn(&str) -> Fresh,
    ) -> Result<(), ReceiveError> {
        let mut intake = Intake::new(route, limits, now_ms, name);
        self.change(|tx, _| {
            let Some((number, mut stream)) = intake.stream(tx, instance)? else { return Ok(None) };
            stream.heard_ms = now_ms;
            stream.source_counters.clone_from(counters);
            intake.keep(tx, instance, number, &stream)?;
            Ok(Some(()))
        })?;
        intake.refused.map_or(Ok(()), Err)
    }
}

/// What a status of an instance tells.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The instance.
    pub instance: &'a str,
    /// What it counts itself.
    pub counters: &'a BTreeMap<String, String>,
    /// What is to be made records of.
    pub arrivals: &'a [Arrival],
    /// What is to be remembered until its next status: [`Outbox::place`] of [`status_of`] gives it back.
    pub memory: &'a [u8],
}

/// Under which name the memory of an instance's statuses is kept among the places of its route.
#[must_use]
pub fn status_of(instance: &str) -> String {
    format!("status {instance}")
}

impl Outbox {
    /// As [`heard`](Self::heard), and takes what the status tells with what is to be remembered of it: all of it, or nothing.
    ///
    /// # Errors
    ///
    /// [`ReceiveError`]; nothing was taken then.
    pub fn report(
        &self,
        route: &str,
        report: &Report<'_>,
        limits: Limits,
        now_ms: u64,
        name: &dyn Fn(&str) -> Fresh,
    ) -> Result<Taken, ReceiveError> {
        let mut intake = Intake::new(route, limits, now_ms, name);
        self.change(|tx, load| {
            let Some((number, mut stream)) = intake.stream(tx, report.instance)? else { return Ok(None) };
            stream.heard_ms = now_ms;
            stream.source_counters.clone_from(report.counters);
            intake.keep(tx, report.instance, number, &stream)?;
            if !report.arrivals.is_empty() && intake.take_all(tx, load, report.arrivals)?.is_none() {
                return Ok(None);
            }
            tx.open_table(PLACES)?.insert((route, status_of(report.instance).as_str()), report.memory)?;
            Ok(Some(()))
        })?;
        self.heard.reported(route, report.instance, intake.refused.is_none(), now_ms);
        intake.refused.map_or(Ok(intake.taken), Err)
    }
}

/// One upload on its way into the tables.
struct Intake<'a> {
    route: &'a str,
    now_ms: u64,
    name: &'a dyn Fn(&str) -> Fresh,
    limits: Limits,
    taken: Taken,
    /// The places of arrivals that came under a key seen before, with other content.
    conflicts: HashSet<usize>,
    /// Why nothing is taken after all.
    refused: Option<ReceiveError>,
}

/// An instance's stream during one upload.
struct Met {
    number: StreamNumber,
    stream: Stream,
    next: u64,
}

impl<'a> Intake<'a> {
    fn new(route: &'a str, limits: Limits, now_ms: u64, name: &'a dyn Fn(&str) -> Fresh) -> Self {
        Self { route, now_ms, name, limits, taken: Taken::default(), conflicts: HashSet::new(), refused: None }
    }

    fn take_all(
        &mut self,
        tx: &WriteTransaction,
        load: &mut Load,
        arrivals: &[Arrival],
    ) -> Result<Option<()>, redb::Error> {
        let mut met: HashMap<&str, Met> = HashMap::new();
        for arrival in arrivals {
            if !met.contains_key(arrival.instance.as_str()) {
                let Some((number, stream)) = self.stream(tx, &arrival.instance)? else { return Ok(None) };
                let next = next_arrival(&tx.open_table(WAITING)?, number)?;
                met.insert(&arrival.instance, Met { number, stream, next });
            }
        }
        let (mut seen, mut waiting) = (tx.open_table(SEEN)?, tx.open_table(WAITING)?);
        for (at, arrival) in arrivals.iter().enumerate() {
            if let Some(met) = met.get_mut(arrival.instance.as_str())
                && self.take(&mut seen, &mut waiting, load, arrival, met)?
            {
                self.conflicts.insert(at);
            }
        }
        for (instance, met) in &met {
            self.keep(tx, instance, met.number, &met.stream)?;
        }
        // Judged by what is really to be kept: what is known already takes no room.
        let takes = self.taken.new + self.taken.conflicting + self.taken.inputs > 0;
        Ok((!takes || self.has_room(load)).then_some(()))
    }

    /// Whether there is room for what is taken; if not, it is refused.
    fn has_room(&mut self, load: &Load) -> bool {
        let (held, most) = (load.backlog().bytes(), self.limits.bytes);
        if held > most {
            self.refused = Some(ReceiveError::Full { held, most });
        }
        held <= most
    }

    /// Finds the stream that an instance's events go into, or makes one; `None` when there may be no more.
    fn stream(&mut self, tx: &WriteTransaction, instance: &str) -> Result<Option<(StreamNumber, Stream)>, redb::Error> {
        let streams = tx.open_table(STREAMS)?;
        let predecessor = match self.known(&streams, &tx.open_table(SPEAKERS)?, instance)? {
            Known::Open(number, stream) => return Ok(Some((number, *stream))),
            Known::None { predecessor } => predecessor,
        };
        // The agent's own always has room: what goes into it could not be refused for good.
        if streams.len()? >= self.limits.streams && !instance.is_empty() {
            self.refused = Some(ReceiveError::Streams(streams.len()?));
            return Ok(None);
        }
        drop(streams);
        let (number, fresh) = (next_number(tx)?, (self.name)(instance));
        let predecessor = predecessor.or(fresh.predecessor);
        let stream = Stream::new(self.route, instance, fresh.name, predecessor, self.now_ms);
        self.keep(tx, instance, number, &stream)?;
        Ok(Some((number, stream)))
    }

    fn keep(
        &self,
        tx: &WriteTransaction,
        instance: &str,
        number: StreamNumber,
        stream: &Stream,
    ) -> Result<(), redb::Error> {
        tx.open_table(STREAMS)?.insert(number, stream_row(stream)?.as_slice())?;
        tx.open_table(SPEAKERS)?.insert((self.route, instance), number)?;
        Ok(())
    }

    /// Finds the stream that an instance's events go into.
    fn known(
        &self,
        streams: &Table<'_, u64, &'static [u8]>,
        speakers: &Table<'_, (&'static str, &'static str), u64>,
        instance: &str,
    ) -> Result<Known, redb::Error> {
        let Some(number) = speakers.get((self.route, instance))?.map(|number| number.value()) else {
            return Ok(Known::None { predecessor: None });
        };
        let row = streams.get(number)?.map(|row| stream_of(row.value())).transpose()?;
        Ok(match row {
            Some(stream) if !stream.closed => Known::Open(number, Box::new(stream)),
            closed => Known::None { predecessor: closed.map(|stream| stream.name) },
        })
    }

    /// Says whether it came under a key seen before, with other content.
    fn take(
        &mut self,
        seen: &mut Table<'_, &'static [u8; 32], (&'static [u8; 32], u64)>,
        waiting: &mut Table<'_, (u64, u64), WaitingRow>,
        load: &mut Load,
        arrival: &Arrival,
        Met { number, stream, next }: &mut Met,
    ) -> Result<bool, redb::Error> {
        stream.heard_ms = self.now_ms;
        stream.counters.received += 1;
        let semantic = arrival.semantic.as_bytes();
        let (mut key, mut conflict) = (arrival.key, false);
        let first = seen.get(&key)?.map(|row| *row.value().0);
        if let Some(first) = first.filter(|first| first != semantic) {
            // Under a key of its own, so that this second content is kept once, too.
            key = *Digest::sha256(&[first, arrival.key, *semantic].concat()).as_bytes();
            conflict = true;
        }
        if seen.get(&key)?.is_some() {
            stream.counters.duplicate += 1;
            self.taken.duplicate += 1;
            return Ok(conflict);
        }
        let (what, reason, bytes) = arrival.content.row();
        let (what, reason) = if conflict { (INPUT, CONFLICT) } else { (what, reason) };
        seen.insert(&key, (semantic, FOR_NOW))?;
        waiting.insert((*number, *next), (self.now_ms, what, &key, reason, &*bytes))?;
        *next += 1;
        load.waits(&bytes);
        match what {
            _ if conflict => self.taken.conflicting += 1,
            EVENT | FORMED => self.taken.new += 1,
            _ => self.taken.inputs += 1,
        }
        Ok(conflict)
    }
}

/// What is known of an instance that speaks.
enum Known {
    /// The stream that is open for it.
    Open(StreamNumber, Box<Stream>),
    /// There is none: it never spoke, or its stream was closed.
    None { predecessor: Option<String> },
}

fn next_arrival(waiting: &Table<'_, (u64, u64), WaitingRow>, number: StreamNumber) -> Result<u64, redb::Error> {
    let last = waiting.range(all_of(number))?.next_back().transpose()?;
    Ok(last.map_or(0, |(key, _)| key.value().1 + 1))
}

/// The reason of a conflicting event's quarantine.
pub(super) const CONFLICT: &str = "another event came under this id before, with other content; both are kept";

const EVENT: u8 = 0;
const INPUT: u8 = 1;
const DIGEST: u8 = 2;
const FORMED: u8 = 3;
