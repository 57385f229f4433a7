//! A record while it is being written: fields, links, what is sealed, and what has to be said about it.

use std::fmt;

use ciborium::Value;
use govlog_formats::cbor::to_deterministic;
use govlog_formats::record::sealed::Opening;
use govlog_formats::record::{Link, LinkTarget, Record, RecordError, default_subject};

use crate::openings::FieldOpening;
use crate::resolve::Found;
use crate::submit::Draft;

/// What is to be sealed, and with what.
pub struct Seals<'a> {
    /// The fields that the signer wants sealed, as `approver` or `delegator.id`.
    pub fields: Vec<String>,
    /// Whether there is a place for openings: without one nothing is sealed, for nobody could ever open it.
    pub can_keep: bool,
    /// Gives 32 bytes that nobody can guess, new ones at each call.
    pub random: &'a mut dyn FnMut() -> [u8; 32],
}

/// A link, and what is known of the record it leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct Linked {
    /// The relation.
    pub rel: &'static str,
    /// Where it leads.
    pub target: LinkTarget,
    /// What the signer called it.
    pub given: String,
    /// What it is, in a line.
    pub summary: String,
    /// Whether it is an entry that was verified; `None` for what is no entry.
    pub verified: Option<bool>,
}

/// A record ready to be shown and signed.
#[derive(Clone, Debug)]
pub struct Built {
    /// Kind, subject and payload.
    pub draft: Draft,
    /// What opens its sealed values.
    pub openings: Vec<FieldOpening>,
    /// Where its links lead.
    pub links: Vec<Linked>,
    /// The times in it, by name: POSIX milliseconds.
    pub times: Vec<(&'static str, u64)>,
    /// What the signer should know before agreeing.
    pub warnings: Vec<String>,
    /// What the signer is shown of the thing that the record is about; `shown_digest` is over these bytes.
    pub shown: Option<String>,
}

/// Why no record was built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Text that looks like it names a person would go in the clear.
    #[error(
        "{field}: that looks like a person's name or e-mail address, and a log keeps it for ever; give a pseudonym, or seal it: --openings DIR \
         keeps what opens it"
    )]
    Personal {
        /// The field.
        field: String,
    },
    /// Something is to be sealed and there is no place for the opening.
    #[error("{field} is sealed, and its opening needs a place: give --openings DIR, a folder that only you can read")]
    NoPlace {
        /// The field.
        field: String,
    },
    /// A field to be sealed is not in the record.
    #[error("--seal {field}: this record has no such field; it has {known}")]
    NothingToSeal {
        /// The field.
        field: String,
        /// The fields there are.
        known: String,
    },
    /// No subject can be derived.
    #[error(
        "it is not clear whom or what this statement is about; name it with --sub, such as spiffe://prod.example/pay"
    )]
    NoSubject,
    /// The subject would be taken for a stream, or names a person.
    #[error(
        "--sub {0:?}: a subject holds a : or a / and names a workload, an agent or a policy, never a person: headers cannot be sealed"
    )]
    Subject(String),
    /// What was named is of another sort than is needed here.
    #[error("{name}: {why}")]
    Unfit {
        /// What was named.
        name: String,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// What was asked for goes beyond what it rests on.
    #[error("{}; to sign it all the same, say --force", .0.join("; "))]
    Exceeds(Vec<String>),
    /// The record does not follow its kind's fields.
    #[error("the record: {0}")]
    Record(#[from] RecordError),
}

/// A record being written.
pub(super) struct Sheet<'a, 's> {
    kind: &'static str,
    seals: &'a mut Seals<'s>,
    pairs: Vec<(Value, Value)>,
    /// The fields that could be sealed.
    known: Vec<String>,
    openings: Vec<FieldOpening>,
    links: Vec<Linked>,
    times: Vec<(&'static str, u64)>,
    pub(super) warnings: Vec<String>,
    pub(super) shown: Option<String>,
}

impl<'a, 's> Sheet<'a, 's> {
    /// Begins a record of an event that happened now.
    pub(super) fn new(kind: &'static str, now_s: u64, seals: &'a mut Seals<'s>) -> Self {
        let pairs = vec![
            ("v".into(), 1.into()),
            ("event_ms".into(), now_s.saturating_mul(1000).into()),
            ("assurance".into(), "source-signed".into()),
        ];
        let (known, openings, links) = (Vec::new(), Vec::new(), Vec::new());
        Self { kind, seals, pairs, known, openings, links, times: Vec::new(), warnings: Vec::new(), shown: None }
    }

    /// Writes a field; sealed if that was asked for, or if its text looks like an e-mail address.
    pub(super) fn put(&mut self, path: &[&str], value: impl Into<Value>) -> Result<(), BuildError> {
        let value = value.into();
        let sealed = texts(&value).iter().any(|text| has_address(text));
        self.write(path, value, sealed)
    }

    /// Writes a field if there is a value for it.
    pub(super) fn put_some(&mut self, path: &[&str], value: Option<impl Into<Value>>) -> Result<(), BuildError> {
        value.map_or(Ok(()), |value| self.put(path, value))
    }

    /// Writes a field that names a person, or may: sealed unless it reads like a pseudonym.
    pub(super) fn person(&mut self, path: &[&str], name: &str) -> Result<(), BuildError> {
        self.write(path, name.into(), has_address(name) || name.trim().contains(char::is_whitespace))
    }

    /// Writes a field that anybody could find out by trying values: always sealed.
    pub(super) fn guessable(&mut self, path: &[&str], value: impl Into<Value>) -> Result<(), BuildError> {
        if !self.seals.can_keep {
            return Err(BuildError::NoPlace { field: path.join(".") });
        }
        self.write(path, value.into(), true)
    }

    /// Writes a time.
    pub(super) fn time(&mut self, name: &'static str, at_ms: Option<u64>) -> Result<(), BuildError> {
        let Some(at_ms) = at_ms else { return Ok(()) };
        self.times.push((name, at_ms));
        self.put(&[name], at_ms)
    }

    /// Links to what was found, unless it is a name, which no link can lead to.
    pub(super) fn link(&mut self, rel: &'static str, found: &Found) {
        if let Some(target) = found.target() {
            self.link_to(rel, target, found);
        }
    }

    /// Links to a target that what was found gave.
    pub(super) fn link_to(&mut self, rel: &'static str, target: LinkTarget, found: &Found) {
        if self.links.iter().any(|link| link.rel == rel && link.target == target) {
            return;
        }
        let (given, summary) = (found.name.clone(), found.summary());
        self.links.push(Linked { rel, target, given, summary, verified: found.is_verified() });
    }

    /// Checks the whole and closes it. `sub`: the subject; without one the record's own, else `otherwise`.
    pub(super) fn finish(mut self, sub: Option<&str>, otherwise: Option<String>) -> Result<Built, BuildError> {
        if let Some(field) = self.seals.fields.iter().find(|field| !self.known.contains(field)) {
            return Err(BuildError::NothingToSeal { field: field.clone(), known: self.known.join(", ") });
        }
        if !self.links.is_empty() {
            let link = |link: &Linked| Link { rel: link.rel.to_owned(), target: link.target.clone() }.to_value();
            self.pairs.push(("links".into(), self.links.iter().map(link).collect::<Vec<_>>().into()));
        }
        let payload = to_deterministic(&Value::Map(self.pairs));
        let record = Record::parse(self.kind, &payload)?;
        let sub = sub.map(str::to_owned).or(otherwise).or_else(|| default_subject(&record));
        let sub = sub.ok_or(BuildError::NoSubject)?;
        if !sub.contains([':', '/']) || has_address(&sub) {
            return Err(BuildError::Subject(sub));
        }
        let draft = Draft { kind: self.kind.to_owned(), sub, payload };
        let (openings, links, times) = (self.openings, self.links, self.times);
        Ok(Built { draft, openings, links, times, warnings: self.warnings, shown: self.shown })
    }

    fn write(&mut self, path: &[&str], value: Value, personal: bool) -> Result<(), BuildError> {
        // A key cannot be sealed, only the value under it.
        if path.iter().any(|key| has_address(key)) {
            return Err(BuildError::Personal { field: path.first().copied().unwrap_or_default().to_owned() });
        }
        let field = path.join(".");
        let wanted = self.seals.fields.contains(&field);
        self.known.push(field.clone());
        if !wanted && !personal {
            insert(&mut self.pairs, path, value);
            return Ok(());
        }
        if !self.seals.can_keep {
            return Err(if wanted { BuildError::NoPlace { field } } else { BuildError::Personal { field } });
        }
        let opening = Opening { salt: (self.seals.random)(), value };
        insert(&mut self.pairs, path, opening.seal().to_value());
        self.openings.push(FieldOpening { path: field, opening });
        Ok(())
    }
}

impl fmt::Debug for Seals<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seals").field("fields", &self.fields).field("can_keep", &self.can_keep).finish_non_exhaustive()
    }
}

/// Puts a value at a path of keys, making the maps on the way.
fn insert(pairs: &mut Vec<(Value, Value)>, path: &[&str], value: Value) {
    let Some((key, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        pairs.push(((*key).into(), value));
        return;
    }
    let at = pairs.iter().position(|(name, _)| name.as_text() == Some(key)).unwrap_or_else(|| {
        pairs.push(((*key).into(), Value::Map(Vec::new())));
        pairs.len() - 1
    });
    if let Some((_, Value::Map(inner))) = pairs.get_mut(at) {
        insert(inner, rest, value);
    }
}

/// Every text in a value.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Text(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Map(pairs) => pairs.iter().flat_map(|(key, value)| [texts(key), texts(value)].concat()).collect(),
        _ => Vec::new(),
    }
}

/// Says whether a word of the text looks like an e-mail address.
pub(super) fn has_address(text: &str) -> bool {
    let is_address = |word: &str| word.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    text.split_whitespace().any(is_address)
}
