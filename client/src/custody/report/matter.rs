//! A verified file as the pages' parts look at it: every record read once, relations by both of their ends.

use std::collections::{BTreeMap, BTreeSet};

use ciborium::Value;
use govlog_formats::cbor::to_deterministic;
use govlog_formats::digest::Digest;
use govlog_formats::record::Record;
use govlog_formats::record::sealed::Sealed;

use super::super::file::{id, timeline};
use super::super::judge::{Custody, Held};
use super::super::matter::{DeadLink, Edge, Role};
use super::super::relations::Spot;
use super::html::Html;
use super::words::shortened;
use crate::openings::{Field, State};
use crate::verify::{Redacted, summary};

/// The most entries of which the fields are told; of so many they make a page of about 20 MB.
const MAX_WITH_FIELDS: usize = 2_000;

/// Everything that a page is made from.
pub(super) struct Matter<'c> {
    pub(super) custody: &'c Custody,
    pub(super) not_proved: &'c [String],
    /// Of how many entries at most the fields are told.
    pub(super) most_with_fields: usize,
    /// The entries, in the log's order.
    pub(super) told: BTreeMap<Spot, Told<'c>>,
    /// Relations, by who names the other.
    naming: BTreeMap<Spot, Vec<&'c Edge>>,
    /// Relations, by who is named.
    named: BTreeMap<Spot, Vec<&'c Edge>>,
    dead: BTreeMap<Spot, Vec<&'c DeadLink>>,
    by_leaf: BTreeMap<Digest, Spot>,
}

/// An entry with what it says.
pub(super) struct Told<'c> {
    pub(super) spot: Spot,
    pub(super) held: &'c Held,
    /// Its record as logged, with disclosed values in their places.
    pub(super) record: Option<Record>,
    /// Its payload as logged, where that is a map.
    pub(super) map: Option<Value>,
    /// When it happened, as claimed.
    pub(super) at_ms: u64,
    /// What it says in a line; its digests stand in full among its fields.
    pub(super) says: String,
}

impl<'c> Matter<'c> {
    pub(super) fn new(custody: &'c Custody, not_proved: &'c [String]) -> Self {
        let told: BTreeMap<Spot, Told<'c>> =
            custody.entries.iter().map(Told::new).map(|told| (told.spot, told)).collect();
        let (mut naming, mut named) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        for edge in &custody.edges {
            naming.entry(edge.from).or_default().push(edge);
            named.entry(edge.to).or_default().push(edge);
        }
        let mut dead = BTreeMap::<_, Vec<_>>::new();
        custody.dead_links.iter().for_each(|link| dead.entry(link.from).or_default().push(link));
        let by_leaf = told.values().map(|told| (told.held.leaf(), told.spot)).collect();
        Self { custody, not_proved, most_with_fields: MAX_WITH_FIELDS, told, naming, named, dead, by_leaf }
    }

    /// The relations by which an entry names others.
    pub(super) fn naming(&self, index: Spot) -> &[&'c Edge] {
        self.naming.get(&index).map(Vec::as_slice).unwrap_or_default()
    }

    /// The relations by which others name an entry.
    pub(super) fn named(&self, index: Spot) -> &[&'c Edge] {
        self.named.get(&index).map(Vec::as_slice).unwrap_or_default()
    }

    /// The relations of an entry that lead nowhere.
    pub(super) fn dead(&self, index: Spot) -> &[&'c DeadLink] {
        self.dead.get(&index).map(Vec::as_slice).unwrap_or_default()
    }

    /// The entry with a leaf hash.
    pub(super) fn of_leaf(&self, leaf: &Digest) -> Option<Spot> {
        self.by_leaf.get(leaf).copied()
    }

    /// What redactions in the file say of an entry, each with the redaction's index.
    pub(super) fn redactions(&self, index: Spot) -> impl Iterator<Item = (&'c Redacted, Option<Spot>)> {
        let entries = &self.custody.entries;
        let at = move |position: usize| entries.get(position).map(Held::spot);
        let redactions = self.custody.redactions.iter().filter(move |redacted| at(redacted.entry) == Some(index));
        redactions.map(move |redacted| (redacted, at(redacted.by)))
    }

