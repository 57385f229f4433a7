//! A record's map, once it has been checked: typed reading of fields that may be present, sealed or absent.

use ciborium::Value;

use super::check::find;
use super::link::{Handle, Link, LinkTarget, SchemeDigest};
use super::sealed::Sealed;
use crate::digest::Digest;

/// A field's value as a reader finds it.
///
/// Whether a sealed value's opening was destroyed (*redacted*) is not in the record: a `redaction` says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded<T> {
    /// The value stands in the record.
    Present(T),
    /// The record holds a commitment to the value, or to a map the value is in.
    Sealed(Sealed),
    /// The record does not have the key.
    Absent,
}

impl<T> Recorded<T> {
    /// Gives the value if it stands in the record.
    #[must_use]
    pub fn present(self) -> Option<T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Sealed(_) | Self::Absent => None,
        }
    }

    /// Reads the value further; what cannot be read counts as absent.
    pub(crate) fn and_then<U>(self, read: impl FnOnce(T) -> Option<U>) -> Recorded<U> {
        match self {
            Self::Present(value) => read(value).map_or(Recorded::Absent, Recorded::Present),
            Self::Sealed(sealed) => Recorded::Sealed(sealed),
            Self::Absent => Recorded::Absent,
        }
    }
}

/// The map of a record. Only [`super::Record::parse`] makes one, after its checks.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    pairs: Vec<(Value, Value)>,
}

impl Body {
    /// Takes a map that has been checked.
    pub(crate) fn of_checked(pairs: Vec<(Value, Value)>) -> Self {
        Self { pairs }
    }

    /// Finds the value at a path of keys, as `["subject", "id"]`.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Recorded<&Value> {
        let mut keys = path.iter();
        let Some(mut value) = keys.next().and_then(|key| find(&self.pairs, key)) else { return Recorded::Absent };
        loop {
            if let Ok(sealed) = Sealed::from_value(value) {
                return Recorded::Sealed(sealed);
            }
            let Some(key) = keys.next() else { return Recorded::Present(value) };
            match value.as_map().and_then(|pairs| find(pairs, key)) {
                Some(inner) => value = inner,
                None => return Recorded::Absent,
            }
        }
    }

    /// Finds text at a path of keys.
    #[must_use]
    pub fn text(&self, path: &[&str]) -> Recorded<&str> {
        self.at(path).and_then(Value::as_text)
    }

    /// Finds a list of text at a path of keys. Sealed if any of them is: half a list is not taken for the whole.
    #[must_use]
    pub fn texts(&self, path: &[&str]) -> Recorded<Vec<&str>> {
        let items = match self.at(path).and_then(Value::as_array) {
            Recorded::Present(items) => items,
            Recorded::Sealed(sealed) => return Recorded::Sealed(sealed),
            Recorded::Absent => return Recorded::Absent,
        };
        match items.iter().find_map(|item| Sealed::from_value(item).ok()) {
            Some(sealed) => Recorded::Sealed(sealed),
            None => items.iter().map(Value::as_text).collect::<Option<_>>().map_or(Recorded::Absent, Recorded::Present),
        }
    }

    /// Finds an integer of 0 or more at a path of keys.
    #[must_use]
    pub fn uint(&self, path: &[&str]) -> Recorded<u64> {
        self.at(path).and_then(as_u64)
    }

    /// Finds a byte string at a path of keys.
    #[must_use]
    pub fn bytes(&self, path: &[&str]) -> Recorded<&[u8]> {
        self.at(path).and_then(|value| value.as_bytes().map(Vec::as_slice))
    }

    /// Finds a digest of 32 bytes at a path of keys.
    #[must_use]
    pub fn digest(&self, path: &[&str]) -> Recorded<Digest> {
        self.at(path).and_then(as_digest)
    }

    /// Finds a digest with its algorithm at a path of keys.
    #[must_use]
    pub fn scheme_digest(&self, path: &[&str]) -> Recorded<SchemeDigest> {
        self.at(path).and_then(SchemeDigest::from_value)
    }

    /// Finds a link's target at a path of keys.
    #[must_use]
    pub fn link_target(&self, path: &[&str]) -> Recorded<LinkTarget> {
        self.at(path).and_then(LinkTarget::from_value)
    }

    /// Finds a list of links' targets at a path of keys. Sealed ones, and those with a sealed part, are left out.
    #[must_use]
    pub fn link_targets(&self, path: &[&str]) -> Vec<LinkTarget> {
        let Recorded::Present(Value::Array(targets)) = self.at(path) else { return Vec::new() };
        targets.iter().filter_map(LinkTarget::from_value).collect()
    }

    /// Finds a handle, `[name, value]`, at a path of keys.
    #[must_use]
    pub fn handle(&self, path: &[&str]) -> Recorded<Handle> {
        self.at(path).and_then(Handle::from_value)
    }

    /// When it happened, as claimed: POSIX milliseconds.
    #[must_use]
    pub fn event_ms(&self) -> Recorded<u64> {
        self.uint(&["event_ms"])
    }

    /// The handles of the credential the record describes. Sealed ones are left out.
    #[must_use]
    pub fn handles(&self) -> Vec<Handle> {
        let Recorded::Present(Value::Map(pairs)) = self.at(&["handles"]) else { return Vec::new() };
        pairs.iter().filter_map(|(name, value)| Handle::from_parts(name, value)).collect()
    }

    /// The links to other records. Sealed ones, and those with a sealed part, are left out.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        let Recorded::Present(Value::Array(links)) = self.at(&["links"]) else { return Vec::new() };
        links.iter().filter_map(Link::from_value).collect()
    }

    /// The whole map, as parsed.
    #[must_use]
    pub fn pairs(&self) -> &[(Value, Value)] {
        &self.pairs
    }
}

pub(crate) fn as_u64(value: &Value) -> Option<u64> {
    value.as_integer().and_then(|number| u64::try_from(number).ok())
}

pub(crate) fn as_digest(value: &Value) -> Option<Digest> {
    value.as_bytes().and_then(|bytes| Digest::from_slice(bytes))
}
