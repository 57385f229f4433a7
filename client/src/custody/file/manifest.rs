//! `manifest.json`: what a custody file says of itself.
//!
//! Nothing in it is signed. What it says of the members is checked against them; who collected it and what for, and that nothing was left out, is
//! a claim, unless a `custody` record is at hand that names this manifest's digest.

use std::collections::BTreeMap;

use govlog_formats::search::{Filter, FilterError};
use serde::{Deserialize, Serialize};

use super::super::relations::Spot;
use super::contents::MAX_ENTRIES;
use super::streams::StreamSeen;

/// What [`Manifest::format`] says.
pub const FORMAT: &str = "govlog custody file";
/// The version of the format: it fixes which members there are, and how the timeline and `VERIFY.md` are written. From the first release on a
/// version stays as it is; what one meant before that is not kept.
pub const VERSION: u32 = 2;

/// A parameter of a search has a value for every handle of what somebody has in hand: that is a few.
const MAX_VALUES: usize = 64;
/// How many parameters are read: more than a search has.
const MAX_PARAMETERS: usize = 64;

/// The manifest, field by field in the order in which they stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The log's origin.
    pub origin: String,
    /// The one checkpoint that every proof leads to.
    pub checkpoint: CheckpointSaid,
    /// What was asked for.
    pub query: Query,
    /// Who collected it, as claimed.
    pub collector: Option<String>,
    /// What for, as claimed.
    pub purpose: Option<String>,
    /// How it was looked for, as claimed: `index`, or `scanned 0-N`.
    pub completeness: String,
    /// The entries, and members of batches (`1.57#3`), that answer the query; all others are here for their sake.
    pub starts: Vec<String>,
    /// What was looked for and not found.
    pub not_found: NotFound,
    /// The streams that the entries stand in.
    pub streams: Vec<StreamSeen>,
    /// SHA-256 of every other member.
    pub files: BTreeMap<String, String>,
}

/// The checkpoint's size and root hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointSaid {
    /// The tree size.
    pub size: u64,
    /// The root hash, hex.
    pub root: String,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Parameters of a search (`GET /v1/records`); an entry must meet each of them by one of its values.
    pub search: BTreeMap<String, Vec<String>>,
    /// Entries named by their ids, besides.
    pub entries: Vec<String>,
}

impl Query {
    /// The filters of which an entry must pass one; none, where entries are named alone. They are as many as there are choices of values: of a
    /// query that somebody else wrote the values are looked at one by one.
    ///
    /// # Errors
    ///
    /// A parameter is none.
    pub fn filters(&self) -> Result<Vec<Filter>, FilterError> {
        // Every choice of one value for each parameter.
        let mut pairs: Vec<Vec<(&str, &str)>> = if self.search.is_empty() { Vec::new() } else { vec![Vec::new()] };
        for (name, values) in &self.search {
            let mut longer = Vec::new();
            for value in values {
                let with = pairs.iter().cloned().map(|mut pair| {
                    pair.push((name.as_str(), value.as_str()));
                    pair
                });
                longer.extend(with);
            }
            pairs = longer;
        }
        pairs.into_iter().map(Filter::from_pairs).collect()
    }
}

/// What was looked for and not found, by the rules of this version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotFound {
    /// Relations that lead to no entry.
    pub links: Vec<Link>,
    /// Entries that can be revoked and of which no revocation was found.
    pub revocations: Vec<String>,
    /// Values that are sealed and stay so.
    pub sealed: Vec<Sealed>,
    /// Batches of which there are members that are not in the file.
    pub members: Vec<Unopened>,
    /// How many batches the log has up to the checkpoint, and how many of them the collector could look into; as claimed.
    pub batches: BatchesSeen,
    /// How many entries were taken at most, where there were more; as claimed.
    pub cut_at: Option<u64>,
    /// Entries that did not verify for the collector, and were left out; as claimed.
    pub refused: Vec<String>,
}

/// A relation that leads to no entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The entry that names something.
    pub entry: String,
    /// The relation.
    pub rel: String,
    /// What it names.
    pub target: String,
}

/// The sealed values of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// The entry.
    pub entry: String,
    /// Where they are in its record.
    pub paths: Vec<String>,
}

/// A batch with members that are not in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unopened {
    /// The batch.
    pub entry: String,
    /// How many members it has, where it says so in clear.
    pub members: Option<u64>,
    /// How many of them are here.
    pub opened: u64,
}

