//! The adapter's table as an operator writes it, before anything is checked.

use std::fmt;

use govlog_client::source::Outbound;
use govlog_daemon::access::RawAccess;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::opa::bundle::RawBundle;

/// An `[[opa]]` table of `agent.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawGroup {
    /// Under which path OPA uploads.
    pub prefix: String,
    /// Who of those that may upload at all may upload here; by default all of them.
    pub callers: Option<RawAccess>,
    /// Who decides; by default `opa/` and the instance's id.
    pub pdp: Option<String>,
    /// Who asks; by default the proxy that a trusted header names.
    pub pep: Option<String>,
    /// The proxies whose `x-forwarded-client-cert` is believed.
    #[serde(default)]
    pub xfcc_from: Vec<String>,
    /// What becomes of decisions: `enforced`, `dry-run` or `shadow`.
    pub enforcement: Option<String>,
    /// What events say, path by path.
    #[serde(default)]
    pub mapping: Vec<RawMapping>,
    /// The signed bundles that the instances load.
    #[serde(default)]
    pub bundle: Vec<RawBundle>,
    /// Whether it is logged which revisions came into force; by default where there are bundles.
    pub activations: Option<bool>,
    /// After how many seconds without decisions an instance that reports its status is silent; 0: never.
    #[serde(default = "silent_after_s")]
    pub silent_after_s: u64,
    /// The sink that the uploads go to as well.
    pub forward: Option<String>,
    /// How the agent shows itself there, and which authorities speak for it.
    #[serde(default)]
    pub forward_client: Outbound,
    /// What may wait for it, MiB.
    #[serde(default = "forward_mib")]
    pub forward_mib: u64,
}

const fn silent_after_s() -> u64 {
    900
}

const fn forward_mib() -> u64 {
    256
}

impl RawGroup {
    /// The table that says nothing but a prefix: AuthZEN-shaped decisions, and no header is believed.
    #[must_use]
    pub fn at(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            callers: None,
            pdp: None,
            pep: None,
            xfcc_from: Vec::new(),
            enforcement: None,
            mapping: Vec::new(),
            bundle: Vec::new(),
            activations: None,
            silent_after_s: silent_after_s(),
            forward: None,
            forward_client: Outbound::default(),
            forward_mib: forward_mib(),
        }
    }
}

/// An `[[opa.mapping]]` table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawMapping {
    /// The document that is queried; all below it too.
    pub path: String,
    /// Who asks.
    pub subject: RawSource,
    /// What kind of subject that is.
    pub subject_type: Option<RawSource>,
    /// To do what.
    pub action: RawSource,
    /// To which resource.
    pub resource: RawSource,
    /// To what kind of resource.
    pub resource_type: RawSource,
    /// Where the boolean is.
    pub decision: String,
    /// Where the reasons are.
    pub reasons: Option<String>,
    /// Where the method is of the HTTP request that is decided about.
    pub http_method: Option<String>,
    /// Where its path is.
    pub http_path: Option<String>,
    /// Where its host is.
    pub http_authority: Option<String>,
}

/// Where a field comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawSource {
    /// Text: a JSON pointer if it begins with a slash, else the field itself.
    Text(String),
    /// `{ constant = "…" }`: the field itself, whatever it begins with.
    Constant(String),
}

impl<'de> Deserialize<'de> for RawSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SourceVisitor)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Constant {
    constant: String,
}

struct SourceVisitor;

impl<'de> Visitor<'de> for SourceVisitor {
    type Value = RawSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON pointer as \"/input/subject/id\", other text, or { constant = \"…\" }")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RawSource, E> {
        Ok(RawSource::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawSource, A::Error> {
        Constant::deserialize(MapAccessDeserializer::new(map)).map(|found| RawSource::Constant(found.constant))
    }
}
