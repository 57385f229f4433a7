//! What an agent has got into a log, held against what its sources sent, and against its opening store.

use std::collections::BTreeMap;
use std::path::Path;

use ciborium::Value;
use govlog_client::openings::{FieldOpening, Folder, Identities, OpeningStore as _, Openings};
use govlog_formats::cbor;
use govlog_formats::digest::Digest;
use govlog_formats::member::tally;
use govlog_formats::record::sealed::Opening;
use govlog_formats::record::stream::StreamOp;
use govlog_formats::record::{Body, Decision, Quarantine, Record, Recorded as Field, Stream};
use govlog_formats::statement::SignedStatement;
use serde_json::Value as Json;

use crate::agent::ISS;
use crate::upload::Id;
use crate::{Broken, Checked};

/// The agent's entries of a log.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// The decisions, by the events that they record; one that stands there twice is no error yet.
    pub decisions: BTreeMap<Id, Vec<Entry<Decision>>>,
    /// What could not be mapped.
    pub quarantines: Vec<Entry<Quarantine>>,
    /// What streams say of themselves.
    pub streams: Vec<Entry<Stream>>,
    /// Batches of decisions. Their members are among the decisions once [`Self::read_members`] has read them.
    pub batches: Vec<Entry<Body>>,
    /// Policies that decided, and the rules by which decisions are batched.
    pub rules: Vec<Entry<Body>>,
    /// What statuses told.
    pub told: Vec<Record>,
}

/// Why an input was set aside, and its bytes.
pub type Kept = (String, Option<Vec<u8>>);

/// A record, and the statement it came in.
#[derive(Clone, Debug)]
pub struct Entry<R> {
    /// The record.
    pub record: R,
    /// The stream it stands in.
    pub stream: String,
    /// The entry it is, or is a member of.
    pub leaf: Digest,
    /// What opens it, where it is a member.
    member: Option<Vec<FieldOpening>>,
}

impl<R> Entry<R> {
    /// Whether it is a member of a batch.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.member.is_some()
    }
}

impl Recorded {
    /// Reads all entries of the agent.
    ///
    /// # Errors
    /// When one is of another kind, or has no source.
    pub fn of(log: &Checked) -> Result<Self, Broken> {
        let mut recorded = Self::default();
        for bytes in &log.entries {
            let statement = SignedStatement::parse_entry(bytes).map_err(broken)?;
            if statement.claims().iss == ISS {
                recorded.add(&statement)?;
            }
        }
        Ok(recorded)
    }

    fn add(&mut self, statement: &SignedStatement) -> Result<(), Broken> {
        let stream = statement.claims().stream.as_ref().map(|at| at.stream.clone());
        let stream = stream.ok_or_else(|| Broken("a statement stands in no stream".into()))?;
        let leaf = statement.leaf_hash();
        match Record::parse(statement.kind(), statement.payload()).map_err(broken)? {
            Record::Decision(record) => {
                let id = source_of(record.body())?;
                self.decisions.entry(id).or_default().push(Entry { record, stream, leaf, member: None });
            }
            Record::Quarantine(record) => self.quarantines.push(Entry { record, stream, leaf, member: None }),
            Record::Stream(record) => self.streams.push(Entry { record, stream, leaf, member: None }),
            told @ (Record::Activation(_) | Record::Gap(_) | Record::Finding(_)) => self.told.push(told),
            other if matches!(other.kind(), "decision-batch" | "policy") => {
                let is_batch = other.kind() == "decision-batch";
                let record = other.body().cloned().ok_or_else(|| Broken("a record without a body".into()))?;
                let entries = if is_batch { &mut self.batches } else { &mut self.rules };
                entries.push(Entry { record, stream, leaf, member: None });
            }
            other => return Err(Broken(format!("the agent has signed a record of kind {}", other.kind()))),
        }
        Ok(())
    }

    /// Adds the members of all batches to the decisions, as the opening store keeps them.
    ///
    /// # Errors
    /// When members are missing, or are not what their batch says of them.
    pub fn read_members(&mut self, openings: &Path) -> Result<(), Broken> {
        for batch in &self.batches {
            let wrong = |what: &str| Broken(format!("openings of {}: {what}", batch.leaf));
            let bytes = unsealed(openings, &batch.leaf)?.ok_or_else(|| wrong("none"))?;
            let members = Openings::decode(&bytes).map_err(|error| wrong(&error.to_string()))?.members;
            let records: Vec<&[u8]> = members.iter().map(|member| member.record.as_slice()).collect();
            let unchecked = tally::check(&batch.record, &records).map_err(|lie| wrong(&lie.to_string()))?;
            if !unchecked.is_empty() {
                return Err(wrong(&format!("{unchecked:?} could not be checked")));
            }
            for member in members {
                let record = govlog_formats::member::decision(&member.record).map_err(broken)?;
                let id = source_of(record.body())?;
                let (stream, leaf) = (batch.stream.clone(), batch.leaf);
                let entry = Entry { record, stream, leaf, member: Some(member.openings) };
                self.decisions.entry(id).or_default().push(entry);
            }
        }
        Ok(())
    }

