//! What the opening store holds for one entry: a deterministic CBOR map.
//!
//! ```text
//! Openings = {v: 1, kind: text, openings: [* Field], ? refused: bytes .cbor Openings, ? members: [+ Member]}
//! Field    = {path: text, salt: 32 bytes, value: any}
//! Member   = {record: bytes, openings: [* Field]}
//! ```
//!
//! `refused`: a `quarantine` that stands for a statement the log refused keeps that statement's openings. `members`: a `decision-batch`
//! keeps the canonical record of each decision in it, in the order of its tree, and what opens their sealed values.

use ciborium::Value;
use govlog_formats::cbor::{self, CborError};
use govlog_formats::record::sealed::Opening;

/// What opens one sealed value of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldOpening {
    /// Where in the record, as `input` or `subject.properties`.
    pub path: String,
    /// Salt and value.
    pub opening: Opening,
}

/// A decision of a `decision-batch`, and what opens its sealed values.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The canonical record: what a leaf of the batch's tree is made of.
    pub record: Vec<u8>,
    /// What opens its sealed values.
    pub openings: Vec<FieldOpening>,
}

/// What opens the sealed values of one entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Openings {
    /// The kind of the entry's record, such as `decision`.
    pub kind: String,
    /// What opens its sealed values, in the order of their fields.
    pub fields: Vec<FieldOpening>,
    /// The openings, encoded, of the refused statement that the entry stands for.
    pub refused: Option<Vec<u8>>,
    /// The decisions that a `decision-batch` stands for, in the order of its tree.
    pub members: Vec<Member>,
}

/// Why bytes are no openings, or openings are not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Not deterministic CBOR, or a value is nested too deep in it.
    #[error("openings: {0}")]
    Cbor(#[from] CborError),
    /// There is more of something than there may be.
    #[error("openings: {found} {what}, at most {most} are kept for one entry")]
    Bound {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        most: usize,
    },
    /// A version that this program does not know.
    #[error("openings: version {0}, this program knows version 1")]
    Version(u64),
    /// A key that is missing, unknown or of another type.
    #[error("openings: {place} should be {right}")]
    Shape {
        /// Where.
        place: &'static str,
        /// What would be right.
        right: &'static str,
    },
}

impl Openings {
    /// Makes the openings of an entry.
    #[must_use]
    pub fn new(kind: &str, fields: Vec<FieldOpening>) -> Self {
        Self { kind: kind.to_owned(), fields, ..Self::default() }
    }

    /// Says whether there is nothing to keep.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.refused.is_none() && self.members.is_empty()
    }

    /// Writes them: deterministic CBOR that [`decode`](Self::decode) accepts.
    ///
    /// # Errors
    ///
    /// They are larger than a store keeps for one entry, or a value is nested too deep.
    pub fn encode(self) -> Result<Vec<u8>, DocumentError> {
        self.check_counts()?;
        let mut map: Vec<(Value, Value)> =
            vec![("v".into(), 1.into()), ("kind".into(), self.kind.into()), ("openings".into(), fields(self.fields))];
        if let Some(refused) = self.refused {
            map.push(("refused".into(), Value::Bytes(refused)));
        }
        if !self.members.is_empty() {
            map.push(("members".into(), self.members.into_iter().map(member).collect::<Vec<_>>().into()));
        }
        let bytes = cbor::to_deterministic(&Value::Map(map));
        check_bound("bytes", bytes.len(), MAX_DOCUMENT_BYTES)?;
        cbor::check_deterministic(&bytes)?;
        Ok(bytes)
    }

    /// Reads them. Whether they open anything is not judged: the record's commitments say that.
    ///
    /// # Errors
    ///
    /// [`DocumentError`]: the bytes are not exactly what [`encode`](Self::encode) writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DocumentError> {
        check_bound("bytes", bytes.len(), MAX_DOCUMENT_BYTES)?;
        let mut map = Map::of(cbor::parse(bytes)?, "the whole", "a map")?;
        let version = map.take("v").and_then(|v| v.into_integer().ok()).and_then(|v| u64::try_from(v).ok());
        match version {
            Some(1) => {}
            Some(other) => return Err(DocumentError::Version(other)),
            None => return Err(DocumentError::Shape { place: "v", right: "the version, 1" }),
        }
        let openings = Self {
            kind: map.text("kind")?,
            fields: read_fields(&mut map)?,
            refused: map.take("refused").map(|value| bytes_of(value, "refused")).transpose()?,
            members: match map.take("members") {
                None => Vec::new(),
                Some(Value::Array(members)) if !members.is_empty() => {
                    check_bound("members", members.len(), MAX_MEMBERS)?;
                    members.into_iter().map(read_member).collect::<Result<_, _>>()?
                }
                Some(_) => {
                    return Err(DocumentError::Shape { place: "members", right: "a list of at least one record" });
                }
            },
        };
        map.end("the whole", "a map of v, kind, openings, refused and members")?;
        openings.check_counts()?;
        Ok(openings)
    }

    fn check_counts(&self) -> Result<(), DocumentError> {
        check_bound("members", self.members.len(), MAX_MEMBERS)?;
        for fields in std::iter::once(&self.fields).chain(self.members.iter().map(|member| &member.openings)) {
            check_bound("openings of one record", fields.len(), MAX_FIELDS)?;
            for field in fields {
                check_bound("bytes of a path", field.path.len(), MAX_PATH_BYTES)?;
            }
        }
        Ok(())
    }
}

