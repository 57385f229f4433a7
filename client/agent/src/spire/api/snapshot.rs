//! Recorded answers: the JSON that `spire-server … -output json` writes.
//!
//! | Command | File |
//! |---|---|
//! | `entry show -output json` | `entries.json` |
//! | `agent list -output json` | `agents.json` |
//! | `bundle show -format spiffe` | `bundle.json` |
//! | `localauthority x509 show -output json`, and `jwt`, `wit` | `localauthority-x509.json`, `-jwt`, `-wit` |
//!
//! These are the interfaces' messages in their JSON form: 64-bit numbers are text. Members that are not known are passed over.

use govlog_formats::base64;
use govlog_formats::digest::Digest;
use govlog_formats::record::handles::{AuthorityHandles, jwk_spki, jwk_thumbprint};
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

use super::model::{Agent, Authority, Bundle, BundleKey, Entry, Listing, Selector};
use super::shape::{agent_of, entry_of, states_of};

/// The files of a folder, and what each is.
pub const FILES: [(&str, File); 6] = [
    ("entries.json", File::Entries),
    ("agents.json", File::Agents),
    ("bundle.json", File::Bundle),
    ("localauthority-x509.json", File::Authority("x509-svid")),
    ("localauthority-jwt.json", File::Authority("jwt-svid")),
    ("localauthority-wit.json", File::Authority("wit-svid")),
];

/// What a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// Registration entries.
    Entries,
    /// Attested agents.
    Agents,
    /// The own bundle.
    Bundle,
    /// The states of an authority that signs these.
    Authority(&'static str),
}

