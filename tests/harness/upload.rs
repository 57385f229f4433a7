//! Uploads of OPA's decision log: those that were captured from real instances, and those made from them under other ids.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use govlog_formats::digest::Digest;
use serde_json::Value;

use crate::http::{Answer, Client};

/// What names an event among all of a log: `labels.id` and `decision_id`.
pub type Id = (String, String);

/// An upload as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Where to, as `/a/v1/logs`.
    pub path: String,
    /// The captured headers, without those that belong to the connection.
    pub headers: Vec<(String, String)>,
    /// The body, packed.
    pub body: Vec<u8>,
}

/// An event, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its name.
    pub id: Id,
    /// All of it.
    pub value: Value,
}

impl Upload {
    /// Makes an upload of JSON text, packed.
    #[must_use]
    pub fn of_text(path: &str, text: &str) -> Self {
        let headers = [("content-encoding", "gzip"), ("content-type", "application/json")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { path: path.to_owned(), headers, body: pack(text.as_bytes()) }
    }

    /// Makes an upload of events, packed.
    #[must_use]
    pub fn of_values(path: &str, events: &[Value]) -> Self {
        Self::of_text(path, &serde_json::to_string(events).unwrap())
    }

    /// The body, unpacked.
    #[must_use]
    pub fn text(&self) -> String {
        std::io::read_to_string(MultiGzDecoder::new(self.body.as_slice())).unwrap()
    }

    /// The events in it.
    ///
    /// # Panics
    /// When it is not an array of events.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let values: Vec<Value> = serde_json::from_str(&self.text()).unwrap();
        let name = |value: &Value| value.as_str().unwrap().to_owned();
        values
            .into_iter()
            .map(|value| Event { id: (name(&value["labels"]["id"]), name(&value["decision_id"])), value })
            .collect()
    }

    /// The same upload to another place.
    #[must_use]
    pub fn to(&self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }

    /// Makes the upload that other instances would have sent about other decisions: every id is replaced by one that belongs to it and the
    /// round, one instance by three in turn.
    #[must_use]
    pub fn derived(&self, round: u64) -> Self {
        let mut text = self.text();
        let ids: BTreeSet<Id> = self.events().into_iter().map(|event| event.id).collect();
        for (instance, decision) in &ids {
            text = text.replace(decision, &other_uuid(decision, round));
            if !round.is_multiple_of(INSTANCES) {
                text = text.replace(instance, &other_uuid(instance, round % INSTANCES));
            }
        }
        Self { body: pack(text.as_bytes()), ..self.clone() }
    }

    /// Cuts it into uploads of a few events.
    pub(crate) fn cut(&self) -> Vec<Self> {
        let values: Vec<Value> = self.events().into_iter().map(|event| event.value).collect();
        values
            .chunks(PORTION)
            .map(|part| Self { headers: self.headers.clone(), ..Self::of_values(&self.path, part) })
            .collect()
    }

    /// Sends it once.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn post(&self, client: &mut Client) -> std::io::Result<Answer> {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        client.send("POST", &self.path, &headers, &self.body)
    }
}

/// How many events a small upload has.
const PORTION: usize = 3;

/// How many instances one captured instance becomes.
const INSTANCES: u64 = 3;

/// Packs a body as gzip.
#[must_use]
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn other_uuid(uuid: &str, round: u64) -> String {
    let hex = Digest::sha256(format!("{round} {uuid}").as_bytes()).to_string();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32])
}

/// The uploads that one instance of the capture sent, `a` or `b`, in their order.
#[must_use]
pub fn captured(instance: &str) -> Vec<Upload> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../client/agent/tests/data/capture/opa/uploads");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_str().unwrap().ends_with(&format!("-{instance}-logs.json")));
    paths.sort();
    let uploads = paths.iter().map(|path| {
        let said: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let headers = said["headers"].as_object().unwrap().iter();
        let headers = headers
            .filter(|(name, _)| !["host", "content-length"].contains(&name.to_ascii_lowercase().as_str()))
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        let body = std::fs::read(path.with_extension("body")).unwrap();
        Upload { path: said["path"].as_str().unwrap().to_owned(), headers, body }
    });
    uploads.collect()
}
