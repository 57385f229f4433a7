//! Entries, agents, bundles and authorities, the same wherever they come from.

use govlog_formats::cbor::to_deterministic;
use govlog_formats::digest::Digest;
use govlog_formats::record::SchemeDigest;
use serde::{Deserialize, Serialize};

/// What a server has. What was not asked for, or not answered, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// All registration entries.
    pub entries: Option<Vec<Entry>>,
    /// All attested agents.
    pub agents: Option<Vec<Agent>>,
    /// Bundles: its own, and those of other trust domains.
    pub bundles: Vec<Bundle>,
    /// States of its authorities.
    pub authorities: Vec<Authority>,
}

/// A registration entry at a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Entry {
    /// As the server calls it.
    pub id: String,
    /// How often it was changed.
    pub revision: u64,
    /// The SPIFFE ID that it gives.
    pub subject: String,
    /// The SPIFFE ID that may ask for it.
    pub parent: String,
    /// What a workload must be, each once and in order.
    pub selectors: Vec<Selector>,
    /// Seconds; 0 is the server's default.
    pub x509_ttl: u64,
    /// Seconds; 0 is the server's default.
    pub jwt_ttl: u64,
    /// Its holder may administer the server.
    pub admin: bool,
    /// Its holder may issue.
    pub downstream: bool,
    /// Its credential is put into a store.
    pub store: bool,
    /// Trust domains, each once and in order.
    pub federates_with: Vec<String>,
    /// In their own order: the first becomes the certificate's name.
    pub dns_names: Vec<String>,
    /// When it ends, POSIX seconds.
    pub expires_s: Option<u64>,
    /// When it was made, POSIX seconds; older servers do not say.
    pub created_s: Option<u64>,
    /// For its holder.
    pub hint: String,
    /// How many that bore its id came before it and ended. The server does not say: it is counted, so that each is told of.
    #[serde(skip_serializing_if = "crate::json::is_default")]
    pub generation: u64,
}

/// A property of a node or workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Selector(pub String, pub String);

/// An attested agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Agent {
    /// Its SPIFFE ID.
    pub id: String,
    /// How it was attested.
    pub method: String,
    /// What it was found to be, each once and in order.
    pub selectors: Vec<Selector>,
    /// Whether it was banned.
    pub banned: bool,
    /// Whether it attests again to renew its certificate.
    pub can_reattest: bool,
    /// How many states of it came before this one and ended. The server does not say: it is counted, so that each is told of.
    #[serde(skip_serializing_if = "crate::json::is_default")]
    pub generation: u64,
}

/// A trust domain's bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bundle {
    /// Whose.
    pub domain: String,
    /// Its number.
    pub sequence: Option<u64>,
    /// How often it wants to be fetched, seconds.
    pub refresh_hint_s: Option<u64>,
    /// Its keys, in order.
    pub keys: Vec<BundleKey>,
    /// How many of that domain came before it. The server does not say: it is counted, so that each is told of.
    #[serde(skip_serializing_if = "crate::json::is_default")]
    pub generation: u64,
}

/// A key in a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BundleKey {
    /// What it signs, as `x509-svid`.
    pub purpose: String,
    /// As credentials name it: hexadecimal of an authority's.
    pub id: String,
    /// SHA-256 of the certificate, or of the key's RFC 7638 form: what tells it from others wherever it comes from.
    pub mark: String,
    /// SHA-256 of the SubjectPublicKeyInfo, where it can be made.
    pub spki_s256: Option<String>,
}

/// A state of an authority.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Authority {
    /// What it signs, as `x509-svid`.
    pub purpose: String,
    /// `prepared` or `active`.
    pub op: String,
    /// As credentials name it: hexadecimal of a certificate's.
    pub id: String,
    /// When it ends, POSIX seconds.
    pub expires_s: Option<u64>,
    /// The key id of the authority that signed it, hexadecimal; empty where it signed itself.
    pub upstream: String,
}