impl Unopened {
    /// What is missing, in a line.
    #[must_use]
    pub fn said(&self) -> String {
        match self.members.map(|members| members.saturating_sub(self.opened)) {
            Some(1) => format!("1 member of batch {} is not opened", self.entry),
            Some(closed) => format!("{closed} members of batch {} are not opened", self.entry),
            None => format!("the members of batch {}, which does not say how many, are not opened", self.entry),
        }
    }
}

/// How far batches were looked into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchesSeen {
    /// How many there are below the checkpoint, counted to a hundred.
    pub logged: u64,
    /// Of how many there were openings at hand.
    pub opened: u64,
}

/// So many batches of a log are counted.
pub(in crate::custody) const MAX_COUNTED: usize = 100;

/// Why bytes are no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not JSON of this shape.
    #[error("manifest.json: {0}")]
    Shape(String),
    /// Another version.
    #[error(
        "manifest.json: version {found}; this program knows {VERSION}: use the version of govlog that the file was made with, or a newer one"
    )]
    Version {
        /// The version.
        found: u32,
    },
    /// The same said in other bytes.
    #[error("manifest.json: not written as a manifest is: the same content has other bytes")]
    NotCanonical,
}

impl Manifest {
    /// Writes it: JSON with two spaces, in the order of the fields, a line end at the end.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Shape`]; strings, numbers and lists always can be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        let text = serde_json::to_string_pretty(self).map_err(|error| ManifestError::Shape(error.to_string()))?;
        Ok(format!("{text}\n").into_bytes())
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// The bytes are not exactly what [`to_bytes`](Self::to_bytes) writes, or of another version.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        /// What every version has.
        #[derive(Deserialize)]
        struct AnyVersion {
            format: String,
            version: u32,
        }
        let shape = |error: serde_json::Error| ManifestError::Shape(error.to_string());
        let any: AnyVersion = serde_json::from_slice(bytes).map_err(shape)?;
        if any.format != FORMAT {
            return Err(ManifestError::Shape(format!("format is {:?}, not {FORMAT:?}", any.format)));
        }
        if any.version != VERSION {
            return Err(ManifestError::Version { found: any.version });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(shape)?;
        manifest.check().map_err(ManifestError::Shape)?;
        if manifest.to_bytes()? == bytes { Ok(manifest) } else { Err(ManifestError::NotCanonical) }
    }

    /// What can be held against nothing else: how much is said, and how it was looked for.
    fn check(&self) -> Result<(), String> {
        let Query { search, entries } = &self.query;
        let longest = search.values().map(Vec::len).max().unwrap_or_default();
        let cut_at = usize::try_from(self.not_found.cut_at.unwrap_or_default()).unwrap_or(usize::MAX);
        for (what, found, most) in [
            ("parameters of the query", search.len(), MAX_PARAMETERS),
            ("values of a parameter of the query", longest, MAX_VALUES),
            ("entries of the query", entries.len(), MAX_ENTRIES),
            ("starts", self.starts.len(), MAX_ENTRIES),
            ("entries that did not verify", self.not_found.refused.len(), MAX_ENTRIES),
            ("entries, at which the collector says to have stopped", cut_at, MAX_ENTRIES),
        ] {
            if found > most {
                return Err(format!("{found} {what}; there can be {most}"));
            }
        }
        starts(&self.starts).map_err(|why| format!("starts: {why}"))?;
        if !self.not_found.refused.is_empty() {
            starts(&self.not_found.refused).map_err(|why| format!("refused: {why}"))?;
        }
        let scanned = scanned(self.checkpoint.size);
        if self.completeness != INDEX && self.completeness != scanned {
            let said: String = self.completeness.chars().take(80).collect();
            return Err(format!("completeness is {said:?}; it is {INDEX:?} or {scanned:?}"));
        }
        Ok(())
    }
}

/// The index was asked.
pub(super) const INDEX: &str = "index";

/// Every entry below a checkpoint was read.
pub(super) fn scanned(size: u64) -> String {
    format!("scanned 0-{}", size.saturating_sub(1))
}

/// Reads what a matter starts from: at least one entry of this log, each once, in the log's order.
pub(in crate::custody) fn starts(ids: &[String]) -> Result<Vec<Spot>, String> {
    let mut found: Vec<Spot> = Vec::with_capacity(ids.len());
    for text in ids {
        let spot = text.parse::<Spot>().map_err(|error| error.to_string())?;
        if found.last().is_some_and(|last| *last >= spot) {
            return Err(format!("{text} does not follow the one before"));
        }
        found.push(spot);
    }
    if found.is_empty() { Err("there is none".to_owned()) } else { Ok(found) }
}