    /// Every event that was sent is recorded once, and nothing else is.
    ///
    /// # Errors
    /// Which is missing, or there twice, or was never sent.
    pub fn is_exactly(&self, sent: &BTreeMap<Id, Json>) -> Result<(), Broken> {
        let missing: Vec<&Id> = sent.keys().filter(|id| !self.decisions.contains_key(id)).collect();
        let extra: Vec<&Id> = self.decisions.keys().filter(|id| !sent.contains_key(id)).collect();
        let twice: Vec<&Id> = self.decisions.iter().filter(|(_, found)| found.len() != 1).map(|(id, _)| id).collect();
        if missing.is_empty() && extra.is_empty() && twice.is_empty() {
            return Ok(());
        }
        let some = |ids: &[&Id]| format!("{} {:?}", ids.len(), ids.first());
        Err(Broken(format!(
            "of {} events: missing {}, more than once {}, never sent {}",
            sent.len(),
            some(&missing),
            some(&twice),
            some(&extra)
        )))
    }

    /// Every sealed value opens with what the opening store keeps, and what was sealed of an event is what the event says.
    ///
    /// # Errors
    /// What does not open.
    pub fn open(&self, openings: &Path, sent: &BTreeMap<Id, Json>) -> Result<(), Broken> {
        for (id, found) in &self.decisions {
            for entry in found {
                let opened = opened(openings, entry, entry.record.body(), "decision")?;
                let event = sent.get(id).ok_or_else(|| Broken(format!("{id:?} was never sent")))?;
                for (path, member) in [("input", "input"), ("output", "result"), ("error", "error")] {
                    let value = opened.get(path).map(|bytes| serde_json::from_slice::<Json>(bytes).unwrap());
                    if value.as_ref() != event.get(member) {
                        return Err(Broken(format!("{path} of {id:?} is {value:?}, not {:?}", event.get(member))));
                    }
                }
                if !opened.contains_key("native") {
                    return Err(Broken(format!("the rest of {id:?} is not kept")));
                }
            }
        }
        Ok(())
    }

    /// The inputs of all quarantines, as the opening store keeps them; none where only a digest is kept.
    ///
    /// # Errors
    /// What does not open.
    pub fn quarantined(&self, openings: &Path) -> Result<Vec<Kept>, Broken> {
        let inputs = self.quarantines.iter().map(|entry| {
            let mut opened = opened(openings, entry, entry.record.body(), "quarantine")?;
            let reason = entry.record.reason().present().ok_or_else(|| Broken("no reason".into()))?;
            Ok((reason.to_owned(), opened.remove("input")))
        });
        inputs.collect()
    }

    /// The streams that were opened: name, instance, predecessor.
    #[must_use]
    pub fn opened_streams(&self) -> Vec<(String, String, Option<String>)> {
        let opens = self.streams.iter().filter(|entry| entry.record.op() == Field::Present(StreamOp::Open));
        opens
            .map(|entry| {
                let instance = entry.record.instance().present().unwrap_or_default().to_owned();
                (entry.stream.clone(), instance, entry.record.predecessor().present().map(str::to_owned))
            })
            .collect()
    }
}

/// Opens all sealed values of a record, and gives the bytes of each by its path.
fn opened<R>(store: &Path, entry: &Entry<R>, body: &Body, kind: &str) -> Result<BTreeMap<String, Vec<u8>>, Broken> {
    let wrong = |what: &str| Broken(format!("openings of {}: {what}", entry.leaf));
    if let Some(fields) = &entry.member {
        let fields = fields.iter().map(|field| (field.path.clone(), field.opening.clone()));
        return opened_by(body, fields).map_err(|what| wrong(&what));
    }
    let bytes = unsealed(store, &entry.leaf)?.ok_or_else(|| wrong("none"))?;
    let file = cbor::parse(&bytes).map_err(|error| wrong(&error.to_string()))?;
    if member(&file, "v") != Some(&1.into()) || member(&file, "kind") != Some(&kind.into()) {
        return Err(wrong("not version 1 of the openings of its kind"));
    }
    let fields = member(&file, "openings").and_then(Value::as_array).ok_or_else(|| wrong("no openings"))?;
    let fields: Option<Vec<_>> = fields.iter().map(opening).collect();
    let fields = fields.ok_or_else(|| wrong("an opening has path, salt and value"))?;
    opened_by(body, fields).map_err(|what| wrong(&what))
}

