//! Links: how one record names another.

use std::fmt;

use ciborium::Value;

use super::body::{as_digest, as_u64};
use super::check::find;
use super::sealed::Sealed;
use crate::digest::Digest;
use crate::merkle::LeafIndex;
use crate::visible::visible;

/// A relation to another record.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The relation, one of [`super::RELATIONS`] as a rule.
    pub rel: String,
    /// The record.
    pub target: LinkTarget,
}

/// The record a link leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkTarget {
    /// An entry of this log, by its leaf hash.
    Entry(Digest),
    /// A handle; its record may not be logged yet.
    Handle(Handle),
    /// An entry of any log.
    LogRef {
        /// The log's origin.
        origin: String,
        /// Where in that log.
        index: LeafIndex,
        /// The entry's leaf hash.
        leaf: Digest,
    },
}

/// The name and value of a handle. Two records with an equal handle speak of the same thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Handle {
    /// The name, as `cert_s256`.
    pub name: String,
    /// The value, in the form its name asks for.
    pub value: Value,
}

/// A digest whose algorithm is named beside it, as policies, bundles, schemas and sets of entities have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemeDigest {
    /// How the digest is made.
    pub scheme: String,
    /// The digest.
    pub bytes: Vec<u8>,
}

impl Link {
    /// Reads the CBOR form; `None` if it is another, or a part is sealed.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Self> {
        let pairs = value.as_map()?;
        let rel = find(pairs, "rel")?.as_text()?.to_owned();
        let target = LinkTarget::from_value(find(pairs, "target")?)?;
        Some(Self { rel, target })
    }

    /// Gives the CBOR form.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Map(vec![("rel".into(), self.rel.as_str().into()), ("target".into(), self.target.to_value())])
    }
}

impl LinkTarget {
    /// Reads the CBOR form; `None` if it is another, or a part is sealed.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Self> {
        let [(key, target)] = value.as_map()?.as_slice() else { return None };
        match key.as_text()? {
            "entry" => as_digest(target).map(Self::Entry),
            "handle" => Handle::from_value(target).map(Self::Handle),
            "log_ref" => log_ref(target.as_map()?),
            _ => None,
        }
    }

    /// Gives the CBOR form.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let (key, target) = match self {
            Self::Entry(leaf) => ("entry", bytes(leaf)),
            Self::Handle(handle) => ("handle", handle.to_value()),
            Self::LogRef { origin, index, leaf } => (
                "log_ref",
                Value::Map(vec![
                    ("origin".into(), origin.as_str().into()),
                    ("index".into(), index.get().into()),
                    ("leaf".into(), bytes(leaf)),
                ]),
            ),
        };
        Value::Map(vec![(key.into(), target)])
    }
}

fn log_ref(pairs: &[(Value, Value)]) -> Option<LinkTarget> {
    Some(LinkTarget::LogRef {
        origin: find(pairs, "origin")?.as_text()?.to_owned(),
        index: LeafIndex::new(as_u64(find(pairs, "index")?)?),
        leaf: as_digest(find(pairs, "leaf")?)?,
    })
}

impl Handle {
    /// Makes a handle whose value is a digest of 32 bytes.
    #[must_use]
    pub fn of_digest(name: &str, digest: &Digest) -> Self {
        Self { name: name.to_owned(), value: bytes(digest) }
    }

    /// Gives the value if it is a digest of 32 bytes.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        as_digest(&self.value)
    }

    /// Reads the CBOR form `[name, value]`; `None` if it is another, or the value is sealed.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Self> {
        let [name, value] = value.as_array()?.as_slice() else { return None };
        Self::from_parts(name, value)
    }

    /// Gives the CBOR form.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Array(vec![self.name.as_str().into(), self.value.clone()])
    }

    pub(crate) fn from_parts(name: &Value, value: &Value) -> Option<Self> {
        if Sealed::from_value(value).is_ok() {
            return None;
        }
        Some(Self { name: name.as_text()?.to_owned(), value: value.clone() })
    }
}

/// Writes a handle for people, on one line whatever its issuer wrote: its name, and its value where that has a short form, as
/// `dec https://pdp.example d-1`.
impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&self.name))?;
        let parts = match &self.value {
            Value::Array(parts) => parts.as_slice(),
            value => std::slice::from_ref(value),
        };
        for part in parts {
            match part {
                Value::Text(text) => write!(f, " {}", visible(text))?,
                Value::Bytes(bytes) => {
                    f.write_str(" ")?;
                    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl SchemeDigest {
    /// Reads the CBOR form `[scheme, bytes]`; `None` if it is another, or a part is sealed.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Self> {
        let [scheme, digest] = value.as_array()?.as_slice() else { return None };
        Some(Self { scheme: scheme.as_text()?.to_owned(), bytes: digest.as_bytes()?.clone() })
    }

    /// Gives the CBOR form.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Array(vec![self.scheme.as_str().into(), Value::Bytes(self.bytes.clone())])
    }
}

fn bytes(digest: &Digest) -> Value {
    Value::Bytes(digest.as_bytes().to_vec())
}