/// Why a file cannot be used; nothing of what stands in it is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Not the JSON that the command writes.
    #[error("not what spire-server writes with -output json, at line {line}, column {column}")]
    Json {
        /// Where.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// There is more to come: the command was asked for a page.
    #[error("it is one page of several; have spire-server write all of them")]
    Page,
    /// A key of a bundle cannot be read.
    #[error("key {0} of the bundle cannot be read")]
    Key(usize),
    /// A number is below 0.
    #[error("{0} is below 0")]
    Negative(&'static str),
}

impl File {
    /// Reads a file's content into a listing.
    ///
    /// # Errors
    ///
    /// It is not what the command writes; nothing was taken from it.
    pub fn read(self, bytes: &[u8], domain: &str, into: &mut Listing) -> Result<(), SnapshotError> {
        match self {
            Self::Entries => {
                let Page { items, next_page_token } = parse::<Page<RawEntry>>(bytes)?;
                let entries = complete(items, &next_page_token)?.into_iter().map(RawEntry::check);
                into.entries = Some(entries.collect::<Result<_, _>>()?);
            }
            Self::Agents => {
                let Page { items, next_page_token } = parse::<Page<RawAgent>>(bytes)?;
                into.agents = Some(complete(items, &next_page_token)?.into_iter().map(RawAgent::check).collect());
            }
            Self::Bundle => into.bundles.push(parse::<RawBundle>(bytes)?.check(domain)?),
            Self::Authority(purpose) => into.authorities.extend(parse::<RawStates>(bytes)?.check(purpose)),
        }
        Ok(())
    }
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, SnapshotError> {
    // What serde says of a value repeats it.
    serde_json::from_slice(bytes).map_err(|error| SnapshotError::Json { line: error.line(), column: error.column() })
}

fn complete<T>(items: Vec<T>, next_page_token: &str) -> Result<Vec<T>, SnapshotError> {
    if next_page_token.is_empty() { Ok(items) } else { Err(SnapshotError::Page) }
}

#[derive(Deserialize)]
struct Page<T> {
    #[serde(alias = "entries", alias = "agents")]
    items: Vec<T>,
    #[serde(default)]
    next_page_token: String,
}

/// A SPIFFE ID as the interfaces have it.
#[derive(Deserialize, Default)]
#[serde(default)]
struct RawId {
    trust_domain: String,
    path: String,
}

fn id(RawId { trust_domain, path }: RawId) -> String {
    spiffe_id(&trust_domain, &path)
}

/// Puts a SPIFFE ID together; nothing of nothing.
pub(super) fn spiffe_id(trust_domain: &str, path: &str) -> String {
    if trust_domain.is_empty() { String::new() } else { format!("spiffe://{trust_domain}{path}") }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawSelector {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

fn selectors(raw: Vec<RawSelector>) -> Vec<Selector> {
    raw.into_iter().map(|raw| Selector(raw.kind, raw.value)).collect()
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawEntry {
    id: String,
    spiffe_id: RawId,
    parent_id: RawId,
    selectors: Vec<RawSelector>,
    #[serde(deserialize_with = "number")]
    x509_svid_ttl: i64,
    #[serde(deserialize_with = "number")]
    jwt_svid_ttl: i64,
    federates_with: Vec<String>,
    admin: bool,
    downstream: bool,
    #[serde(deserialize_with = "number")]
    expires_at: i64,
    dns_names: Vec<String>,
    #[serde(deserialize_with = "number")]
    revision_number: i64,
    store_svid: bool,
    hint: String,
    #[serde(deserialize_with = "number")]
    created_at: i64,
}

impl RawEntry {
    fn check(self) -> Result<Entry, SnapshotError> {
        Ok(entry_of!(self))
    }
}

fn count(name: &'static str, number: i64) -> Result<u64, SnapshotError> {
    u64::try_from(number).map_err(|_| SnapshotError::Negative(name))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawAgent {
    id: RawId,
    attestation_type: String,
    selectors: Vec<RawSelector>,
    banned: bool,
    can_reattest: bool,
}

impl RawAgent {
    fn check(self) -> Agent {
        agent_of!(self)
    }
}

#[derive(Deserialize)]
struct RawBundle {
    keys: Vec<Json>,
    spiffe_sequence: Option<u64>,
    spiffe_refresh_hint: Option<u64>,
}

impl RawBundle {
    fn check(self, domain: &str) -> Result<Bundle, SnapshotError> {
        let keys = self.keys.iter().enumerate().map(|(number, key)| jwk(key).ok_or(SnapshotError::Key(number)));
        let bundle = Bundle {
            domain: domain.to_owned(),
            sequence: self.spiffe_sequence,
            refresh_hint_s: self.spiffe_refresh_hint.filter(|seconds| *seconds > 0),
            keys: keys.collect::<Result<_, _>>()?,
            generation: 0,
        };
        Ok(bundle.ordered())
    }
}

fn jwk(key: &Json) -> Option<BundleKey> {
    let purpose = key.get("use")?.as_str()?.to_owned();
    if purpose == "x509-svid" {
        let der = base64::decode(key.get("x5c")?.get(0)?.as_str()?).ok()?;
        return authority_key(&der);
    }
    let spki = jwk_spki(key).map(|der| Digest::sha256(&der).to_string());
    let (id, mark) = (key.get("kid")?.as_str()?.to_owned(), jwk_thumbprint(&key.to_string()).ok()?.to_string());
    Some(BundleKey { purpose, id, mark, spki_s256: spki })
}

/// Reads the certificate of an authority.
pub(super) fn authority_key(der: &[u8]) -> Option<BundleKey> {
    let handles = AuthorityHandles::from_der(der).ok()?;
    let id = handles.key_id.unwrap_or_default().iter().map(|byte| format!("{byte:02x}")).collect();
    let (purpose, mark) = ("x509-svid".to_owned(), Digest::sha256(der).to_string());
    Some(BundleKey { purpose, id, mark, spki_s256: Some(handles.spki_s256.to_string()) })
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawStates {
    active: Option<State>,
    prepared: Option<State>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct State {
    authority_id: String,
    #[serde(deserialize_with = "number")]
    expires_at: i64,
    upstream_authority_subject_key_id: String,
}

impl RawStates {
    fn check(self, purpose: &str) -> Vec<Authority> {
        states_of!(self, purpose)
    }
}

pub(super) fn positive(number: i64) -> Option<u64> {
    u64::try_from(number).ok().filter(|number| *number > 0)
}

/// protobuf's JSON form: numbers of 64 bits are text, of 32 bits numbers; both are taken of either.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Number(i64),
        Text(String),
    }
    match Number::deserialize(deserializer)? {
        Number::Number(number) => Ok(number),
        Number::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}
