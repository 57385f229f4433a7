//! Messages of the interfaces `spire.api.server.*` (spire-api-sdk 1.14), with the fields that are used.

use crate::spire::api::model::{Agent, Authority, Bundle, BundleKey, Entry, Selector};
use crate::spire::api::shape::{agent_of, entry_of, states_of};
use crate::spire::api::snapshot::{authority_key, positive, spiffe_id};
use govlog_formats::digest::Digest;
use govlog_formats::record::handles::spki_thumbprint;

/// A request that may ask for a page: `ListEntriesRequest`, `ListAgentsRequest`, which have the same numbers.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ListRequest {
    #[prost(int32, tag = "3")]
    pub(super) page_size: i32,
    #[prost(string, tag = "4")]
    pub(super) page_token: String,
}

/// `ListFederatedBundlesRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ListBundlesRequest {
    #[prost(int32, tag = "2")]
    pub(super) page_size: i32,
    #[prost(string, tag = "3")]
    pub(super) page_token: String,
}

/// A request without fields: `GetBundleRequest` and those for the states of authorities.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Nothing {}

/// `ListEntriesResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ListEntriesResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) entries: Vec<RawEntry>,
    #[prost(string, tag = "2")]
    pub(super) next_page_token: String,
}

/// `ListAgentsResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ListAgentsResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) agents: Vec<RawAgent>,
    #[prost(string, tag = "2")]
    pub(super) next_page_token: String,
}

/// `ListFederatedBundlesResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ListBundlesResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) bundles: Vec<RawBundle>,
    #[prost(string, tag = "2")]
    pub(super) next_page_token: String,
}

/// `SPIFFEID`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Id {
    #[prost(string, tag = "1")]
    pub(super) trust_domain: String,
    #[prost(string, tag = "2")]
    pub(super) path: String,
}

/// `Selector`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RawSelector {
    #[prost(string, tag = "1")]
    pub(super) kind: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

/// `Entry`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RawEntry {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(message, optional, tag = "2")]
    pub(super) spiffe_id: Option<Id>,
    #[prost(message, optional, tag = "3")]
    pub(super) parent_id: Option<Id>,
    #[prost(message, repeated, tag = "4")]
    pub(super) selectors: Vec<RawSelector>,
    #[prost(int32, tag = "5")]
    pub(super) x509_svid_ttl: i32,
    #[prost(string, repeated, tag = "6")]
    pub(super) federates_with: Vec<String>,
    #[prost(bool, tag = "7")]
    pub(super) admin: bool,
    #[prost(bool, tag = "8")]
    pub(super) downstream: bool,
    #[prost(int64, tag = "9")]
    pub(super) expires_at: i64,
    #[prost(string, repeated, tag = "10")]
    pub(super) dns_names: Vec<String>,
    #[prost(int64, tag = "11")]
    pub(super) revision_number: i64,
    #[prost(bool, tag = "12")]
    pub(super) store_svid: bool,
    #[prost(int32, tag = "13")]
    pub(super) jwt_svid_ttl: i32,
    #[prost(string, tag = "14")]
    pub(super) hint: String,
    #[prost(int64, tag = "15")]
    pub(super) created_at: i64,
}

/// `Agent`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RawAgent {
    #[prost(message, optional, tag = "1")]
    pub(super) id: Option<Id>,
    #[prost(string, tag = "2")]
    pub(super) attestation_type: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) selectors: Vec<RawSelector>,
    #[prost(bool, tag = "6")]
    pub(super) banned: bool,
    #[prost(bool, tag = "7")]
    pub(super) can_reattest: bool,
}

/// `Bundle`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RawBundle {
    #[prost(string, tag = "1")]
    pub(super) trust_domain: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) x509_authorities: Vec<RawCertificate>,
    #[prost(message, repeated, tag = "3")]
    pub(super) jwt_authorities: Vec<RawKey>,
    #[prost(int64, tag = "4")]
    pub(super) refresh_hint: i64,
    #[prost(uint64, tag = "5")]
    pub(super) sequence_number: u64,
    #[prost(message, repeated, tag = "6")]
    pub(super) wit_authorities: Vec<RawKey>,
}

/// `X509Certificate`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RawCertificate {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) asn1: Vec<u8>,
}

/// `JWTKey`, `WITKey`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RawKey {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) public_key: Vec<u8>,
    #[prost(string, tag = "2")]
    pub(super) key_id: String,
}

/// The states of authorities: `GetX509AuthorityStateResponse` and its like.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct States {
    #[prost(message, optional, tag = "1")]
    pub(super) active: Option<State>,
    #[prost(message, optional, tag = "2")]
    pub(super) prepared: Option<State>,
}

/// `AuthorityState`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct State {
    #[prost(string, tag = "1")]
    pub(super) authority_id: String,
    #[prost(int64, tag = "2")]
    pub(super) expires_at: i64,
    #[prost(string, tag = "3")]
    pub(super) upstream_authority_subject_key_id: String,
}

fn id(raw: Option<Id>) -> String {
    raw.map(|raw| spiffe_id(&raw.trust_domain, &raw.path)).unwrap_or_default()
}

fn selectors(raw: Vec<RawSelector>) -> Vec<Selector> {
    raw.into_iter().map(|raw| Selector(raw.kind, raw.value)).collect()
}

/// Gives a number of 0 or more.
fn count(_name: &str, number: impl Into<i64>) -> Option<u64> {
    u64::try_from(number.into()).ok()
}

impl RawEntry {
    /// Gives the entry; with a number below 0 it is none.
    pub(super) fn check(self) -> Option<Entry> {
        Some(entry_of!(self))
    }
}

impl RawAgent {
    pub(super) fn check(self) -> Agent {
        agent_of!(self)
    }
}

impl RawBundle {
    /// Gives the bundle; a key that cannot be read is none of it.
    pub(super) fn check(self) -> Option<Bundle> {
        let x509 = self.x509_authorities.iter().map(|certificate| authority_key(&certificate.asn1));
        let of = |purpose: &'static str, keys: Vec<RawKey>| keys.into_iter().map(move |raw| key(purpose, raw));
        let keys = x509.chain(of("jwt-svid", self.jwt_authorities)).chain(of("wit-svid", self.wit_authorities));
        let bundle = Bundle {
            domain: self.trust_domain,
            sequence: Some(self.sequence_number),
            refresh_hint_s: positive(self.refresh_hint),
            keys: keys.collect::<Option<_>>()?,
            generation: 0,
        };
        Some(bundle.ordered())
    }
}

fn key(purpose: &str, raw: RawKey) -> Option<BundleKey> {
    Some(BundleKey {
        purpose: purpose.to_owned(),
        id: raw.key_id,
        mark: spki_thumbprint(&raw.public_key).ok()?.to_string(),
        spki_s256: Some(Digest::sha256(&raw.public_key).to_string()),
    })
}

impl States {
    pub(super) fn check(self, purpose: &str) -> Vec<Authority> {
        states_of!(self, purpose)
    }
}
