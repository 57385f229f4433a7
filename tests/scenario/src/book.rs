//! The book that a scenario is written in: every record is checked, signed and put behind the last one of its issuer's stream.

use std::collections::BTreeSet;

use govlog_client::openings::FieldOpening;
use govlog_formats::admission::{Credentials, IssuerRow};
use govlog_formats::base64;
use govlog_formats::cbor::Value;
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::digest::Digest;
use govlog_formats::record::sealed::Opening;
use govlog_formats::record::{Record, view};
use govlog_formats::statement::{Claims, Content, SignedStatement, StatementHeader, StreamPosition, content_type_of};
use serde_json::{Value as Json, json};

use super::Plan;
use super::clock::Random;

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Spire,
    PartnerSpire,
    Sts,
    Opa,
    Cedar,
    PartnerPdp,
    Envoy,
    Ledger,
    Tools,
    Pipeline,
    Desk,
    Auditor,
    Import,
}

/// Everybody, in the order of [`Who`]: the issuer, and what its streams are called by; without a stream no completeness is claimed.
const EVERYBODY: [(&str, Option<&str>); 13] = [
    ("spiffe://prod.example/spire/server", Some("spire-prod")),
    ("spiffe://partner.example/spire/server", Some("spire-partner")),
    ("https://sts.prod.example", Some("sts")),
    ("spiffe://prod.example/pdp/opa", Some("opa")),
    ("spiffe://prod.example/pdp/cedar", Some("cedar")),
    ("spiffe://partner.example/pdp", Some("opa-partner")),
    ("spiffe://prod.example/pep/envoy", Some("envoy")),
    ("spiffe://prod.example/ledger", Some("ledger")),
    ("spiffe://prod.example/tools", Some("mcp-gateway")),
    ("https://policies.prod.example", Some("pipeline")),
    ("https://desk.prod.example", Some("desk")),
    ("spiffe://audit.example/auditor", Some("auditor")),
    ("https://import.prod.example", None),
];

/// What the organisation's issuers may speak about.
const SUBJECTS: [&str; 6] = [
    "spiffe://prod.example",
    "spiffe://prod.example/",
    "spiffe://partner.example",
    "spiffe://partner.example/",
    "https://policies.prod.example/",
    "https://desk.prod.example/",
];

/// An issuer of a scenario.
#[derive(Clone, Debug)]
pub struct Party {
    /// Who it is.
    pub iss: &'static str,
    /// What it signs with.
    pub key: SigningKey,
    system: Option<&'static str>,
    stream: Option<Place>,
}

/// Where a stream goes on.
#[derive(Clone, Debug)]
struct Place {
    name: String,
    next_seq: u64,
    prev: Digest,
}

/// A record of a scenario, signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Who signs it: its position in [`super::Scenario::parties`].
    pub by: usize,
    /// The record's kind.
    pub kind: &'static str,
    /// Whom it is about.
    pub sub: String,
    /// The record.
    pub payload: Vec<u8>,
    /// The record, signed.
    pub statement: SignedStatement,
    /// What opens its sealed values.
    pub openings: Vec<FieldOpening>,
    /// The members of a `decision-batch`.
    pub members: Vec<Vec<u8>>,
}

/// The book.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) plan: Plan,
    pub(super) random: Random,
    pub(super) now_ms: u64,
    pub(super) parties: Vec<Party>,
    pub(super) entries: Vec<Entry>,
    sealed: Vec<FieldOpening>,
}

impl Book {
    /// Opens it. The keys are the same on every day of an organisation, the streams are not.
    pub(super) fn open(plan: Plan) -> Self {
        let party = |(number, (iss, system)): (u8, (&'static str, Option<&'static str>))| {
            let curve = if number % 6 == 3 { Curve::P256 } else { Curve::Ed25519 };
            let seed = *Digest::sha256(format!("{} {iss}", plan.seed).as_bytes()).as_bytes();
            Party { iss, key: SigningKey::from_seed(curve, &seed).unwrap(), system, stream: None }
        };
        let parties = (0..).zip(EVERYBODY).map(party).collect();
        let random = Random::new(plan.seed.wrapping_add(plan.day << 32));
        let mut book = Self { now_ms: plan.start_ms, plan, random, parties, entries: Vec::new(), sealed: Vec::new() };
        for number in 0..book.parties.len() {
            book.begin(number, None);
        }
        book
    }