/// Opens all sealed values of a record with these.
fn opened_by(
    body: &Body,
    fields: impl IntoIterator<Item = (String, Opening)>,
) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut opened = BTreeMap::new();
    for (path, opening) in fields {
        let Field::Sealed(sealed) = body.at(&path.split('.').collect::<Vec<_>>()) else {
            return Err(format!("{path} is not sealed"));
        };
        sealed.open(&opening).map_err(|error| format!("{path}: {error}"))?;
        opened.insert(path, opening.value.into_bytes().unwrap());
    }
    let mut sealed = body.pairs().iter().filter_map(|(key, _)| key.as_text());
    match sealed.find(|name| matches!(body.at(&[name]), Field::Sealed(_)) && !opened.contains_key(*name)) {
        Some(name) => Err(format!("nothing opens {name}")),
        None => Ok(opened),
    }
}

/// What lies in an opening store for a leaf, decrypted with the identity beside it.
///
/// # Errors
/// When it cannot be read.
pub fn unsealed(store: &Path, leaf: &Digest) -> Result<Option<Vec<u8>>, Broken> {
    let identities = Identities::load(&store.with_file_name("openings.key")).map_err(broken)?;
    Folder::existing(store, identities).and_then(|store| store.get(leaf)).map_err(broken)
}

fn opening(field: &Value) -> Option<(String, Opening)> {
    let salt = member(field, "salt")?.as_bytes()?.as_slice().try_into().ok()?;
    Some((member(field, "path")?.as_text()?.to_owned(), Opening { salt, value: member(field, "value")?.clone() }))
}

fn member<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    map.as_map()?.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
}

/// records.md §1: "Within a source, idempotency is (source.system, source.instance, source.native_id)."
fn source_of(body: &Body) -> Result<Id, Broken> {
    let member = |name| body.text(&["source", name]).present().map(str::to_owned);
    match (member("system").as_deref(), member("instance"), member("native_id")) {
        (Some("opa"), Some(instance), Some(native_id)) => Ok((instance, native_id)),
        other => Err(Broken(format!("a decision of the source {other:?}"))),
    }
}

fn broken(error: impl std::error::Error) -> Broken {
    Broken(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use govlog_client::openings::{NewIdentity, Protection, Recipients, Settings};
    use govlog_formats::merkle::MemoryTree;
    use govlog_formats::record::view;
    use serde_json::json;

    use super::*;
    use crate::Issuer;

    /// A log in which the agent has recorded decisions of these ids.
    fn log_of(ids: &[&str]) -> Checked {
        let issuer = Issuer { iss: ISS.to_owned(), ..Issuer::new(0, "log.example/test") };
        let decision = |id: &&str| {
            let record = json!({
                "v": 1, "event_ms": 1, "decision_id": id, "result": "permit", "source": { "system": "opa", "instance": "a", "native_id": id },
                "subject": { "id": "a:b" }, "action": { "name": "read" }, "resource": { "type": "t", "id": "r" },
            });
            let payload = view::from_json("decision", &record).unwrap();
            crate::issuer::Draft { payload, ..issuer.draft() }.sign(&issuer.key).into_entry()
        };
        Checked { entries: ids.iter().map(decision).collect(), tree: MemoryTree::default() }
    }

    #[test]
    fn what_is_missing_or_there_twice_or_made_up_is_found() {
        let sent: BTreeMap<Id, Json> =
            ["1", "2"].map(|id| (("a".to_owned(), id.to_owned()), Json::Null)).into_iter().collect();
        let is_exactly = |ids: &[&str]| Recorded::of(&log_of(ids)).unwrap().is_exactly(&sent);
        assert_eq!(is_exactly(&["1", "2"]), Ok(()));
        for (ids, wrong) in
            [(&["1"][..], "missing 1"), (&["1", "2", "1"], "more than once 1"), (&["1", "2", "3"], "never sent 1")]
        {
            let broken = is_exactly(ids).unwrap_err().to_string();
            assert!(broken.contains(wrong), "{broken}");
        }
    }

    #[test]
    fn what_nothing_opens_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let recorded = Recorded::of(&log_of(&["1"])).unwrap();
        let store = dir.path().join("openings");
        let identity = NewIdentity::draw();
        std::fs::write(dir.path().join("openings.key"), identity.file_bytes()).unwrap();
        std::fs::set_permissions(dir.path().join("openings.key"), Permissions::from_mode(0o600)).unwrap();
        let protection = Protection::Age(Recipients::parse(&[identity.recipient]).unwrap());
        drop(Folder::open(&store, Settings { protection, retention_days: None }).unwrap());
        let broken = recorded.open(&store, &BTreeMap::new()).unwrap_err().to_string();
        assert!(broken.contains("none"), "{broken}");
    }
}