fn fields(fields: Vec<FieldOpening>) -> Value {
    let fields = fields.into_iter().map(|field| {
        Value::Map(vec![
            ("path".into(), field.path.into()),
            ("salt".into(), Value::Bytes(field.opening.salt.to_vec())),
            ("value".into(), field.opening.value),
        ])
    });
    Value::Array(fields.collect())
}

fn member(member: Member) -> Value {
    Value::Map(vec![("record".into(), Value::Bytes(member.record)), ("openings".into(), fields(member.openings))])
}

fn read_fields(map: &mut Map) -> Result<Vec<FieldOpening>, DocumentError> {
    match map.take("openings") {
        Some(Value::Array(fields)) => fields.into_iter().map(read_field).collect(),
        _ => Err(DocumentError::Shape { place: "openings", right: "a list" }),
    }
}

fn read_field(value: Value) -> Result<FieldOpening, DocumentError> {
    const RIGHT: &str = "a map of path, salt and value";
    let mut map = Map::of(value, "an opening", RIGHT)?;
    let path = map.text("path")?;
    let salt = map.take("salt").map(|salt| bytes_of(salt, "salt")).transpose()?;
    let salt = salt.and_then(|salt| <[u8; 32]>::try_from(salt).ok());
    let salt = salt.ok_or(DocumentError::Shape { place: "salt", right: "32 bytes" })?;
    let value = map.take("value").ok_or(DocumentError::Shape { place: "an opening", right: RIGHT })?;
    map.end("an opening", RIGHT)?;
    Ok(FieldOpening { path, opening: Opening { salt, value } })
}

fn read_member(value: Value) -> Result<Member, DocumentError> {
    const RIGHT: &str = "a map of record and openings";
    let mut map = Map::of(value, "a member", RIGHT)?;
    let record = map.take("record").ok_or(DocumentError::Shape { place: "a member", right: RIGHT })?;
    let member = Member { record: bytes_of(record, "record")?, openings: read_fields(&mut map)? };
    map.end("a member", RIGHT)?;
    Ok(member)
}

fn bytes_of(value: Value, place: &'static str) -> Result<Vec<u8>, DocumentError> {
    value.into_bytes().map_err(|_| DocumentError::Shape { place, right: "a byte string" })
}

fn check_bound(what: &'static str, found: usize, most: usize) -> Result<(), DocumentError> {
    if found > most { Err(DocumentError::Bound { what, found, most }) } else { Ok(()) }
}

/// A map that is read key by key; what is left over at the end is refused.
struct Map(Vec<(Value, Value)>);

impl Map {
    fn of(value: Value, place: &'static str, right: &'static str) -> Result<Self, DocumentError> {
        value.into_map().map(Self).map_err(|_| DocumentError::Shape { place, right })
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let position = self.0.iter().position(|(key, _)| key.as_text() == Some(name))?;
        Some(self.0.swap_remove(position).1)
    }

    fn text(&mut self, place: &'static str) -> Result<String, DocumentError> {
        let text = self.take(place).and_then(|value| value.into_text().ok());
        text.ok_or(DocumentError::Shape { place, right: "text" })
    }

    fn end(&self, place: &'static str, right: &'static str) -> Result<(), DocumentError> {
        if self.0.is_empty() { Ok(()) } else { Err(DocumentError::Shape { place, right }) }
    }
}

/// The most bytes that are kept for one entry: the largest batch with 3 KiB for each member and its openings, and any event an agent takes.
pub const MAX_DOCUMENT_BYTES: usize = 192 * 1024 * 1024;

/// The most members of one `decision-batch`.
pub const MAX_MEMBERS: usize = 65_536;

/// The most openings of one record: an entry of 65,535 bytes has no room for more sealed values of 41 bytes.
pub const MAX_FIELDS: usize = 1_600;

/// The most bytes of a path: as an entry, since a record's keys are in it.
pub const MAX_PATH_BYTES: usize = govlog_formats::limits::MAX_ENTRY_BYTES;