    /// Passes time.
    pub(super) fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
    }

    /// A name of this day.
    pub(super) fn of_day(&self, name: &str) -> String {
        if self.plan.day == 0 { name.to_owned() } else { format!("{name}.{}", self.plan.day) }
    }

    /// The digest of something that has this name on this day.
    pub(super) fn digest(&self, of: &str) -> String {
        Digest::sha256(format!("{} {} {of}", self.plan.seed, self.plan.day).as_bytes()).to_string()
    }

    /// Signs a record and puts it behind the others; gives its position.
    pub(super) fn put(&mut self, who: Who, kind: &'static str, sub: &str, record: Json) -> usize {
        let payload = self.payload(kind, record);
        self.put_payload(who as usize, kind, sub, payload)
    }

    /// Makes a record's bytes, at this time.
    pub(super) fn payload(&self, kind: &str, mut record: Json) -> Vec<u8> {
        record["v"] = json!(1);
        if record["event_ms"].is_null() {
            record["event_ms"] = json!(self.now_ms);
        }
        if record["assurance"].is_null() {
            record["assurance"] = json!("source-signed");
        }
        view::from_json(kind, &record).unwrap_or_else(|error| panic!("{kind}: {error}: {record}"))
    }

    /// Signs a record's bytes as the issuer of this number.
    pub(super) fn put_payload(&mut self, by: usize, kind: &'static str, sub: &str, payload: Vec<u8>) -> usize {
        Record::parse(kind, &payload).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let party = &mut self.parties[by];
        let position =
            |place: &Place| StreamPosition { stream: place.name.clone(), seq: place.next_seq, prev: place.prev };
        let claims = Claims {
            iss: party.iss.to_owned(),
            sub: sub.to_owned(),
            aud: Some(self.plan.origin.clone()),
            iat: i64::try_from(self.now_ms / 1000).unwrap(),
            stream: party.stream.as_ref().map(position),
            head: None,
        };
        let header = StatementHeader { content: Content::Plain(content_type_of(kind)), claims };
        let statement = SignedStatement::sign(&header, &payload, &party.key).unwrap();
        if let Some(place) = &mut party.stream {
            place.next_seq += 1;
            place.prev = statement.sig_structure_digest();
        }
        let openings = std::mem::take(&mut self.sealed);
        self.entries.push(Entry { by, kind, sub: sub.to_owned(), payload, statement, openings, members: Vec::new() });
        self.entries.len() - 1
    }

    /// A link's target: an entry, by its leaf hash.
    pub(super) fn entry(&self, at: usize) -> Json {
        json!({ "entry": self.entries[at].statement.leaf_hash().to_string() })
    }

    pub(super) fn link(&self, rel: &str, at: usize) -> Json {
        json!({ "rel": rel, "target": self.entry(at) })
    }

    /// Seals a value of the record that is put next; the opening is kept with it.
    pub(super) fn seal(&mut self, path: &str, value: Value) -> Json {
        let opening = Opening { salt: self.random.bytes(), value };
        let sealed = json!({ "$sealed": base64::encode_url(opening.seal().digest.as_bytes()) });
        self.sealed.push(FieldOpening { path: path.to_owned(), opening });
        sealed
    }

    /// Leaves out what was sealed for the next record.
    pub(super) fn forget_sealed(&mut self) {
        self.sealed.clear();
    }

    /// Begins a stream, where this issuer has any, in the place of the one whose state was lost.
    pub(super) fn begin(&mut self, by: usize, lost: Option<&str>) {
        let Some(system) = self.parties[by].system else { return };
        let name = format!("{system}-{}-{}", self.plan.day, self.random.hex(12));
        self.parties[by].stream = Some(Place { name, next_seq: 0, prev: Digest::ZERO });
        let mut open = json!({ "op": "open", "instance": system, "next_seq": 1 });
        if let Some(lost) = lost {
            open["predecessor"] = json!(lost);
        }
        self.say(by, "stream", open);
    }

    /// A stream speaks of itself.
    pub(super) fn say(&mut self, by: usize, kind: &'static str, record: Json) {
        let Some(stream) = self.parties[by].stream.as_ref().map(|place| place.name.clone()) else { return };
        let payload = self.payload(kind, record);
        self.put_payload(by, kind, &stream, payload);
    }

    /// A stream says that it goes on, or ends.
    pub(super) fn beat(&mut self, by: usize, op: &str) {
        let Some(place) = &self.parties[by].stream else { return };
        let next_seq = place.next_seq + 1;
        let counters = json!({ "received": next_seq * 2, "emitted": next_seq, "filtered": next_seq, "waiting": 0 });
        let instance = self.parties[by].system;
        self.say(by, "stream", json!({ "op": op, "instance": instance, "next_seq": next_seq, "counters": counters }));
    }

    pub(super) fn stream_of(&self, who: Who) -> Option<&str> {
        self.parties[who as usize].stream.as_ref().map(|place| place.name.as_str())
    }
}

impl Party {
    /// The row of the admission policy that lets it in, with the kinds that it signs.
    #[must_use]
    pub fn row(&self, kinds: &BTreeSet<&str>) -> IssuerRow {
        IssuerRow {
            iss: self.iss.to_owned(),
            credentials: Credentials::Keys(vec![self.key.public()]),
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            subjects: SUBJECTS.map(str::to_owned).to_vec(),
            rate: None,
            // A history is handed in long after its days.
            max_age_s: Some(100 * 365 * 86_400),
        }
    }
}
