//! The kind `registration`: a registration entry was made, changed or removed, or is as found.

use ciborium::Value;

use super::body::{Body, Recorded};
use super::names::names;
use super::sealed::Sealed;
use crate::cbor;
use crate::digest::Digest;

names! {
    /// What became of a registration entry.
    RegistrationOp {
        /// It was made.
        Create = "create",
        /// It was changed.
        Update = "update",
        /// It was removed.
        Delete = "delete",
        /// Nothing: it is as found.
        Snapshot = "snapshot",
    }
}

/// A `registration` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration(pub(super) Body);

impl Registration {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// What became of the entry.
    #[must_use]
    pub fn op(&self) -> Recorded<RegistrationOp> {
        self.0.text(&["op"]).and_then(RegistrationOp::from_name)
    }

    /// The entry's id, as its registry calls it. Absent where the source tells that an entry was made, and not its id.
    #[must_use]
    pub fn entry_id(&self) -> Recorded<&str> {
        self.0.text(&["entry_id"])
    }

    /// Its revision after this.
    #[must_use]
    pub fn revision(&self) -> Recorded<u64> {
        self.0.uint(&["revision"])
    }

    /// The SPIFFE ID that it gives.
    #[must_use]
    pub fn subject(&self) -> Recorded<&str> {
        self.0.text(&["subject"])
    }

    /// The SPIFFE ID that may ask for it.
    #[must_use]
    pub fn parent(&self) -> Recorded<&str> {
        self.0.text(&["parent"])
    }

    /// The digest of the entry at this revision, canonical.
    #[must_use]
    pub fn entry_digest(&self) -> Recorded<Digest> {
        self.0.digest(&["entry_digest"])
    }

    /// What that digest should be, going by the record's other fields.
    #[must_use]
    pub fn digest_of_entry(&self) -> Digest {
        entry_digest(self.0.pairs())
    }
}

/// Gives the digest of a registration entry at a revision, of the fields with which a `registration` record tells it.
///
/// SHA-256("govlog entry v1" ‖ 0x00 ‖ deterministic CBOR of a map of those of its fields that are recorded: `entry_id`, `revision`, `subject`,
/// `parent`, `selectors`, `ttl_s`, `admin`, `downstream`, `store`, `federates_with`, `dns_names`, `expires_ms`, `created_ms`, `hint`).
/// Selectors and federated domains are sets: they stand in the order of their encodings, each once. A sealed value stands as null: nobody can
/// try guesses at it on the digest, and whoever has the record alone can make the digest again.
#[must_use]
pub fn entry_digest(fields: &[(Value, Value)]) -> Digest {
    let of_entry = fields.iter().filter_map(|(key, value)| {
        let name = key.as_text().filter(|name| ENTRY_FIELDS.contains(name))?;
        let value = without_sealed(value);
        Some((key.clone(), if SETS.contains(&name) { as_set(value) } else { value }))
    });
    let encoded = cbor::to_deterministic(&Value::Map(of_entry.collect()));
    Digest::sha256_of(&[b"govlog entry v1\0", &encoded])
}

fn without_sealed(value: &Value) -> Value {
    match value {
        value if Sealed::from_value(value).is_ok() => Value::Null,
        Value::Array(items) => Value::Array(items.iter().map(without_sealed).collect()),
        Value::Map(pairs) => {
            Value::Map(pairs.iter().map(|(key, value)| (key.clone(), without_sealed(value))).collect())
        }
        value => value.clone(),
    }
}

fn as_set(value: Value) -> Value {
    let Value::Array(items) = value else { return value };
    let mut items: Vec<(Vec<u8>, Value)> =
        items.into_iter().map(|item| (cbor::to_deterministic(&item), item)).collect();
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    items.dedup_by(|(one, _), (other, _)| one == other);
    Value::Array(items.into_iter().map(|(_, item)| item).collect())
}

const ENTRY_FIELDS: [&str; 14] = [
    "entry_id",
    "revision",
    "subject",
    "parent",
    "selectors",
    "ttl_s",
    "admin",
    "downstream",
    "store",
    "federates_with",
    "dns_names",
    "expires_ms",
    "created_ms",
    "hint",
];
const SETS: [&str; 2] = ["selectors", "federates_with"];

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use crate::record::{Record, view};

    fn entry() -> Json {
        json!({
            "v": 1, "event_ms": 1_795_320_489_645_u64, "op": "snapshot",
            "entry_id": "bce6c7ff-9342-4c53-83af-38a705a64a90", "revision": 1,
            "subject": "spiffe://prod.example/pay", "parent": "spiffe://prod.example/node/n1",
            "selectors": [{"type": "unix", "value": "uid:1501"}, {"type": "docker", "value": "label:a"}],
            "ttl_s": {"x509": 1800}, "admin": false, "downstream": false, "store": false,
            "created_ms": 1_795_320_435_000_u64, "hint": "pay",
        })
    }

    fn digest(view: &Json) -> String {
        let payload = view::from_json("registration", view).unwrap();
        let Record::Registration(record) = Record::parse("registration", &payload).unwrap() else { panic!("{view}") };
        record.digest_of_entry().to_string()
    }

    fn with(name: &str, value: Json) -> Json {
        let mut view = entry();
        view[name] = value;
        view
    }

    #[test]
    fn the_digest_of_an_entry_stays_what_it_is() {
        assert_eq!(digest(&entry()), "2c55c4844435e57ccd932b1eef138107b9649d8b080521051e7ca7ba38c23c9a");
    }

    #[test]
    fn what_is_of_the_entry_changes_its_digest_and_what_is_of_the_record_does_not() {
        let same = [
            ("event_ms", json!(1)),
            ("op", json!("update")),
            ("requester", json!("spiffe://prod.example/registrar")),
            ("selectors", json!([{"value": "label:a", "type": "docker"}, {"type": "unix", "value": "uid:1501"}])),
            ("unknown", json!(1)),
        ];
        for (name, value) in same {
            assert_eq!(digest(&with(name, value)), digest(&entry()), "{name}");
        }
        let other = [
            ("revision", json!(2)),
            ("ttl_s", json!({"x509": 1801})),
            ("selectors", json!([{"type": "unix", "value": "uid:1501"}])),
            ("dns_names", json!(["pay.prod.example"])),
            ("dns_names", json!(["b", "a"])),
            ("dns_names", json!(["a", "b"])),
            ("admin", json!(true)),
        ];
        let digests: std::collections::BTreeSet<String> =
            other.iter().map(|(name, value)| digest(&with(name, value.clone()))).chain([digest(&entry())]).collect();
        assert_eq!(digests.len(), other.len() + 1);
    }

    #[test]
    fn a_sealed_value_tells_nothing_by_the_digest() {
        let sealed = |byte: char| json!([{"type": "docker", "value": {"$sealed": byte.to_string().repeat(42) + "A"}}]);
        assert_eq!(digest(&with("selectors", sealed('A'))), digest(&with("selectors", sealed('Q'))));
        assert_ne!(digest(&with("selectors", sealed('A'))), digest(&with("selectors", json!([{"type": "docker"}]))));
    }
}
