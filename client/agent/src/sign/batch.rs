//! Permits that become members of one `decision-batch`.
//!
//! The batch's statement holds their root and counts; their records, and what opens them, go with it as its openings, and from there into
//! the opening store. Their idempotency keys stand beside the statement in the outbox.

use ciborium::Value;
use govlog_client::openings::{Member, Openings};
use govlog_formats::cbor::to_deterministic;
use govlog_formats::member::{self, tally::Tally};
use govlog_formats::record::{Decision, Handle, Link, LinkTarget, Record, RecordError};

use super::{NotSigned, Page, SignError, own};
use crate::capture::{Capture, batch_subject};
use crate::outbox::{OWN, Signed, Waiting};
use crate::seal::Draft;

/// A permit on its way into a batch.
pub(super) struct Candidate {
    pub(super) arrival: u64,
    received_ms: u64,
    key: [u8; 32],
    /// Of the event and the record.
    bytes: u64,
    draft: Draft,
    decision: Decision,
}

impl Candidate {
    /// Takes a draft for a batch, or gives it back where it stands alone.
    pub(super) fn new(waiting: &Waiting, draft: Draft, capture: &Capture) -> Result<Self, Draft> {
        match Record::parse(draft.kind, &draft.payload) {
            Ok(Record::Decision(decision)) if capture.is_batched(&decision) => Ok(Self {
                arrival: waiting.arrival,
                received_ms: waiting.received_ms,
                key: waiting.key,
                bytes: waiting.content.bytes() + u64::try_from(draft.payload.len()).unwrap_or(u64::MAX),
                draft,
                decision,
            }),
            _ => Err(draft),
        }
    }
}

/// Permits of one decision point and one enforcement point, within the bounds of a batch.
#[derive(Default)]
pub(super) struct Group {
    members: Vec<Candidate>,
    tally: Tally,
    bytes: u64,
    counts_bytes: usize,
}

/// Sorts permits into batches, each in the order of arrival.
pub(super) fn groups(candidates: Vec<Candidate>, capture: &Capture) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for candidate in candidates {
        // Of the same parties only the last one can have room.
        let same = groups.iter_mut().rev().find(|group| group.is_of(&candidate));
        match same.filter(|group| group.has_room(&candidate, capture)) {
            Some(group) => group.add(candidate),
            None => {
                let mut group = Group::default();
                group.add(candidate);
                groups.push(group);
            }
        }
    }
    groups
}

impl Group {
    /// Whether it is to be a batch: one alone is an entry of its own.
    pub(super) fn is_batch(&self) -> bool {
        self.members.len() > 1
    }

    pub(super) fn count(&self) -> u64 {
        self.tally.count()
    }

    fn is_of(&self, candidate: &Candidate) -> bool {
        self.members.first().is_some_and(|first| parties(&first.decision) == parties(&candidate.decision))
    }

    fn has_room(&self, candidate: &Candidate, capture: &Capture) -> bool {
        let counts = self.counts_bytes.saturating_add(self.tally.grows_by(&candidate.decision));
        self.members.len() < capture.members
            && self.bytes.saturating_add(candidate.bytes) <= capture.bytes
            && counts <= MAX_COUNTS_BYTES
    }

    fn add(&mut self, candidate: Candidate) {
        self.counts_bytes += self.tally.grows_by(&candidate.decision);
        self.bytes += candidate.bytes;
        self.tally.add(&candidate.decision);
        self.members.push(candidate);
    }

    /// The record of the batch.
    fn draft(&self, capture: &Capture, (system, instance): (&str, &str), iss: &str) -> Result<Draft, RecordError> {
        let root = member::tree(self.members.iter().map(|member| member.draft.payload.as_slice())).root();
        let (pdp, pep) = self.members.first().map(|first| parties(&first.decision)).unwrap_or_default();
        let ((from_ms, to_ms), digest) = (self.tally.time_ms(), capture.policy_digest());
        let rule = Handle { name: "policy_digest".to_owned(), value: digest.clone() };
        let link = Link { rel: "governed_by".to_owned(), target: LinkTarget::Handle(rule) };
        let source = vec![("system".into(), system.into()), ("instance".into(), instance.into())];
        let mut map: Vec<(Value, Value)> = vec![
            ("v".into(), 1.into()),
            ("event_ms".into(), to_ms.unwrap_or_default().into()),
            ("count".into(), self.tally.count().into()),
            ("root".into(), Value::Bytes(root.as_bytes().to_vec())),
            ("from_ms".into(), from_ms.unwrap_or_default().into()),
            ("to_ms".into(), to_ms.unwrap_or_default().into()),
            ("counts".into(), self.tally.to_value()),
            ("capture".into(), digest),
            ("source".into(), Value::Map(source)),
            ("assurance".into(), "adapter-signed".into()),
            ("links".into(), Value::Array(vec![link.to_value()])),
        ];
        for (key, party) in [("pdp", pdp), ("pep", pep)] {
            if let Some(party) = party {
                map.push((key.into(), party.into()));
            }
        }
        let payload = to_deterministic(&Value::Map(map));
        // What is signed is known to be well-formed.
        Record::parse("decision-batch", &payload)?;
        Ok(Draft { kind: "decision-batch", sub: Some(batch_subject(pep, iss)), payload, openings: Vec::new() })
    }
}