impl Entry {
    /// Puts what has no order in order.
    #[must_use]
    pub fn ordered(mut self) -> Self {
        self.selectors = ordered(self.selectors);
        self.federates_with = ordered(self.federates_with);
        self
    }

    /// Whether an audit line's text of selectors is about these. Values may hold commas, so the text cannot be taken apart; that it has the same
    /// pieces can be said.
    #[must_use]
    pub fn has_selectors(&self, text: &str) -> bool {
        let mut given: Vec<&str> = text.split(',').collect();
        let own: Vec<String> = self.selectors.iter().map(|Selector(kind, value)| format!("{kind}:{value}")).collect();
        let mut own: Vec<&str> = own.iter().flat_map(|selector| selector.split(',')).collect();
        given.sort_unstable();
        own.sort_unstable();
        given == own
    }

    /// A digest of all that the server says of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        digest(&Self { generation: 0, ..self.clone() })
    }

    /// What names it at its revision once.
    #[must_use]
    pub fn native_id(&self) -> String {
        format!("entry/{}@{}{}", self.id, self.revision, mark(self.generation))
    }

    /// What names its end once.
    #[must_use]
    pub fn end_id(&self) -> String {
        format!("{}/gone", self.native_id())
    }
}

impl Agent {
    /// Puts what has no order in order.
    #[must_use]
    pub fn ordered(mut self) -> Self {
        self.selectors = ordered(self.selectors);
        self
    }

    /// A digest of how it was attested: a ban is another event.
    #[must_use]
    pub fn digest(&self) -> Digest {
        digest(&Self { banned: false, generation: 0, ..self.clone() })
    }

    /// What names it, as it was found to be, once.
    #[must_use]
    pub fn native_id(&self) -> String {
        format!("agent/{}@{}{}", self.id, self.digest(), mark(self.generation))
    }

    /// What names a ban of it once.
    #[must_use]
    pub fn ban_id(&self) -> String {
        format!("{}/banned", self.native_id())
    }
}

impl Bundle {
    /// Puts what has no order in order.
    #[must_use]
    pub fn ordered(mut self) -> Self {
        self.keys = ordered(self.keys);
        self
    }

    /// The digest of the keys in it, whatever form it was had in, JSON or an interface's answer: of its exact bytes there are many.
    ///
    /// SHA-256 of deterministic CBOR: [trust domain, sequence or null, [* [use, key id, SHA-256 of the certificate or RFC 7638 thumbprint]]], the
    /// keys in the order of their text.
    #[must_use]
    pub fn keys_digest(&self) -> SchemeDigest {
        use ciborium::Value;
        let key = |key: &BundleKey| {
            Value::Array([&key.purpose, &key.id, &key.mark].map(|part| part.as_str().into()).to_vec())
        };
        let sequence = self.sequence.map_or(Value::Null, Value::from);
        let parts = vec![self.domain.as_str().into(), sequence, Value::Array(self.keys.iter().map(key).collect())];
        let bytes = Digest::sha256(&to_deterministic(&Value::Array(parts))).as_bytes().to_vec();
        SchemeDigest { scheme: "spiffe-keys".to_owned(), bytes }
    }

    /// What names it once.
    #[must_use]
    pub fn native_id(&self) -> String {
        let digest = Digest::from_slice(&self.keys_digest().bytes).map(|digest| digest.to_string()).unwrap_or_default();
        format!("bundle/{}@{digest}{}", self.domain, mark(self.generation))
    }
}

impl Authority {
    /// What names a state of it once.
    #[must_use]
    pub fn native_id(&self) -> String {
        format!("authority/{}/{}/{}", self.purpose, self.id, self.op)
    }
}

/// Tells what has the same id apart. No id of SPIRE's has this sign in it.
fn mark(generation: u64) -> String {
    if generation == 0 { String::new() } else { format!("#{generation}") }
}

fn ordered<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items.dedup();
    items
}

/// Of JSON in the order of the fields: numbers and text alone, so it can always be written.
fn digest(value: &impl Serialize) -> Digest {
    Digest::sha256(&serde_json::to_vec(value).unwrap_or_default())
}