    /// Whether each entry's fields are told: of a matter of thousands a browser could not show them.
    pub(super) fn has_fields(&self) -> bool {
        self.told.len() <= self.most_with_fields
    }

    /// The entries in the order of the times that they claim.
    pub(super) fn by_time(&self) -> Vec<&Told<'c>> {
        let mut all: Vec<&Told<'c>> = self.told.values().collect();
        all.sort_by_key(|told| (told.at_ms, told.spot));
        all
    }
}

impl<'c> Told<'c> {
    fn new(held: &'c Held) -> Self {
        let statement = held.entry.statement();
        let map = timeline::record(statement, held.member.as_ref().map(|member| member.record.as_slice()));
        let at_ms = timeline::claimed_ms(statement, map.as_ref());
        let record = held.record().map(|record| opened(&record, map.as_ref(), &held.fields).unwrap_or(record));
        let says =
            record.as_ref().and_then(summary).map(|says| shortened(&says)).unwrap_or_else(|| match statement.kind() {
                "admission-policy" => "a change to who may submit what".to_owned(),
                _ if map.is_some() => "a record that does not have the form of its kind".to_owned(),
                _ if statement.is_hash_envelope() => "only a digest of its content is logged".to_owned(),
                _ => format!("{} bytes that are not read here", statement.payload().len()),
            });
        Self { spot: held.spot(), held, record, map, at_ms, says }
    }

    /// Its kind, or content type.
    pub(super) fn kind(&self) -> &'c str {
        self.held.kind()
    }

    /// Its id.
    pub(super) fn id(&self) -> String {
        id(self.spot)
    }
}

/// The record with what is disclosed in its places; each was checked against its commitment by the verifier.
fn opened(record: &Record, map: Option<&Value>, fields: &[Field]) -> Option<Record> {
    let values: BTreeMap<Vec<u8>, &Value> = fields
        .iter()
        .filter_map(|field| match &field.state {
            State::Opened(value) => Some((field.sealed.digest.as_bytes().to_vec(), value)),
            State::Closed | State::Mismatch(_) => None,
        })
        .collect();
    if values.is_empty() {
        return None;
    }
    let mut whole = map?.clone();
    fill(&mut whole, &values);
    Record::parse(record.kind(), &to_deterministic(&whole)).ok()
}

/// Salts are fresh, so a commitment stands for one value, wherever it is.
fn fill(value: &mut Value, values: &BTreeMap<Vec<u8>, &Value>) {
    if let Ok(sealed) = Sealed::from_value(value) {
        if let Some(opened) = values.get(sealed.digest.as_bytes().as_slice()) {
            *value = (*opened).clone();
            if !opened.is_tag() {
                fill(value, values);
            }
        }
        return;
    }
    match value {
        Value::Map(pairs) => pairs.iter_mut().for_each(|(_, value)| fill(value, values)),
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, values)),
        _ => {}
    }
}

/// Where on the page an entry is.
pub(super) fn anchor(spot: Spot) -> String {
    format!("entry-{}", id(spot).replace(['.', '#'], "-"))
}

/// Writes a link to an entry of the page, by its id.
pub(super) fn link(html: &mut Html, index: Spot) {
    html.element("a", &[("href", &format!("#{}", anchor(index)))], |html| html.words(&id(index)));
}

/// Writes links to entries, at most so many and then how many more there are.
pub(super) fn links(html: &mut Html, indexes: &BTreeSet<Spot>, most: usize) {
    for (at, index) in indexes.iter().take(most).enumerate() {
        html.words(if at == 0 { "" } else { ", " });
        link(html, *index);
    }
    if indexes.len() > most {
        html.words(&format!(" and {} more", indexes.len() - most));
    }
}

/// Why an entry is here, in words.
pub(super) const fn role(role: Option<Role>) -> &'static str {
    match role {
        Some(Role::Start) => "asked for",
        Some(Role::Effect) => "came of it",
        Some(Role::Cause) => "rested on",
        Some(Role::Word) => "said of it",
        None => "beside it",
    }
}