fn parties(decision: &Decision) -> (Option<&str>, Option<&str>) {
    (decision.body().text(&["pdp"]).present(), decision.body().text(&["pep"]).present())
}

impl Page<'_> {
    /// Puts a batch on the page; its members alone, where there is one, or where the whole cannot be a statement.
    pub(super) fn put_group(
        &mut self,
        group: Group,
        capture: &Capture,
        source: (&str, &str),
        iss: &str,
    ) -> Result<(), SignError> {
        if group.is_batch() {
            let draft = group.draft(capture, source, iss).map_err(own)?;
            match self.chain.sign(draft.kind, draft.sub.as_deref(), &draft.payload) {
                Ok(statement) => {
                    self.rows.push(group.signed(statement.into_entry()).map_err(own)?);
                    return Ok(());
                }
                // Its place is not taken: they stand alone, and nothing is lost.
                Err(error) => tracing::warn!(%error, members = group.members.len(), "a batch cannot be signed"),
            }
        }
        for member in group.members {
            self.put(member.draft, member.key, member.received_ms, None).map_err(own)?;
        }
        Ok(())
    }

    /// Puts the members of a refused batch on the page, each as a statement of its own.
    ///
    /// Their records, and what opens them, are in the batch's openings; their keys stand in the same order.
    pub(super) fn put_members(&mut self, batch: &Signed) -> Result<(), SignError> {
        let members = Openings::decode(&batch.openings).map_err(own)?.members;
        if members.len() != batch.members.len() {
            return Err(own("a batch and what opens it have another number of members"));
        }
        for (member, key) in members.into_iter().zip(&batch.members) {
            let record = Record::parse("decision", &member.record).map_err(own)?;
            let sub = govlog_formats::record::default_subject(&record);
            let draft = Draft { kind: "decision", sub, payload: member.record, openings: member.openings };
            self.put(draft, *key, batch.received_ms, None).map_err(own)?;
        }
        Ok(())
    }
}

impl Group {
    fn signed(self, entry: Vec<u8>) -> Result<Signed, NotSigned> {
        let received_ms = self.members.iter().map(|member| member.received_ms).min().unwrap_or_default();
        let keys = self.members.iter().map(|member| member.key).collect();
        let members = self
            .members
            .into_iter()
            .map(|member| Member { record: member.draft.payload, openings: member.draft.openings });
        let openings = Openings { members: members.collect(), ..Openings::new("decision-batch", Vec::new()) };
        Ok(Signed { received_ms, key: OWN, members: keys, entry, openings: openings.encode()? })
    }
}

/// What of a stream was looked at and waits for its batch to close.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// The first arrival that was not looked at.
    pub(super) from: u64,
    /// When the first one came.
    pub(super) first_ms: u64,
    pub(super) count: usize,
    pub(super) bytes: u64,
}

impl Held {
    /// What is held of these, if anything is: behind what was held before.
    pub(super) fn of(before: Option<Self>, candidates: &[Candidate]) -> Option<Self> {
        let Some(last) = candidates.last() else { return before };
        let first_ms = candidates.iter().map(|candidate| candidate.received_ms).min().unwrap_or(u64::MAX);
        let bytes = candidates.iter().map(|candidate| candidate.bytes).sum::<u64>();
        Some(Self {
            // Behind the last one that stays: numbers behind it are given again when what had them is gone.
            from: last.arrival + 1,
            first_ms: before.map_or(first_ms, |before| before.first_ms.min(first_ms)),
            count: before.map_or(0, |before| before.count) + candidates.len(),
            bytes: before.map_or(0, |before| before.bytes).saturating_add(bytes),
        })
    }
}

/// How long the counts may be: half an entry, so that the rest has room for the longest names.
const MAX_COUNTS_BYTES: usize = 32 * 1024;
